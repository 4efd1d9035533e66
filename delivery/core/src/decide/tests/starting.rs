use super::world::{BAKE, Behaviour, Look, World, foreign, release};
use crate::{
    decide::{Candidate, Comparison, Decision, Effect, Reason, WorkloadState, decide},
    rollout::{Actor, Kind, Phase, Trigger},
};

fn nothing_moves(world: &mut World, reason: Reason, says: &str) -> Decision {
    let (decision, _) = world.steps();
    assert_eq!(decision.reason, reason, "{decision:#?}");
    assert!(decision.message.contains(says), "{}", decision.message);
    assert_eq!(decision.effect, None);
    assert_eq!(decision.record.rollout, None);
    decision
}

#[test]
fn a_newer_image_starts_a_rollout_that_is_written_down_before_anything_moves() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    let decision = world.decide();
    assert_eq!(decision.reason, Reason::Starting);
    assert_eq!(decision.message, "sha-0000001 replaces sha-0000000: built last");
    let rollout = decision.record.rollout.clone().unwrap();
    assert_eq!(
        (rollout.phase, rollout.kind, rollout.trigger),
        (Phase::Pending, Kind::Deploy, Trigger::NewImage)
    );
    assert_eq!((rollout.release, rollout.previous), (release(1), Some(release(0))));
    assert_eq!((rollout.id.0, rollout.by), (decision.record.rollouts, Actor::engine()));
    let image = format!("registry.test/team/api-gateway:sha-0000001@{}", release(1).digest);
    assert_eq!(
        decision.effect,
        Some(Effect::SetImage { container: Some("app".to_owned()), image: image.parse().unwrap() })
    );
}

#[test]
fn every_reason_not_to_start_is_said() {
    let start = || {
        let mut world = World::settled();
        world.push(Behaviour::Good);
        world
    };
    let mut world = start();
    world.suspended = true;
    nothing_moves(
        &mut world,
        Reason::Suspended,
        "sha-0000001 is not deployed by itself until this is lifted",
    );
    let mut world = start();
    world.look = Look::Fails;
    nothing_moves(&mut world, Reason::LookFailed, "503 from registry.test; sha-0000000 stays");
    let mut world = start();
    world.look = Look::NotYet;
    nothing_moves(&mut world, Reason::Waiting, "first look; sha-0000000 stays until then");
    let mut world = start();
    world.look = Look::MatchesNothing;
    nothing_moves(&mut world, Reason::PolicyEmpty, "none of 4 tags");
    let mut world = start();
    world.look = Look::SelectsForeign;
    nothing_moves(&mut world, Reason::ForeignRepository, "elsewhere.test");
    let mut world = start();
    world.paused = true;
    nothing_moves(&mut world, Reason::Paused, "paused");
    let mut world = start();
    world.absent = Some(WorkloadState::Unreadable { message: "forbidden".to_owned() });
    let decision = nothing_moves(&mut world, Reason::WorkloadUnreadable, "forbidden");
    assert!(decision.again_in.is_some());
    let mut world = World::with_two();
    world.selects = Some(0);
    nothing_moves(&mut world, Reason::Older, "sha-0000000 is older than sha-0000001");
    let mut world = World::settled();
    nothing_moves(&mut world, Reason::UpToDate, "sha-0000000 runs and is the newest");
}

#[test]
fn a_failed_or_empty_look_does_not_disturb_a_rollout_at_work() {
    for look in [Look::Fails, Look::MatchesNothing, Look::SelectsForeign, Look::SelectsUnusable] {
        let mut world = World::settled();
        world.push(Behaviour::Good);
        world.until(Reason::Progressing);
        world.look = look;
        world.settle();
        assert_eq!(world.running(), Some(1), "{look:?}");
    }
}

#[test]
fn a_newer_push_waits_for_the_rollout_at_work() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.until(Reason::Progressing);
    world.push(Behaviour::Good);
    world.until(Reason::Succeeded);
    assert_eq!(world.running(), Some(1));
    world.settle();
    assert_eq!(world.running(), Some(2));
}

