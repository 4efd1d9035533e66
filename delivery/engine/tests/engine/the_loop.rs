//! The whole loop over a world in memory: deployed, proven, taken back, held; killed anywhere, it goes on.

use std::time::Duration;

use crate::world::{Behaviour, World, app, wishes};
use mercurious_core::{
    decide::Ask,
    rollout::{Actor, Phase, Record},
};
use mercurious_engine::{Engine, EngineHandle};
use mercurious_runtime::Tasks;

struct Run {
    tasks: Tasks,
    handle: EngineHandle,
}

fn start(world: &World) -> Run {
    let tasks = Tasks::new();
    let handle = Engine::start(wishes(), &world.ports(), &tasks).unwrap();
    Run { tasks, handle }
}

impl Run {
    async fn stop(self) {
        assert_eq!(self.tasks.shut_down(Duration::from_secs(10)).await, 0);
    }
}

/// Waits until the record is as wanted; level-triggered and bounded.
async fn until(world: &World, what: &str, wanted: impl Fn(&Record) -> bool) {
    for _ in 0..2000 {
        if wanted(&world.record()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}; {:#?}", world.record());
}

fn ended(record: &Record, count: usize) -> bool {
    record.history.len() == count && record.rollout.is_none()
}

fn runs(record: &Record, tag: &str) -> bool {
    record.rollout.is_none()
        && record
            .running
            .as_ref()
            .and_then(|running| running.release.tag.as_ref())
            .is_some_and(|own| own.as_str() == tag)
}

#[tokio::test]
async fn a_pushed_image_is_deployed_by_digest_and_proven() {
    let world = World::new();
    let release = world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "deployed", |record| runs(record, "sha-0000001") && record.last_good.is_some())
        .await;
    let image = world.home.image.lock().unwrap().clone();
    assert_eq!(image, format!("registry.test/team/api-gateway:sha-0000001@{}", release.digest));
    assert_eq!(world.record().history[0].phase, Phase::Succeeded);
    run.stop().await;
}

#[tokio::test]
async fn bad_releases_are_taken_back_and_held_and_the_next_good_one_goes_out() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "v1", |record| runs(record, "sha-0000001")).await;
    let mut second = 1;
    for (behaviour, tag) in [
        (Behaviour::Crashes, "sha-0000002"),
        (Behaviour::NeverReady, "sha-0000003"),
        (Behaviour::FailsCheck, "sha-0000004"),
    ] {
        second += 1;
        let before = world.record().history.len();
        let digest = mercurious_core::image::Digest::of(
            format!("{:?} {second}", [tag, "latest"]).as_bytes(),
        );
        world.home.behaviours.lock().unwrap().insert(digest.clone(), behaviour);
        let release = world.registry.push(&[tag, "latest"], second);
        assert_eq!(release.digest, digest);
        until(&world, tag, |record| ended(record, before + 1)).await;
        let record = world.record();
        assert_eq!(record.history[0].phase, Phase::RolledBack, "{:#?}", record.history[0]);
        assert!(record.hold_on(&digest).is_some());
        assert!(runs(&record, "sha-0000001"));
    }
    world.registry.push(&["sha-0000005", "latest"], 5);
    until(&world, "v5", |record| runs(record, "sha-0000005")).await;
    run.stop().await;
}

#[tokio::test]
async fn r14_a_rollback_is_not_undone() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "v1", |record| runs(record, "sha-0000001")).await;
    let second = world.registry.push(&["sha-0000002", "latest"], 2);
    until(&world, "v2", |record| runs(record, "sha-0000002")).await;
    run.handle.ask(&app(), Ask::Rollback(None), Actor("ada".into())).await.unwrap();
    until(&world, "back", |record| runs(record, "sha-0000001")).await;
    for _ in 0..3 {
        run.handle.scan(&app()).await.unwrap();
    }
    let record = world.record();
    assert!(runs(&record, "sha-0000001"));
    assert_eq!(record.hold_on(&second.digest).unwrap().by, Actor("ada".into()));
    world.registry.push(&["sha-0000003", "latest"], 3);
    until(&world, "v3", |record| runs(record, "sha-0000003")).await;
    run.stop().await;
}

