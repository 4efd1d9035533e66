use super::world::{Behaviour, Look, World, foreign, release};
use crate::{
    decide::{Ask, Decision, Effect, Reason, WorkloadState},
    rollout::{Actor, Kind, Phase, RequestId, Trigger},
};

fn deploy(number: usize) -> Ask {
    Ask::Deploy(Box::new(release(number)))
}

fn hold(number: Option<usize>) -> Ask {
    Ask::Hold {
        release: number.map(|number| Box::new(release(number))),
        reason: "looks odd".to_owned(),
    }
}

fn asked(world: &mut World, ask: Ask) -> Decision {
    world.ask(ask);
    world.step().0
}

fn refused(world: &mut World, ask: Ask, why: &str) {
    let before = world.record.clone();
    let decision = asked(world, ask);
    assert_eq!(decision.reason, Reason::Refused);
    assert!(decision.message.contains(why), "{}", decision.message);
    assert_eq!(decision.effect, None);
    let mut after = world.record.clone();
    after.handled = before.handled.clone();
    assert_eq!(after, before, "a refusal changes nothing");
}

#[test]
fn each_request_is_obeyed_once_and_the_newest_fifty_are_remembered() {
    let mut world = World::settled();
    for _ in 0..60 {
        world.ask(hold(Some(0)));
    }
    // None that is still asked is forgotten, or it would be obeyed again.
    world.steps();
    assert_eq!(world.record.handled.len(), 60);
    world.requests.drain(..59);
    world.requests[0].id = RequestId("one more".to_owned());
    world.steps();
    assert_eq!(world.record.handled.len(), 50);
    assert_eq!(world.record.handled.front(), Some(&RequestId("request-11".to_owned())));
    assert_eq!(world.record.handled.back(), Some(&RequestId("one more".to_owned())));
}

#[test]
fn deploy_goes_to_an_older_or_held_release_even_when_suspended() {
    let mut world = World::with_two();
    world.suspended = true;
    asked(&mut world, hold(Some(0)));
    let decision = asked(&mut world, deploy(0));
    assert_eq!(decision.reason, Reason::Obeyed);
    // Who asks may not know that it was held, nor why.
    assert!(
        decision.message.starts_with(
            "ada deploys sha-0000000 in place of sha-0000001; sha-0000000 was held by ada"
        ) && decision.message.ends_with("looks odd: that hold is lifted"),
        "{}",
        decision.message
    );
    let rollout = decision.record.rollout.unwrap();
    assert_eq!(
        (rollout.kind, rollout.trigger, rollout.by),
        (Kind::Deploy, Trigger::Person, Actor("ada".into()))
    );
    assert!(!world.holds(0));
    world.settle();
    assert_eq!((world.running(), world.good()), (Some(0), Some(0)));
}

#[test]
fn a_deployed_older_release_is_not_replaced_by_the_policy_s() {
    let mut world = World::with_two();
    asked(&mut world, deploy(0));
    assert_eq!(world.settle().reason, Reason::Held);
    assert_eq!(world.image_number(), Some(0));
    assert_eq!(world.record.hold_on(&release(1).digest).unwrap().by, Actor("ada".into()));
    world.push(Behaviour::Good);
    world.settle();
    assert_eq!(world.image_number(), Some(2));
}

#[test]
fn a_deployed_candidate_holds_nothing() {
    let mut world = World::settled();
    world.suspended = true;
    world.push(Behaviour::Good);
    asked(&mut world, deploy(1));
    world.settle();
    assert_eq!(world.running(), Some(1));
    assert!(world.record.holds.is_empty());
}

#[test]
fn rollback_goes_to_what_was_trusted_without_a_rollout_of_its_own() {
    let mut world = World::settled();
    world.suspended = true;
    world.push(Behaviour::Good);
    world.set_image(release(1).image());
    world.settle();
    world.wait(3600);
    world.settle();
    assert_eq!(world.good(), Some(1), "a person set it, and it stayed healthy");
    world.suspended = false;
    world.push(Behaviour::Good);
    world.settle();
    assert_eq!(world.running(), Some(2));
    asked(&mut world, Ask::Rollback(None));
    world.settle();
    assert_eq!(world.running(), Some(1));
}

#[test]
fn the_reason_of_a_hold_is_one_line_and_never_empty() {
    let reason = |text| match Ask::hold(None, text) {
        Ask::Hold { reason, .. } => reason,
        other => panic!("not a hold: {other:?}"),
    };
    assert_eq!(reason(Some(" looks\n odd\t")), "looks odd");
    assert_eq!(reason(Some("\u{1b}[31m")), "\\u{1b}[31m");
    assert_eq!(reason(Some(" \n")), "held by hand");
    assert_eq!(reason(None), "held by hand");
}

#[test]
fn deploy_supersedes_the_rollout_at_work() {
    let mut world = World::with_two();
    world.push(Behaviour::Good);
    world.until(Reason::Progressing);
    asked(&mut world, deploy(0));
    let attempt = &world.record.history[0];
    assert_eq!(attempt.phase, Phase::Failed);
    assert_eq!(attempt.message, "superseded by the deployment of sha-0000000, asked by ada");
    assert_eq!(world.record.rollout.as_ref().unwrap().previous, Some(release(1)));
    world.settle();
    assert_eq!(world.image_number(), Some(0));
    assert!(world.holds(2));
}

