//! A real engine over a world in memory, steered over its socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, unreachable_pub, reason = "the engine's own tests use it as it is")]
#[path = "../../engine/tests/engine/world/mod.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use mercurious_api::{
    ApiClient, ApiServer, Change, ClientError, Live, LogEvent, ManifestWarning, UnsteeredWorkload,
    UnsteeredWorkloads, Verb, serve,
};
use mercurious_core::{decide::Reason, resources::ObjectName, rollout::Phase};
use mercurious_engine::{Engine, EventBus, WorkloadView, ports::LogTail};
use mercurious_runtime::Tasks;
use secrecy::SecretString;
use tokio::net::UnixListener;
use world::{World, wishes};

struct Run {
    tasks: Tasks,
    client: ApiClient,
    directory: tempfile::TempDir,
}

/// A Deployment that no auto-deploy names.
struct OneMore;

impl UnsteeredWorkloads for OneMore {
    fn list(&self) -> Vec<UnsteeredWorkload> {
        let workload = WorkloadView {
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
            desired: 1,
            ready: 1,
            ..WorkloadView::default()
        };
        vec![UnsteeredWorkload { namespace: "app".to_owned(), workload }]
    }

    fn log_tail(&self, name: &ObjectName, _: usize) -> Option<LogTail> {
        (&*name.name == "web").then(|| LogTail {
            lines: vec!["web listens".to_owned()],
            coming: tokio::sync::broadcast::channel(1).1,
        })
    }
}

fn start(world: &World) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let tasks = Tasks::new();
    let events = EventBus::default();
    let ports = mercurious_engine::Ports { notifier: Arc::new(events.clone()), ..world.ports() };
    let handle = Engine::start(wishes(), &ports, &tasks).unwrap();
    let token = Arc::new(SecretString::from("t0ken"));
    std::fs::write(directory.path().join("token"), "t0ken\n").unwrap();
    let warnings = Arc::new([ManifestWarning {
        kind: "Downtime".to_owned(),
        origin: "app.yaml:3:1".to_owned(),
        subject: "Deployment app/api-gateway: spec.strategy".to_owned(),
        message: "odd".to_owned(),
    }]);
    let stopping = tasks.stopping();
    let router =
        ApiServer { handle, events, token, warnings, unsteered: Arc::new(OneMore), stopping }
            .router();
    let listener = UnixListener::bind(directory.path().join("api.sock")).unwrap();
    let stopping = tasks.stopping();
    tasks.spawn("api", async move { serve(listener, router, stopping).await.unwrap() });
    Run { tasks, client: ApiClient::new(directory.path()), directory }
}