#[tokio::test]
async fn nothing_to_do_is_silent() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "v1", |record| runs(record, "sha-0000001")).await;
    run.handle.scan(&app()).await.unwrap();
    let writes = world.store.writes.load(std::sync::atomic::Ordering::SeqCst);
    let applied = world.home.applied.lock().unwrap().len();
    let events = world.notifier.0.lock().unwrap().len();
    for _ in 0..3 {
        run.handle.scan(&app()).await.unwrap();
    }
    assert_eq!(world.store.writes.load(std::sync::atomic::Ordering::SeqCst), writes);
    assert_eq!(world.home.applied.lock().unwrap().len(), applied);
    assert_eq!(
        world.notifier.0.lock().unwrap().len(),
        events,
        "{:#?}",
        world.notifier.0.lock().unwrap()
    );
    run.stop().await;
}

/// Kills the engine at the n-th call of a rollout, for every n, and starts another one.
async fn killed_anywhere(behaviour: Behaviour, expected: &str) {
    let mut at = 1;
    loop {
        let world = World::new();
        world.registry.push(&["sha-0000001", "latest"], 1);
        let run = start(&world);
        until(&world, "v1", |record| runs(record, "sha-0000001")).await;
        run.handle.scan(&app()).await.unwrap();
        let history = world.record().history.len();
        let digest = mercurious_core::image::Digest::of(
            format!("{:?} 2", ["sha-0000002", "latest"]).as_bytes(),
        );
        world.home.behaviours.lock().unwrap().insert(digest, behaviour);
        world.crash.arm(at);
        world.registry.push(&["sha-0000002", "latest"], 2);
        let over = tokio::select! {
            () = world.crash.reached.notified() => false,
            () = until(&world, "end", |record| ended(record, history + 1)) => true,
        };
        let passed = world.crash.passed();
        // `kill -9`: nothing that the tasks still wanted to do happens.
        run.tasks.stop();
        drop(run);
        world.crash.arm(0);
        let run = start(&world);
        until(&world, "converged", |record| ended(record, history + 1) && runs(record, expected))
            .await;
        let applied = world.home.applied.lock().unwrap().clone();
        let doubled = applied.windows(2).any(|pair| pair[0] == pair[1]);
        assert!(!doubled, "killed at {at}: {applied:#?}");
        run.stop().await;
        if over {
            assert!(passed > 8, "the rollout passed only {passed} crash points");
            return;
        }
        at += 1;
    }
}

#[tokio::test]
async fn killed_at_every_step_of_a_good_rollout_it_converges() {
    killed_anywhere(Behaviour::Good, "sha-0000002").await;
}

#[tokio::test]
async fn killed_at_every_step_of_going_back_it_converges() {
    killed_anywhere(Behaviour::Crashes, "sha-0000001").await;
}

#[tokio::test]
async fn a_person_suspends_and_nothing_moves() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "v1", |record| runs(record, "sha-0000001")).await;
    run.handle.suspend(&app(), true).await.unwrap();
    world.registry.push(&["sha-0000002", "latest"], 2);
    let view = run.handle.scan(&app()).await.unwrap();
    assert_eq!(view.decision.reason, mercurious_core::decide::Reason::Suspended);
    assert!(runs(&world.record(), "sha-0000001"));
    run.handle.suspend(&app(), false).await.unwrap();
    until(&world, "v2", |record| runs(record, "sha-0000002")).await;
    run.stop().await;
}

#[tokio::test]
async fn a_person_s_own_change_is_respected() {
    let world = World::new();
    let first = world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    until(&world, "v1", |record| runs(record, "sha-0000001")).await;
    let second = world.registry.push(&["sha-0000002", "latest"], 2);
    until(&world, "v2", |record| runs(record, "sha-0000002")).await;
    world.home.set_image(&format!("registry.test/team/api-gateway:sha-0000001@{}", first.digest));
    until(&world, "held", |record| record.hold_on(&second.digest).is_some()).await;
    run.handle.scan(&app()).await.unwrap();
    assert!(world.home.image.lock().unwrap().contains("sha-0000001"));
    run.stop().await;
}
