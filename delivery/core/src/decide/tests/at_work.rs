use std::time::Duration;

use super::world::{BAKE, Behaviour, TIMEOUT, World, foreign, release};
use crate::{
    decide::{Effect, Reason, WorkloadState},
    rollout::{Actor, Phase},
};

fn rolling(behaviour: Behaviour) -> World {
    let mut world = World::settled();
    world.push(behaviour);
    world
}

#[test]
fn what_keeps_the_home_from_working_is_no_fault_of_the_release() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.home_fault = Some("no space left on device".to_owned());
    world.until(Reason::Progressing);
    for _ in 0..10 {
        world.wait(3600);
        let decision = world.steps().0;
        assert_eq!(decision.reason, Reason::Progressing, "{}", decision.message);
        assert_eq!(decision.waiting_on.as_deref(), Some("no space left on device"));
    }
    assert!(world.record.holds.is_empty());
    world.home_fault = None;
    world.settle();
    assert_eq!(world.running(), Some(1));
}

#[test]
fn a_good_release_goes_through_every_phase() {
    let mut world = rolling(Behaviour::Good);
    let mut reasons = Vec::new();
    while !reasons.contains(&Reason::Succeeded) {
        let (decision, moved) = world.step();
        if reasons.last() != Some(&decision.reason) {
            reasons.push(decision.reason);
        }
        if !moved {
            world.wait(1);
        }
    }
    assert_eq!(reasons, [Reason::Starting, Reason::Progressing, Reason::Baking, Reason::Succeeded]);
    assert_eq!((world.running(), world.good()), (Some(1), Some(1)));
    assert_eq!(world.written.len(), 2, "one for each release");
    let attempt = &world.record.history[0];
    assert_eq!(
        attempt.message,
        "sha-0000001 runs: 3 of 3 replicas ready, 2 checks passed, healthy for 10s"
    );
}

#[test]
fn what_it_waits_on_has_a_name_and_a_time() {
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Progressing);
    world.wait(5);
    let decision = world.decide();
    assert_eq!(decision.waiting_on.as_deref(), Some("2 of 3 replicas ready"));
    assert_eq!(decision.message, "rolling out sha-0000001: 2 of 3 replicas ready, 5s of 1m");
    assert_eq!(decision.again_in, Some(Duration::from_secs(TIMEOUT - 5)));
    world.until(Reason::Baking);
    world.asked = false;
    world.wait(2);
    let decision = world.decide();
    assert_eq!(decision.message, "sha-0000001: baking 2s of 10s; check endpoint: not answered yet");
    assert!(decision.ask_checks);
    world.asked = true;
    let decision = world.decide();
    assert_eq!(decision.waiting_on.as_deref(), Some("bake 8s left"));
    assert_eq!(decision.again_in, Some(Duration::from_secs(8)));
    assert_eq!(world.record, decision.record, "waiting writes nothing");
}

#[test]
fn each_way_to_fail_goes_back_and_holds_with_the_reason() {
    for (behaviour, why) in [
        (Behaviour::Crashes, "CrashLoopBackOff: exit code 1"),
        (Behaviour::NeverReady, "not complete after 1m: 0 of 3 replicas ready"),
        (Behaviour::FailsCheck, "check endpoint failed: 500 from /"),
        (
            Behaviour::NeverAnswersCheck,
            "not proven healthy within 1m10s: check endpoint: no answer yet",
        ),
        (Behaviour::RestartsLater, "a container restarted while baking"),
        (Behaviour::ComesAndGoes, "not proven healthy within 1m10s: 0 of 3 replicas ready"),
    ] {
        let mut world = rolling(behaviour);
        let decision = world.until(Reason::RollingBack);
        assert!(decision.message.contains(why), "{behaviour:?}: {}", decision.message);
        assert!(decision.message.ends_with("going back to sha-0000000"));
        let hold = decision.record.hold_on(&release(1).digest).unwrap();
        assert_eq!((hold.reason.as_str(), &hold.by), (why, &Actor::engine()));
        let Some(Effect::SetImage { image, .. }) = decision.effect else { panic!("{decision:#?}") };
        assert_eq!(image, release(0).image());
        let decision = world.until(Reason::RolledBack);
        assert_eq!(decision.record.history[0].phase, Phase::RolledBack);
        assert!(
            decision.message.contains(why)
                && decision.message.contains("sha-0000000, which serves again")
        );
        assert_eq!((world.running(), world.good()), (Some(0), Some(0)));
        assert_eq!(world.settle().reason, Reason::Held);
        assert_eq!(world.image_number(), Some(0));
    }
}

#[test]
fn evidence_ends_it_at_once_but_not_evidence_of_the_spec_before() {
    let mut world = rolling(Behaviour::Crashes);
    world.until(Reason::Progressing);
    world.wait(4);
    assert_eq!(world.decide().reason, Reason::RollingBack, "long before the timeout");
    let mut observed = world.observed();
    if let WorkloadState::Present(workload) = &mut observed.workload {
        workload.current = false;
        workload.deadline_exceeded = true;
    }
    let decision = crate::decide::decide(&world.desired(), &observed, world.now);
    assert_eq!(decision.reason, Reason::Progressing);
    assert_eq!(decision.waiting_on.as_deref(), Some("the home to take up the change"));
}

#[test]
fn the_home_s_own_deadline_ends_it() {
    let mut world = rolling(Behaviour::NeverReady);
    world.until(Reason::Progressing);
    world.wait(3);
    let mut observed = world.observed();
    if let WorkloadState::Present(workload) = &mut observed.workload {
        workload.deadline_exceeded = true;
    }
    let decision = crate::decide::decide(&world.desired(), &observed, world.now);
    assert_eq!(decision.reason, Reason::RollingBack);
    assert!(decision.message.contains("own deadline"), "{}", decision.message);
}

