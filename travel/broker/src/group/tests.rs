use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::{ResponseError, protocol::StrBytes};
use tokio::sync::oneshot::{self, Receiver};

use super::{
    member::{JoinAnswer, JoinRequest, Joined, Protocol, SyncAnswer},
    state::{Group, Phase},
};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_mins(1);

/// A group and the moment.
struct Scene {
    group: Group,
    now: Instant,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn request(member_id: &str, protocols: &[&str]) -> JoinRequest {
    JoinRequest {
        member_id: text(member_id),
        comes_again: true,
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: text("consumer"),
        protocols: protocols
            .iter()
            .map(|name| Protocol { name: text(name), metadata: Bytes::from_static(b"topics") })
            .collect(),
    }
}

impl Scene {
    fn new() -> Self {
        Self { group: Group::new(), now: Instant::now() }
    }

    fn ask_to_join(&mut self, request: JoinRequest, fresh: &str) -> Receiver<Joined> {
        let (answer, answered) = oneshot::channel();
        self.group.join(self.now, request, text(fresh), answer);
        answered
    }

    /// A new client comes twice: for its id, and with it.
    fn come(&mut self, id: &str) -> Receiver<Joined> {
        let refusal =
            self.ask_to_join(request("", &["range"]), id).try_recv().unwrap().unwrap_err();
        assert_eq!(refusal.error, ResponseError::MemberIdRequired);
        self.ask_to_join(request(&refusal.member_id, &["range"]), "never")
    }

    fn join_again(&mut self, id: &str) -> Receiver<Joined> {
        self.ask_to_join(request(id, &["range"]), "never")
    }

    fn sync(&mut self, id: &str, generation: i32, parts: &[&str]) -> Receiver<SyncAnswer> {
        let (answer, answered) = oneshot::channel();
        let parts = parts.iter().map(|id| (text(id), part(id))).collect();
        self.group.sync(self.now, id, generation, parts, answer);
        answered
    }

    fn heartbeat(&mut self, id: &str, generation: i32) -> Result<(), ResponseError> {
        self.group.heartbeat(self.now, id, generation)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.tick(self.now);
    }