#[test]
fn a_deployed_release_that_fails_goes_back_to_what_ran() {
    let mut world = World::with_two();
    world.releases[0].1 = Behaviour::Crashes;
    asked(&mut world, deploy(0));
    world.settle();
    assert_eq!(world.image_number(), Some(1));
    assert!(world.holds(0));
}

#[test]
fn deploy_of_what_runs_or_is_on_its_way_only_lifts_its_hold() {
    let mut world = World::settled();
    asked(&mut world, hold(Some(0)));
    let decision = asked(&mut world, deploy(0));
    assert_eq!((decision.reason, decision.effect), (Reason::Obeyed, None));
    assert!(world.record.holds.is_empty());
    world.push(Behaviour::Good);
    world.until(Reason::Progressing);
    let decision = asked(&mut world, deploy(1));
    assert_eq!((decision.reason, decision.effect), (Reason::Obeyed, None));
    world.settle();
    assert_eq!(world.running(), Some(1));
}

#[test]
fn deploy_of_what_failed_in_place_proves_it_again() {
    let mut world = World::settled();
    world.automatic_rollback = false;
    world.push(Behaviour::FailsCheck);
    world.until(Reason::Failed);
    world.releases[1].1 = Behaviour::Good;
    asked(&mut world, deploy(1));
    world.settle();
    assert_eq!((world.running(), world.good()), (Some(1), Some(1)));
    assert!(world.record.holds.is_empty());
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let mut world = World::settled();
    refused(&mut world, Ask::Deploy(Box::new(foreign())), "not in registry.test/team/api-gateway");
    refused(&mut world, Ask::Rollback(Some(Box::new(foreign()))), "elsewhere.test");
    refused(&mut world, Ask::Rollback(None), "there is nothing to go back to");
    refused(&mut world, Ask::Rollback(Some(Box::new(release(0)))), "is what runs");
    refused(&mut world, Ask::Resume(Some(release(0).digest)), "is not held");
    let mut paused = World::with_two();
    paused.paused = true;
    for ask in [deploy(0), Ask::Rollback(None), Ask::Restart] {
        refused(&mut paused, ask, "paused");
    }
    let mut missing = World::with_two();
    missing.absent =
        Some(WorkloadState::Missing { target: "Deployment app/api-gateway".to_owned() });
    for ask in [deploy(0), Ask::Rollback(None), Ask::Restart] {
        refused(&mut missing, ask, "Deployment app/api-gateway does not exist");
    }
    let mut rolling = World::settled();
    rolling.push(Behaviour::Good);
    rolling.until(Reason::Progressing);
    refused(&mut rolling, Ask::Restart, "is replacing the replicas already");
    let mut unknown = World::new();
    unknown.look = Look::Fails;
    unknown.set_image("registry.test/team/api-gateway:never-pushed");
    refused(&mut unknown, Ask::Restart, "not known yet");
    refused(&mut unknown, hold(None), "name a release");
}

#[test]
fn what_needs_a_workload_waits_until_it_can_be_read() {
    let mut world = World::with_two();
    world.absent = Some(WorkloadState::Unreadable { message: "timed out".to_owned() });
    world.ask(Ask::Rollback(None));
    assert_eq!(world.steps().0.reason, Reason::WorkloadUnreadable);
    assert!(world.record.handled.is_empty());
    world.absent = None;
    world.settle();
    assert_eq!(world.image_number(), Some(0));
}

#[test]
fn rollback_goes_to_the_newest_that_succeeded_and_holds_what_it_leaves() {
    let mut world = World::with_two();
    world.push(Behaviour::Good);
    world.settle();
    let decision = asked(&mut world, Ask::Rollback(None));
    assert_eq!(decision.message, "ada goes back to sha-0000001; sha-0000002 is held");
    assert_eq!(decision.record.rollout.as_ref().unwrap().kind, Kind::Rollback);
    world.settle();
    assert_eq!((world.running(), world.good()), (Some(1), Some(1)));
    // Again: 2 is held, so that 0 is next. Then nothing is left.
    asked(&mut world, Ask::Rollback(None));
    world.settle();
    assert_eq!(world.running(), Some(0));
    refused(&mut world, Ask::Rollback(None), "there is nothing to go back to");
}

#[test]
fn a_second_rollback_on_the_way_back_changes_nothing() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.settle();
    asked(&mut world, Ask::Rollback(None));
    let before = world.record.rollout.clone();
    assert!(before.is_some());
    asked(&mut world, Ask::Rollback(None));
    assert_eq!(world.record.rollout.as_ref().map(|it| it.id), before.map(|it| it.id));
    world.settle();
    assert_eq!(world.running(), Some(0));
    assert!(world.holds(1) && !world.holds(0));
}

