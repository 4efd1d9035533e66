//! Wishes that come, change and go while the engine runs.

use std::{sync::Arc, time::Duration};

use crate::world::{World, app, wishes};
use mercurious_core::{duration::Span, rollout::Phase};
use mercurious_engine::{AskError, Engine, EngineHandle, Rest, Wishes};
use mercurious_runtime::Tasks;

async fn at_rest(handle: &EngineHandle) -> Rest {
    let mut rest = handle.rest(&app()).unwrap();
    let quiet = |rest: &Rest| matches!(rest, Rest::Quiet { looked_at: Some(_) });
    let quiet = tokio::time::timeout(Duration::from_secs(10), rest.wait_for(quiet));
    quiet.await.expect("never at rest").unwrap().clone()
}

#[tokio::test]
async fn a_wish_that_comes_is_taken_up_and_one_that_goes_is_left_where_it_is() {
    let world = World::new();
    let release = world.registry.push(&["sha-0000001", "latest"], 1);
    let tasks = Tasks::new();
    let handle = Engine::start(Wishes::default(), &world.ports(), &tasks).unwrap();
    assert!(handle.names().is_empty());
    assert!(matches!(handle.show(&app()).await, Err(AskError::NoAutoDeploy { .. })));

    handle.update(wishes()).unwrap();
    at_rest(&handle).await;
    assert_eq!(world.record().running.unwrap().release.digest, release.digest);

    handle.update(Wishes::default()).unwrap();
    assert!(handle.names().is_empty());
    world.registry.push(&["sha-0000002", "latest"], 2);
    handle.hint(None, "team/api-gateway", None);
    // The engine goes on: its tasks ended as they should.
    assert!(!tasks.stopping().is_cancelled());
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
    assert_eq!(world.record().running.unwrap().release.digest, release.digest);
}

#[tokio::test]
async fn a_wish_that_changes_is_followed_without_a_new_beginning() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let tasks = Tasks::new();
    let handle = Engine::start(wishes(), &world.ports(), &tasks).unwrap();
    at_rest(&handle).await;
    let resolves = world.registry.spent().1;
    assert!(resolves > 0);

    let mut changed = wishes();
    let wish = changed.auto_deploys.get_mut(&app()).unwrap();
    let spec = Arc::make_mut(&mut wish.auto_deploy.spec);
    spec.suspend = true;
    spec.rollout.bake = Span::seconds(0);
    handle.update(changed).unwrap();
    let mut view = handle.follow(&app()).unwrap();
    let suspended = view.wait_for(|view| view.as_ref().is_some_and(|view| view.suspended));
    tokio::time::timeout(Duration::from_secs(10), suspended).await.unwrap().unwrap();
    world.registry.push(&["sha-0000002", "latest"], 2);
    handle.scan(&app()).await.unwrap();
    let suspended = handle.show(&app()).await.unwrap();
    assert_eq!(suspended.decision.reason.to_string(), "Suspended");
    assert_eq!(world.record().rollouts, 1);

    handle.update(wishes()).unwrap();
    let mut view = handle.follow(&app()).unwrap();
    let second = view.wait_for(|view| {
        view.as_ref().and_then(|view| view.object.status.as_ref()).is_some_and(|status| {
            status.history.len() == 2 && status.history[0].phase == Phase::Succeeded
        })
    });
    tokio::time::timeout(Duration::from_secs(10), second).await.unwrap().unwrap();
    // What was resolved before the wish changed was not asked again.
    assert_eq!(world.registry.spent().1, 1);
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
}

#[tokio::test]
async fn a_repository_that_moves_is_looked_at_anew() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let tasks = Tasks::new();
    let handle = Engine::start(wishes(), &world.ports(), &tasks).unwrap();
    at_rest(&handle).await;
    world.registry.spent();
    let mut moved = wishes();
    for repository in moved.repositories.values_mut() {
        Arc::make_mut(&mut Arc::make_mut(repository).place).exclusions =
            vec!["^sha-0000001$".to_owned()];
    }
    handle.update(moved).unwrap();
    let mut view = handle.follow(&app()).unwrap();
    let empty = view.wait_for(|view| {
        view.as_ref().is_some_and(|view| view.decision.reason.to_string() == "PolicyEmpty")
    });
    tokio::time::timeout(Duration::from_secs(10), empty).await.expect("never anew").unwrap();
    assert!(world.registry.spent().2 > 0, "tags were not listed again");
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
}
