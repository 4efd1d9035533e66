use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;
use mercurious_contracts::{JobId, message::Stage};
use mercurious_runtime::{CancellationToken, Tasks};

use crate::{
    job::{Input, Step},
    store::SqliteStore,
    tests::{
        bench::{Bench, read},
        fixtures::{facts, itinerary, request_json},
    },
};

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    name: String,
    data: String,
}

/// A stream that is being read.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    /// Follows a job after the event that was seen last.
    async fn open(bench: &Bench, job: JobId, seen: Option<u64>) -> Self {
        let response = bench.send(following(job, seen)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { response, text: String::new() }
    }

    /// What comes next, comments included; none when the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let frame = self.response.body_mut().frame().await?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim_start().to_owned())
            };
            let (Some(id), Some(name), Some(data)) =
                (field("id:"), field("event:"), field("data:"))
            else {
                continue;
            };
            return Some(Event { id: id.parse().unwrap(), name, data });
        }
    }

    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn following(job: JobId, seen: Option<u64>) -> Request<Body> {
    let mut request = Request::get(format!("/v1/jobs/{job}/events"));
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen.to_string());
    }
    request.body(Body::empty()).unwrap()
}

fn progress(percent: u8) -> Input {
    let (step, stage) = (Step::Enrichment, Stage::Places);
    Input::Progress { step, percent, stage, message: "going on".to_owned(), day: None, attempt: 1 }
}

async fn live(bench: &Bench, job: JobId) {
    bench.apply(job, progress(30)).await;
    bench.apply(job, Input::Facts(facts())).await;
    bench.apply(job, Input::Itinerary(itinerary(3))).await;
}

#[tokio::test]
async fn a_stream_tells_everything_in_order_and_ends_with_the_job() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut reader = Reader::open(&bench, job, None).await;
    assert_eq!(reader.next().await.unwrap().name, "progress");
    let ((), rest) = tokio::join!(live(&bench, job), reader.rest());
    let names: Vec<_> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["progress", "progress", "day", "day", "day", "completed"]);
    let ids: Vec<_> = rest.iter().map(|event| event.id).collect();
    assert_eq!(ids, [2, 3, 4, 5, 6, 7]);
    assert!(rest[5].data.contains(&format!("/v1/trips/{job}")));
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_goes_on_at_another_replica() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    let store = || Arc::new(SqliteStore::open(&path).unwrap());
    let (one, other) = (Bench::over(store(), 0.0), Bench::over(store(), 0.0));
    let job = one.accepted(&request_json()).await;
    live(&one, job).await;
    let whole = Reader::open(&one, job, None).await.rest().await;
    for cut in 1..whole.len() {
        let rest = Reader::open(&other, job, Some(cut as u64)).await.rest().await;
        assert_eq!([&whole[..cut], &rest[..]].concat(), whole, "cut after {cut}");
    }
}

#[tokio::test]
async fn a_replica_hears_what_another_one_stored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    let store = || Arc::new(SqliteStore::open(&path).unwrap());
    let (one, other) = (Bench::over(store(), 0.0), Bench::over(store(), 0.0));
    let tasks = Tasks::new();
    let (hub, of, stop) = (other.jobs.hub.clone(), Arc::clone(&other.jobs.store), tasks.stopping());
    tasks.spawn("hub", async move { hub.watch(of, Duration::from_millis(5), stop).await });

    let job = one.accepted(&request_json()).await;
    let mut reader = Reader::open(&other, job, Some(1)).await;
    let (rest, ()) = tokio::join!(reader.rest(), live(&one, job));
    assert_eq!(rest.last().unwrap().name, "completed");
    assert_eq!(rest.len(), 6);
    tasks.shut_down(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn who_has_seen_everything_of_a_finished_job_is_not_to_come_back() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    live(&bench, job).await;
    assert_eq!(bench.send(following(job, Some(7))).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(bench.send(following(job, Some(99))).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(Reader::open(&bench, job, Some(6)).await.rest().await.len(), 1);
}

#[tokio::test]
async fn who_claims_to_have_seen_the_future_hears_of_it_all_the_same() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut reader = Reader::open(&bench, job, Some(99)).await;
    let ((), rest) = tokio::join!(live(&bench, job), reader.rest());
    assert_eq!(rest.first().unwrap().id, 2);
}

#[tokio::test]
async fn a_last_event_that_is_no_number_is_refused() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut request = following(job, None);
    request.headers_mut().insert("last-event-id", "seven".parse().unwrap());
    let (status, problem) = read(bench.send(request).await).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::BAD_REQUEST, Some("bad_last_event_id"))
    );
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut reader = Reader::open(&bench, job, Some(1)).await;
    assert_eq!(reader.block().await.unwrap(), "retry: 1000");
    // From here on time passes when nobody has anything to do.
    let waiting = tokio::time::timeout(Duration::ZERO, reader.block()).await;
    assert!(waiting.is_err(), "there is nothing to tell");
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(reader.block().await.unwrap(), ":");
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn streams_end_when_the_service_stops_and_their_number_is_bounded() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    let mut one = Reader::open(&bench, job, None).await;
    let two = Reader::open(&bench, job, None).await;
    let third = bench.send(following(job, None)).await;
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(two);
    let third = bench.send(following(job, None)).await;
    assert_eq!(third.status(), StatusCode::OK);
    drop(third);
    assert_eq!(one.next().await.unwrap().id, 1);
    let stopping: &CancellationToken = &bench.stopping;
    stopping.cancel();
    assert_eq!(one.next().await, None);
    drop(one);
    assert!(bench.jobs.hub.jobs().is_empty(), "nobody follows any more");
}