#[test]
fn rollback_to_a_release_goes_there_held_or_not() {
    let mut world = World::with_two();
    world.push(Behaviour::Good);
    world.settle();
    asked(&mut world, hold(Some(0)));
    asked(&mut world, Ask::Rollback(Some(Box::new(release(0)))));
    world.settle();
    assert_eq!(world.running(), Some(0));
    assert!(!world.holds(0) && world.holds(2));
}

#[test]
fn rollback_of_a_rollout_at_work_turns_it_round() {
    for reason in [Reason::Starting, Reason::Progressing, Reason::Baking] {
        for to in [None, Some(Box::new(release(0)))] {
            let mut world = World::settled();
            world.push(Behaviour::Good);
            world.until(reason);
            let decision = asked(&mut world, Ask::Rollback(to));
            assert_eq!(decision.reason, Reason::Obeyed);
            assert_eq!(decision.record.rollout.as_ref().unwrap().phase, Phase::RollingBack);
            world.until(Reason::RolledBack);
            assert_eq!(world.record.hold_on(&release(1).digest).unwrap().by, Actor("ada".into()));
            world.settle();
            assert_eq!(world.image_number(), Some(0));
        }
    }
}

#[test]
fn rollback_elsewhere_supersedes_the_rollout_at_work() {
    let mut world = World::with_two();
    world.push(Behaviour::Good);
    world.until(Reason::Baking);
    asked(&mut world, Ask::Rollback(Some(Box::new(release(0)))));
    world.settle();
    assert_eq!(world.image_number(), Some(0));
    assert!(world.holds(2));
    assert!(
        world
            .record
            .history
            .iter()
            .any(|attempt| attempt.message.starts_with("superseded by the rollback"))
    );
}

#[test]
fn restart_replaces_the_replicas_of_what_runs() {
    let mut world = World::settled();
    let image = world.image.clone();
    let decision = asked(&mut world, Ask::Restart);
    let Some(Effect::Restart { token }) = decision.effect else { panic!("{decision:#?}") };
    assert_eq!(token, "2-request-0");
    assert_eq!(decision.record.rollout.unwrap().kind, Kind::Restart);
    let since = world.record.running.clone().unwrap().since;
    world.settle();
    assert_eq!(world.restart, Some(token));
    assert_eq!(world.image, image);
    assert_eq!(world.record.history[0].phase, Phase::Succeeded);
    assert_eq!(world.record.running.as_ref().unwrap().since, since);
}

#[test]
fn a_restart_that_fails_holds_nothing_and_moves_nothing() {
    let mut world = World::with_two();
    world.releases[1].1 = Behaviour::Crashes;
    asked(&mut world, Ask::Restart);
    world.settle();
    assert_eq!(world.record.history[0].phase, Phase::Failed);
    assert!(world.record.holds.is_empty());
    assert_eq!(world.image_number(), Some(1));
}

#[test]
fn a_hold_on_what_is_on_its_way_sends_it_back() {
    for (reason, number) in
        [(Reason::Starting, None), (Reason::Progressing, Some(1)), (Reason::Baking, Some(1))]
    {
        let mut world = World::settled();
        world.automatic_rollback = false;
        world.push(Behaviour::Good);
        world.until(reason);
        asked(&mut world, hold(number));
        world.settle();
        assert_eq!(world.image_number(), Some(0), "{reason}");
        let hold = world.record.hold_on(&release(1).digest).unwrap();
        assert_eq!((hold.reason.as_str(), &hold.by.0[..]), ("looks odd", "ada"));
    }
}

#[test]
fn a_hold_without_a_way_back_ends_the_rollout() {
    let mut world = World::new();
    world.set_image("registry.test/team/api-gateway:not-pushed-yet");
    world.until(Reason::Progressing);
    asked(&mut world, hold(None));
    assert_eq!(world.settle().reason, Reason::Held);
    assert_eq!(world.record.history[0].phase, Phase::Failed);
    assert_eq!(world.image_number(), Some(0));
    assert_eq!(world.record.holds.len(), 1);
}

#[test]
fn hold_and_resume_without_a_name_mean_the_candidate_and_everything() {
    let mut world = World::settled();
    world.suspended = true;
    world.push(Behaviour::Good);
    asked(&mut world, hold(None));
    assert!(world.holds(1));
    asked(&mut world, hold(Some(0)));
    world.suspended = false;
    assert_eq!(world.settle().reason, Reason::Held);
    asked(&mut world, Ask::Resume(Some(release(0).digest)));
    assert!(!world.holds(0) && world.holds(1));
    asked(&mut world, Ask::Resume(None));
    assert!(world.record.holds.is_empty());
    world.settle();
    assert_eq!(world.running(), Some(1));
    world.look = Look::Fails;
    asked(&mut world, hold(None));
    assert!(world.holds(1), "without a candidate, what runs");
}

#[test]
fn holds_can_be_edited_without_a_workload() {
    let mut world = World::with_two();
    world.absent = Some(WorkloadState::Missing { target: "Deployment app/api-gateway".to_owned() });
    assert_eq!(asked(&mut world, hold(Some(0))).reason, Reason::Obeyed);
    assert_eq!(asked(&mut world, Ask::Resume(None)).reason, Reason::Obeyed);
    assert!(world.record.holds.is_empty());
}