    /// Two members, `a` leads, each has its part.
    fn of_two() -> (Self, i32) {
        let mut scene = Self::new();
        let mut first = scene.come("a");
        let one = joined(&mut first);
        scene.sync("a", one.generation, &["a"]).try_recv().unwrap().unwrap();
        let mut second = scene.come("b");
        assert!(second.try_recv().is_err(), "b must wait until a has given its partitions back");
        assert_eq!(scene.heartbeat("a", one.generation), Err(ResponseError::RebalanceInProgress));
        let mut again = scene.join_again("a");
        let generation = joined(&mut again).generation;
        assert_eq!(joined(&mut second).generation, generation);
        let mut part_of_b = scene.sync("b", generation, &[]);
        assert!(part_of_b.try_recv().is_err(), "b must wait for the leader");
        let mut part_of_a = scene.sync("a", generation, &["a", "b"]);
        assert_eq!(part_of_a.try_recv().unwrap(), Ok(part("a")));
        assert_eq!(part_of_b.try_recv().unwrap(), Ok(part("b")));
        (scene, generation)
    }
}

fn part(id: &str) -> Bytes {
    Bytes::from(format!("part of {id}"))
}

fn joined(answer: &mut Receiver<Joined>) -> JoinAnswer {
    answer.try_recv().expect("no answer yet").expect("refused")
}

#[test]
fn the_first_member_leads_and_knows_the_others() {
    let mut scene = Scene::new();
    let mut first = scene.come("a");
    let answer = joined(&mut first);
    assert_eq!((answer.leader, answer.member_id), (text("a"), text("a")));
    assert_eq!(answer.protocol, text("range"));
    assert_eq!(answer.members, [(text("a"), Bytes::from_static(b"topics"))]);
}

#[test]
fn a_generation_begins_when_all_have_joined_again() {
    let (mut scene, generation) = Scene::of_two();
    assert_eq!(scene.group.phase, Phase::Stable);
    assert_eq!(scene.heartbeat("a", generation), Ok(()));
    assert_eq!(scene.heartbeat("b", generation), Ok(()));
    assert_eq!(scene.heartbeat("b", generation - 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(scene.heartbeat("c", generation), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_member_that_dies_is_given_up_after_its_session() {
    let (mut scene, generation) = Scene::of_two();
    scene.pass(SESSION / 2);
    assert_eq!(scene.heartbeat("b", generation), Ok(()));
    scene.pass(SESSION / 2);
    assert!(matches!(scene.group.phase, Phase::Joining(_)));
    assert_eq!(scene.heartbeat("b", generation), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.join_again("b");
    let answer = joined(&mut again);
    assert_eq!(answer.leader, text("b"));
    assert_eq!(answer.members.len(), 1);
    assert_eq!(scene.heartbeat("a", generation), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_member_that_dies_while_others_join_does_not_hold_them_up_for_longer_than_its_session() {
    let (mut scene, _) = Scene::of_two();
    let mut third = scene.come("c");
    let mut again = scene.join_again("a");
    assert!(third.try_recv().is_err());
    scene.pass(SESSION);
    assert_eq!(joined(&mut third).generation, joined(&mut again).generation);
}

#[test]
fn a_member_that_is_heard_of_and_does_not_join_again_is_given_up_after_the_rebalance_timeout() {
    let (mut scene, generation) = Scene::of_two();
    let mut third = scene.come("c");
    let mut again = scene.join_again("a");
    for _ in 0..12 {
        assert!(third.try_recv().is_err());
        assert_eq!(scene.heartbeat("b", generation), Err(ResponseError::RebalanceInProgress));
        scene.pass(REBALANCE / 12);
    }
    assert_eq!(joined(&mut third).generation, joined(&mut again).generation);
    assert_eq!(scene.heartbeat("b", generation), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_never_assigns_is_given_up() {
    let mut scene = Scene::new();
    let mut first = scene.come("a");
    let generation = joined(&mut first).generation;
    for _ in 0..12 {
        assert_eq!(scene.heartbeat("a", generation), Ok(()));
        scene.pass(REBALANCE / 12);
    }
    assert_eq!(scene.group.phase, Phase::Empty);
}

#[test]
fn a_member_that_leaves_makes_room_at_once() {
    let (mut scene, generation) = Scene::of_two();
    assert_eq!(scene.group.leave(scene.now, "a"), Ok(()));
    assert_eq!(scene.group.leave(scene.now, "a"), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.heartbeat("b", generation), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.join_again("b");
    assert_eq!(joined(&mut again).leader, text("b"));
    assert_eq!(scene.group.leave(scene.now, "b"), Ok(()));
    assert!(scene.group.is_nothing());
}

#[test]
fn a_commit_is_taken_from_the_present_generation_only() {
    let (mut scene, generation) = Scene::of_two();
    let now = scene.now;
    assert_eq!(scene.group.may_commit(now, "a", generation), Ok(()));
    let older = generation - 1;
    assert_eq!(scene.group.may_commit(now, "a", older), Err(ResponseError::IllegalGeneration));
    assert_eq!(scene.group.may_commit(now, "", -1), Err(ResponseError::UnknownMemberId));
    // While members join, what was done may still be committed.
    let _third = scene.come("c");
    assert_eq!(scene.group.may_commit(now, "a", generation), Ok(()));
    assert_eq!(Group::new().may_commit(now, "", -1), Ok(()));
}

#[test]
fn members_without_a_common_protocol_are_refused() {
    let mut scene = Scene::new();
    let mut first = scene.come("a");
    joined(&mut first);
    let refusal = scene
        .ask_to_join(request("", &["cooperative-sticky"]), "b")
        .try_recv()
        .unwrap()
        .unwrap_err();
    assert_eq!(refusal.error, ResponseError::InconsistentGroupProtocol);
    let mut short = request("", &["range"]);
    short.session_timeout = Duration::from_millis(10);
    let refusal = scene.ask_to_join(short, "c").try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::InvalidSessionTimeout);
    let refusal = scene.join_again("stranger").try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::UnknownMemberId);
}

#[test]
fn a_lost_answer_is_given_again_without_a_rebalance() {
    let (mut scene, generation) = Scene::of_two();
    let mut again = scene.join_again("b");
    assert_eq!(joined(&mut again).generation, generation);
    assert_eq!(scene.sync("b", generation, &[]).try_recv().unwrap(), Ok(part("b")));
    // The leader's asks for a new assignment.
    let mut again = scene.join_again("a");
    assert!(again.try_recv().is_err());
    assert!(matches!(scene.group.phase, Phase::Joining(_)));
}

#[test]
fn an_id_that_nobody_comes_back_with_is_forgotten() {
    let mut scene = Scene::new();
    drop(scene.ask_to_join(request("", &["range"]), "a"));
    assert!(!scene.group.is_nothing());
    scene.pass(SESSION);
    assert!(scene.group.is_nothing());
}

#[test]
fn something_is_due_as_long_as_anybody_may_be_lost() {
    let (mut scene, _) = Scene::of_two();
    for _ in 0..20 {
        let Some(due) = scene.group.next_due() else { break };
        assert!(due > scene.now, "time does not stand still");
        scene.now = due;
        scene.group.tick(due);
    }
    assert!(scene.group.is_nothing());
}
