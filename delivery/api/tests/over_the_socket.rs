//! A real engine over a world in memory, steered over its socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, unreachable_pub, reason = "the engine's own tests use it as it is")]
#[path = "../../engine/tests/engine/world/mod.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use mercurious_api::{ApiClient, ApiServer, Change, ClientError, Live, serve_unix};
use mercurious_core::{decide::Reason, rollout::Phase};
use mercurious_engine::{Engine, EventBus};
use mercurious_runtime::Tasks;
use secrecy::SecretString;
use tokio::net::UnixListener;
use world::{World, wishes};

struct Run {
    tasks: Tasks,
    client: ApiClient,
    directory: tempfile::TempDir,
}

fn start(world: &World) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let tasks = Tasks::new();
    let events = EventBus::default();
    let ports = mercurious_engine::Ports { notifier: Arc::new(events.clone()), ..world.ports() };
    let handle = Engine::start(wishes(), &ports, &tasks).unwrap();
    let token = Arc::new(SecretString::from("t0ken"));
    std::fs::write(directory.path().join("token"), "t0ken\n").unwrap();
    let router = ApiServer { handle, events, token, stopping: tasks.stopping() }.router();
    let listener = UnixListener::bind(directory.path().join("api.sock")).unwrap();
    let stopping = tasks.stopping();
    tasks.spawn("api", async move { serve_unix(listener, router, stopping).await.unwrap() });
    Run { tasks, client: ApiClient::new(directory.path()), directory }
}

const NAME: &str = "api-gateway";

fn problem(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Problem(problem) => (problem.status, problem.code),
        other => panic!("not a problem of the API: {other}"),
    }
}

#[tokio::test]
async fn what_runs_is_seen_steered_and_explained() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    let client = &run.client;

    let views = client.sync().await.unwrap();
    let status = views[0].object.status.clone().unwrap();
    assert_eq!(status.history[0].phase, Phase::Succeeded);
    assert_eq!(client.history(NAME).await.unwrap(), status.history);
    let chosen: Vec<_> = client
        .explain(NAME)
        .await
        .unwrap()
        .tags
        .into_iter()
        .filter(|tag| tag.chosen)
        .map(|tag| tag.tag)
        .collect();
    assert_eq!(chosen, ["sha-0000001"]);
    assert!(!client.audit(5).await.unwrap().is_empty());
    assert_eq!(client.logs("app/api-gateway", 5).await.unwrap(), Vec::<String>::new());

    let by = || Change { by: Some("ada".to_owned()), ..Change::default() };
    let held = client
        .change(NAME, "hold", &Change { reason: Some("looks odd".to_owned()), ..by() })
        .await
        .unwrap();
    assert_eq!(held.decision.reason, Reason::Obeyed);
    let hold = held.object.status.unwrap().holds.remove(0);
    assert_eq!((hold.reason.as_str(), hold.by.0.as_str()), ("looks odd", "ada"));

    let resumed = client.change(NAME, "resume", &by()).await.unwrap();
    assert!(resumed.object.status.unwrap().holds.is_empty());
    assert!(client.change(NAME, "suspend", &by()).await.unwrap().suspended);
    assert!(
        !client.change(NAME, "resume", &by()).await.unwrap().suspended,
        "nothing was held, and it goes on"
    );
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn refusals_have_codes_and_without_the_token_nothing_changes() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    run.client.sync().await.unwrap();

    let nothing = Change::default();
    assert_eq!(
        problem(run.client.show("nobody").await.unwrap_err()),
        (404, "no-auto-deploy".to_owned())
    );
    let nowhere = run.client.change(NAME, "rollback", &nothing).await.unwrap_err();
    assert_eq!(problem(nowhere), (409, "refused".to_owned()));
    let foreign =
        Change { release: Some("registry.test/other/app:v1".to_owned()), ..Change::default() };
    let foreign = run.client.change(NAME, "deploy", &foreign).await.unwrap_err();
    assert_eq!(problem(foreign), (400, "foreign-repository".to_owned()));

    std::fs::write(run.directory.path().join("token"), "guess").unwrap();
    let refused = run.client.change(NAME, "suspend", &nothing).await.unwrap_err();
    assert_eq!(problem(refused), (401, "token".to_owned()));
    assert!(!run.client.show(NAME).await.unwrap().suspended);
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn the_live_stream_begins_with_everything_and_ends_with_the_engine() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    run.client.sync().await.unwrap();
    let mut follow = run.client.follow().await.unwrap();
    match follow.next().await.unwrap() {
        Some(Live::Snapshot(views)) => assert_eq!(views.len(), 1),
        other => panic!("not a snapshot: {other:?}"),
    }
    run.client.change(NAME, "suspend", &Change::default()).await.unwrap();
    loop {
        match follow.next().await.unwrap() {
            Some(Live::Event(event)) if format!("{:?}", event.kind).contains("Suspended") => break,
            Some(_) => {}
            None => panic!("the stream ended before it told of the suspension"),
        }
    }
    // An open stream does not keep the engine from stopping.
    assert_eq!(run.tasks.shut_down(Duration::from_secs(10)).await, 0);
    while follow.next().await.unwrap().is_some() {}
}

#[tokio::test]
async fn where_nothing_listens_the_error_says_what_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = ApiClient::new(directory.path()).list().await.unwrap_err().to_string();
    assert!(error.contains("no `mercurious up` is running with data directory"), "{error}");
    assert!(error.contains("start it with `mercurious up`"), "{error}");
}
