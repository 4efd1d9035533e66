use super::world::{Behaviour, Look, World, seconds};
use crate::{
    decide::{Ask, Decision, Reason, WorkloadState, auto_deploy_status},
    resources::{AutoDeployStatus, ConditionStatus},
};

fn status(
    world: &World,
    decision: &Decision,
    previous: Option<&AutoDeployStatus>,
) -> AutoDeployStatus {
    auto_deploy_status(&decision.record, decision, &world.candidate(), previous, world.now)
}

/// Ready, Progressing, Held, Stalled as `T`, `F` or `?`.
fn letters(status: &AutoDeployStatus) -> String {
    let kinds: Vec<&str> =
        status.conditions.iter().map(|condition| condition.kind.as_str()).collect();
    assert_eq!(kinds, ["Ready", "Progressing", "Held", "Stalled"]);
    status
        .conditions
        .iter()
        .map(|condition| match condition.status {
            ConditionStatus::True => 'T',
            ConditionStatus::False => 'F',
            ConditionStatus::Unknown => '?',
        })
        .collect()
}

#[test]
fn conditions_say_how_it_stands() {
    let check = |world: &World, expected: &str| {
        let decision = world.decide();
        let status = status(world, &decision, None);
        assert_eq!(letters(&status), expected, "{decision:#?}");
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| condition.reason == decision.reason.to_string())
        );
    };
    let mut world = World::with_two();
    check(&world, "TFFF");
    world.replicas = 9;
    world.age = 2;
    check(&world, "FFFF");
    let mut world = World::with_two();
    world.suspended = true;
    check(&world, "TFFF");
    world.suspended = false;
    world.push(Behaviour::Crashes);
    check(&world, "FTFF");
    world.until(Reason::RollingBack);
    check(&world, "FTTF");
    world.settle();
    check(&world, "FFTT");
    world.push(Behaviour::Good);
    world.settle();
    check(&world, "TFFF");
    world.ask(Ask::Rollback(None));
    world.settle();
    check(&world, "TFTF");
    for (look, expected) in [
        (Look::NotYet, "?FFF"),
        (Look::Fails, "?FFF"),
        (Look::MatchesNothing, "FFFT"),
        (Look::SelectsForeign, "FFFT"),
        (Look::SelectsUnusable, "FFFT"),
    ] {
        let mut world = World::with_two();
        world.look = look;
        check(&world, expected);
    }
    for (absent, expected) in [
        (WorkloadState::Missing { target: "it".into() }, "FFFT"),
        (WorkloadState::NoContainer { message: "it".into() }, "FFFT"),
        (WorkloadState::Unreadable { message: "it".into() }, "?FFF"),
    ] {
        let mut world = World::with_two();
        world.absent = Some(absent);
        check(&world, expected);
    }
}

#[test]
fn transition_times_are_kept_while_the_status_is() {
    let mut world = World::settled();
    let first = status(&world, &world.decide(), None);
    world.wait(100);
    world.push(Behaviour::Good);
    let (decision, _) = world.step();
    let second = status(&world, &decision, Some(&first));
    let times = |status: &AutoDeployStatus| {
        status.conditions.iter().map(|condition| condition.last_transition_time).collect::<Vec<_>>()
    };
    let (then, now) = (times(&first)[0], world.now);
    assert!(then < now);
    assert_eq!(times(&second), [now, now, then, then]);
    world.wait(1);
    assert_eq!(times(&status(&world, &world.decide(), Some(&second))), [now, now, then, then]);
}

#[test]
fn a_failed_look_changes_neither_readiness_nor_candidate() {
    let mut world = World::settled();
    let before = status(&world, &world.decide(), None);
    world.look = Look::Fails;
    let decision = world.decide();
    let after = status(&world, &decision, Some(&before));
    assert_eq!(letters(&after), "TFFF");
    assert_eq!(after.candidate, before.candidate);
    assert!(after.conditions[0].message.contains("503"), "but it is said");
}

#[test]
fn the_whole_of_a_rollout_at_work_is_shown() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.until(Reason::Progressing);
    world.wait(3);
    let (decision, _) = world.step();
    let status = status(&world, &decision, None);
    let rollout = status.rollout.as_ref().unwrap();
    assert_eq!(rollout.waiting_on.as_deref(), Some("1 of 3 replicas ready"));
    assert_eq!(rollout.release.digest, super::world::release(1).digest);
    assert_eq!(rollout.previous.as_ref().unwrap().digest, super::world::release(0).digest);
    assert_eq!(status.running.as_ref().unwrap().digest, super::world::release(0).digest);
    assert_eq!(status.running.as_ref().unwrap().since, Some(seconds(0)), "adopted at first sight");
    assert_eq!(status.candidate.as_ref().unwrap().order, "newest");
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<AutoDeployStatus>(&text).unwrap(), status);
}

#[test]
fn the_hold_that_matters_is_the_candidate_s() {
    let mut world = World::settled();
    world.push(Behaviour::Crashes);
    world.settle();
    world
        .ask(Ask::Hold { release: Some(Box::new(super::world::release(0))), reason: "odd".into() });
    world.settle();
    let status = status(&world, &world.decide(), None);
    assert_eq!(status.holds.len(), 2);
    assert_eq!(status.holds[0].digest, super::world::release(0).digest, "newest first");
    assert_eq!(status.hold.unwrap().digest, super::world::release(1).digest);
}