#[test]
fn restarts_before_the_bake_are_forgiven() {
    let mut world = rolling(Behaviour::RestartsLater);
    world.until(Reason::Progressing);
    world.wait(20);
    assert_eq!(world.until(Reason::Baking).record.rollout.unwrap().restarts_at_bake, 1);
    world.settle();
    assert_eq!(world.running(), Some(1));
}

#[test]
fn a_lapse_while_baking_starts_the_bake_again() {
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Baking);
    world.wait(BAKE - 1);
    world.replicas = 8;
    let (decision, _) = world.step();
    assert!(decision.message.contains("the bake starts again"), "{}", decision.message);
    world.replicas = 3;
    world.steps();
    world.wait(BAKE - 1);
    assert_eq!(world.steps().0.reason, Reason::Baking);
    world.wait(1);
    assert_eq!(world.step().0.reason, Reason::Succeeded);
}

#[test]
fn an_engine_that_slept_over_the_deadline_looks_before_it_judges() {
    // Complete meanwhile: no timeout. Checks not asked meanwhile: they are asked first.
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Progressing);
    world.wait(100_000);
    assert_eq!(world.step().0.reason, Reason::Baking);
    world.asked = false;
    world.wait(100_000);
    assert_eq!(world.step().0.reason, Reason::Baking);
    assert_eq!(world.step().0.reason, Reason::Succeeded);
    // Written down and not applied: the time starts when it is.
    let mut world = rolling(Behaviour::Good);
    let decision = world.decide();
    world.persist(&decision);
    world.wait(100_000);
    world.until(Reason::Succeeded);
}

#[test]
fn a_home_that_dies_with_the_engine_gets_its_time_again() {
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Progressing);
    world.wait(100_000);
    world.age = 0;
    let mut forgetful = world.clone();
    world.record.home_started(world.now);
    world.until(Reason::Succeeded);
    forgetful.until(Reason::RollingBack);
}

#[test]
fn without_automatic_rollback_nothing_moves_and_it_is_held() {
    for behaviour in [Behaviour::Crashes, Behaviour::FailsCheck] {
        let mut world = rolling(behaviour);
        world.automatic_rollback = false;
        let decision = world.until(Reason::Failed);
        assert_eq!(decision.effect, None);
        assert!(decision.message.contains("automatic rollback is off"));
        assert_eq!(world.settle().reason, Reason::Held);
        assert_eq!(world.image_number(), Some(1));
        // What serves is what is said to run; neither is a person's change.
        let serves = usize::from(behaviour == Behaviour::FailsCheck);
        assert_eq!((world.running(), world.good()), (Some(serves), Some(0)));
        assert_eq!(world.record.holds.len(), 1);
        world.push(Behaviour::Crashes);
        world.automatic_rollback = true;
        world.settle();
        assert_eq!(world.image_number(), Some(0), "the last good one, not the failed one");
    }
}

#[test]
fn a_way_back_that_fails_too_is_an_end_and_says_so() {
    for behaviour in [Behaviour::Crashes, Behaviour::NeverReady] {
        let mut world = rolling(Behaviour::Crashes);
        world.until(Reason::RollingBack);
        world.releases[0].1 = behaviour;
        let decision = world.until(Reason::Failed);
        assert!(decision.message.contains("going back to sha-0000000"), "{}", decision.message);
        assert_eq!(world.record.history[0].phase, Phase::Failed);
        world.settle();
        assert_eq!(world.image_number(), Some(0));
        assert_eq!(world.record.holds.len(), 1, "only what failed first");
    }
}

#[test]
fn the_way_back_never_leaves_the_policy_s_repository() {
    let mut world = World::new();
    world.set_image(foreign().image());
    world.releases[0].1 = Behaviour::Crashes;
    let decision = world.until(Reason::Failed);
    assert!(decision.message.contains("is not in the policy's repository"), "{}", decision.message);
    assert_eq!(world.record.history[0].previous.as_ref().unwrap().digest, foreign().digest);
    assert!(world.written.iter().all(|image| image.repository() == &super::world::repository()));
}

#[test]
fn a_rollout_goes_to_its_end_when_suspended() {
    for (behaviour, end) in [(Behaviour::Good, 1), (Behaviour::Crashes, 0)] {
        let mut world = rolling(behaviour);
        world.until(Reason::Progressing);
        world.suspended = true;
        world.push(Behaviour::Good);
        world.wait(1);
        let decision = world.decide();
        assert!(decision.message.contains("suspended: this rollout goes to its end"));
        assert_eq!(world.settle().reason, Reason::Suspended);
        assert_eq!(world.image_number(), Some(end));
    }
}

#[test]
fn a_workload_that_vanishes_ends_its_rollout_in_time_and_blames_no_release() {
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Progressing);
    world.absent = Some(WorkloadState::Missing { target: "Deployment app/api-gateway".to_owned() });
    assert_eq!(world.steps().0.reason, Reason::WorkloadMissing);
    world.until(Reason::Failed);
    assert!(!world.holds(1));
    assert_eq!(world.settle().reason, Reason::WorkloadMissing);
    world.absent = None;
    world.settle();
    assert_eq!(world.running(), Some(1));
}

#[test]
fn an_unreadable_workload_ends_nothing() {
    let mut world = rolling(Behaviour::Good);
    world.until(Reason::Progressing);
    world.absent = Some(WorkloadState::Unreadable { message: "timed out".to_owned() });
    world.wait(100_000);
    let (decision, steps) = world.steps();
    assert_eq!((decision.reason, steps), (Reason::WorkloadUnreadable, 1));
    assert!(decision.record.rollout.is_some());
}