#[test]
fn only_what_is_newer_than_every_hold_goes_out() {
    // Release 2 failed and is held; release 1 was never deployed; then the policy falls back to it.
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.push(Behaviour::Crashes);
    world.settle();
    assert_eq!(world.running(), Some(0));
    world.selects = Some(1);
    nothing_moves(
        &mut world,
        Reason::Held,
        "sha-0000001 is not newer than sha-0000002, which is held by engine",
    );
    world.selects = None;
    world.push(Behaviour::Good);
    world.settle();
    assert_eq!(world.running(), Some(3));
}

#[test]
fn a_hold_that_the_comparison_does_not_know_yet_is_compared_by_build_time() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.push(Behaviour::Crashes);
    world.settle();
    world.selects = Some(1);
    let mut desired = world.desired();
    if let Candidate::Selected { versus_held, .. } = &mut desired.candidate {
        versus_held.clear();
    }
    assert_eq!(decide(&desired, &world.observed(), world.now).reason, Reason::Held);
    // The held one itself needs no comparison, whatever is known of its age.
    world.selects = None;
    let mut desired = world.desired();
    if let Candidate::Selected { versus_held, release, .. } = &mut desired.candidate {
        versus_held.clear();
        release.built_at = None;
    }
    let decision = decide(&desired, &world.observed(), world.now);
    assert_eq!(decision.reason, Reason::Held);
    assert!(
        decision.message.starts_with("sha-0000002 is held by engine since 2023-"),
        "{}",
        decision.message
    );
}

#[test]
fn where_the_order_cannot_tell_the_candidate_goes_out() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    let mut desired = world.desired();
    if let Candidate::Selected { versus_running, .. } = &mut desired.candidate {
        *versus_running = Comparison::Unknown;
    }
    assert_eq!(decide(&desired, &world.observed(), world.now).reason, Reason::Starting);
}

#[test]
fn a_candidate_elsewhere_is_refused_even_if_it_is_what_a_person_put_there() {
    let mut world = World::settled();
    world.set_image(foreign().image());
    world.look = Look::SelectsForeign;
    world.settle();
    nothing_moves(&mut world, Reason::ForeignRepository, "not in registry.test/team/api-gateway");
}

#[test]
fn at_first_sight_what_runs_is_adopted_and_held_against_nobody() {
    let mut world = World::new();
    world.set_image(release(0).image());
    world.look = Look::Fails;
    world.wait(BAKE - 1);
    let (decision, _) = world.steps();
    world.wait(BAKE - 1);
    world.steps();
    assert_eq!((world.running(), world.good()), (Some(0), None));
    assert!(decision.record.holds.is_empty());
    assert_eq!(decision.effect, None);
    world.settle();
    assert_eq!(world.good(), Some(0), "what baked is where rollback goes");
}

#[test]
fn an_adopted_release_that_never_gets_well_is_not_a_way_back() {
    let mut world = World::new();
    world.releases[0].1 = Behaviour::Crashes;
    world.set_image(release(0).image());
    let decision = world.settle();
    assert_eq!((world.running(), world.good()), (Some(0), None));
    assert_eq!(decision.waiting_on.as_deref(), Some("CrashLoopBackOff: exit code 1"));
}

#[test]
fn where_nothing_is_known_to_run_the_candidate_goes_out_without_a_way_back() {
    let mut world = World::new();
    world.set_image(format!("{}:not-pushed-yet", super::world::repository()));
    world.releases[0].1 = Behaviour::Crashes;
    let (decision, _) = world.step();
    let rollout = decision.record.rollout.unwrap();
    assert_eq!((rollout.trigger, rollout.previous), (Trigger::Pin, None));
    let decision = world.until(Reason::Failed);
    assert!(decision.message.contains("there is nothing to go back to"), "{}", decision.message);
    world.settle();
    assert!(world.holds(0));
    world.push(Behaviour::Good);
    world.settle();
    assert_eq!(world.running(), Some(1));
}