const PATIENCE: Duration = Duration::from_mins(1);
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

    let views = client.sync(&[], PATIENCE).await.unwrap();
    let status = views[0].object.status.clone().unwrap();
    assert_eq!(status.history[0].phase, Phase::Succeeded);
    assert_eq!(client.history(NAME).await.unwrap(), *status.history);
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
        .change(NAME, Verb::Hold, &Change { reason: Some("looks odd".to_owned()), ..by() })
        .await
        .unwrap();
    assert_eq!(held.decision.reason, Reason::Obeyed);
    let hold = held.object.status.unwrap().holds[0].clone();
    assert_eq!((hold.reason.as_str(), hold.by.0.as_str()), ("looks odd", "ada"));

    assert!(client.change(NAME, Verb::Suspend, &by()).await.unwrap().suspended);
    let resumed = client.change(NAME, Verb::Resume, &by()).await.unwrap();
    assert!(!resumed.suspended && resumed.decision.message.contains("not suspended any more"));
    assert_eq!(
        resumed.object.status.unwrap().holds.len(),
        1,
        "the end of a suspension lifts no hold"
    );
    let resumed = client.change(NAME, Verb::Resume, &by()).await.unwrap();
    assert!(resumed.object.status.unwrap().holds.is_empty());
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn refusals_have_codes_and_without_the_token_nothing_changes() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    run.client.sync(&[], PATIENCE).await.unwrap();

    let nothing = Change::default();
    assert_eq!(
        problem(run.client.show("nobody").await.unwrap_err()),
        (404, "no-auto-deploy".to_owned())
    );
    let nowhere = run.client.change(NAME, Verb::Rollback, &nothing).await.unwrap_err();
    assert_eq!(problem(nowhere), (409, "refused".to_owned()));
    let foreign =
        Change { release: Some("registry.test/other/app:v1".to_owned()), ..Change::default() };
    let foreign = run.client.change(NAME, Verb::Deploy, &foreign).await.unwrap_err();
    assert_eq!(problem(foreign), (400, "foreign-repository".to_owned()));

    std::fs::write(run.directory.path().join("token"), "guess").unwrap();
    let refused = run.client.change(NAME, Verb::Suspend, &nothing).await.unwrap_err();
    assert_eq!(problem(refused), (401, "token".to_owned()));
    assert!(!run.client.show(NAME).await.unwrap().suspended);
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_workload_without_an_auto_deploy_is_seen_and_its_log_is_read() {
    let run = start(&World::new());
    let found = run.client.unsteered().await.unwrap();
    assert_eq!((found[0].namespace.as_str(), found[0].workload.name.as_str()), ("app", "web"));
    for name in ["web", "app/web"] {
        assert_eq!(run.client.logs(name, 5).await.unwrap(), ["web listens"]);
    }
    match run.client.show("web").await.unwrap_err() {
        ClientError::Problem(problem) => {
            assert_eq!(problem.code, "no-auto-deploy");
            assert!(problem.detail.contains("Deployment app/web"), "{}", problem.detail);
        }
        other => panic!("not a problem of the API: {other}"),
    }
    let elsewhere = run.client.logs("other/web", 5).await.unwrap_err();
    assert_eq!(problem(elsewhere), (404, "no-auto-deploy".to_owned()));
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn the_live_stream_begins_with_everything_and_ends_with_the_engine() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    run.client.sync(&[], PATIENCE).await.unwrap();
    let mut follow = run.client.follow().await.unwrap();
    match follow.next().await.unwrap() {
        Some(Live::Snapshot(views)) => assert_eq!(views.len(), 1),
        other => panic!("not a snapshot: {other:?}"),
    }
    run.client.change(NAME, Verb::Suspend, &Change::default()).await.unwrap();
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
async fn a_log_is_followed_from_what_was_there_to_what_comes() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    world.home.lines.lock().unwrap().push("before".to_owned());
    let run = start(&world);
    let mut log = run.client.follow_logs(NAME, 10).await.unwrap();
    assert_eq!(log.next().await.unwrap(), Some(LogEvent::Line("before".to_owned())));
    world.home.coming.send("after".to_owned()).unwrap();
    assert_eq!(log.next().await.unwrap(), Some(LogEvent::Line("after".to_owned())));
    assert_eq!(run.client.logs(NAME, 10).await.unwrap(), ["before"]);
    assert_eq!(run.tasks.shut_down(Duration::from_secs(10)).await, 0);
    assert_eq!(log.next().await.unwrap(), None);
}

#[tokio::test]
async fn the_checklist_is_ticked_from_evidence_and_an_error_in_a_log_unticks_it() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    run.client.sync(&[], PATIENCE).await.unwrap();

    let good = run.client.verify(NAME).await.unwrap();
    assert!(good.verified, "{good:#?}");
    let codes: Vec<&str> = good.boxes.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["tag", "repository", "policy", "replicas", "checks", "logs"]);
    assert!(good.boxes.iter().all(|it| !it.evidence.is_empty()));

    world.home.lines.lock().unwrap().push("api-1: ERROR no broker".to_owned());
    let bad = run.client.verify(NAME).await.unwrap();
    let unticked: Vec<_> = bad.boxes.iter().filter(|it| !it.passed).collect();
    assert_eq!(unticked.len(), 1, "{unticked:#?}");
    assert!(unticked[0].evidence.iter().any(|line| line.contains("no broker")));

    world.registry.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    let blind = run.client.verify(NAME).await.unwrap();
    let evidence = &blind.boxes[0];
    assert!(!evidence.passed && evidence.evidence[0].contains("503"), "{evidence:?}");
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn wrong_paths_queries_and_names_are_problems_that_say_what_was_meant() {
    let world = World::new();
    world.registry.push(&["sha-0000001", "latest"], 1);
    let run = start(&world);
    let error = run.client.show("api-gatewy").await.unwrap_err();
    assert!(error.to_string().contains("did you mean app/api-gateway?"), "{error}");
    let odd = run.client.show("../audit").await.unwrap_err();
    assert_eq!(problem(odd), (404, "no-auto-deploy".to_owned()));
    let late = run.client.settled(NAME, Duration::ZERO).await;
    assert!(late.is_ok() || problem(late.unwrap_err()) == (504, "still-waiting".to_owned()));
    assert_eq!(run.client.warnings().await.unwrap()[0].message, "odd");
    run.tasks.shut_down(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn where_nothing_listens_the_error_says_what_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = ApiClient::new(directory.path()).list().await.unwrap_err().to_string();
    assert!(error.contains("no `mercurious up` is running with data directory"), "{error}");
    assert!(error.contains("start it with `mercurious up`"), "{error}");
}
