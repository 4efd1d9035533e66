use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::json;

use crate::{
    http::openapi_json,
    store::SqliteStore,
    tests::{
        bench::{Bench, posting, read},
        fixtures::request_json,
    },
};

#[tokio::test]
async fn the_root_is_the_version() {
    let (status, text) = Bench::new().get("/").await;
    assert_eq!((status, text), (StatusCode::OK, json!("api-gateway v1 (abc)\n")));
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_accepted_and_the_replica_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.db");
    let bench = Bench::over(Arc::new(SqliteStore::open(&path).unwrap()), 0.0);
    assert_eq!(bench.get("/ready").await.0, StatusCode::OK);
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE jobs").unwrap();
    let request = posting().body(Body::from(request_json().to_string())).unwrap();
    let response = bench.send(request).await;
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    let (status, problem) = read(response).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
    );
    assert!(!problem.to_string().contains("jobs"), "inner words stay inside: {problem}");
    assert_eq!(bench.get("/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(bench.get("/health").await.0, StatusCode::OK, "starting again would not help");
}

#[tokio::test]
async fn who_stops_is_not_ready_and_still_answers() {
    let bench = Bench::new();
    bench.stopping.cancel();
    let (status, report) = bench.get("/ready").await;
    assert_eq!(
        (status, &report["faults"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(["stopping"]))
    );
    bench.accepted(&request_json()).await;
}

#[tokio::test]
async fn who_asks_too_fast_is_told_when_to_go_on() {
    let bench = Bench::over(Arc::new(SqliteStore::in_memory().unwrap()), 0.5);
    for _ in 0..3 {
        assert_eq!(bench.get("/v1/jobs/none").await.0, StatusCode::NOT_FOUND);
    }
    let request = || Request::get("/v1/jobs/none").body(Body::empty()).unwrap();
    let response = bench.send(request()).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    assert_eq!(bench.get("/health").await.0, StatusCode::OK, "probes are not limited");
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(bench.send(request()).await.status(), StatusCode::NOT_FOUND);
    let (_, text) = bench.get("/metrics").await;
    assert!(text.as_str().unwrap().contains("gateway_rate_limit_hits_total 1"), "{text}");
}

#[tokio::test]
async fn pages_of_the_named_sites_may_ask_and_others_not() {
    let bench = Bench::new();
    let preflight = |origin: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri("/v1/trips")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,idempotency-key");
        bench.send(request.body(Body::empty()).unwrap())
    };
    let allowed = preflight("https://gotravelyzer.com").await;
    let name = header::ACCESS_CONTROL_ALLOW_ORIGIN;
    assert_eq!(allowed.headers()[&name], "https://gotravelyzer.com");
    assert!(!preflight("https://evil.example").await.headers().contains_key(&name));
}

#[tokio::test]
async fn metrics_name_routes_and_not_paths() {
    let bench = Bench::new();
    let job = bench.accepted(&request_json()).await;
    bench.get(&format!("/v1/jobs/{job}")).await;
    bench.get("/v1/made/up").await;
    let (_, text) = bench.get("/metrics").await;
    let text = text.as_str().unwrap();
    for line in [
        "http_requests_total{method=\"GET\",endpoint=\"/v1/jobs/{id}\",status=\"200\"} 1",
        "http_requests_total{method=\"GET\",endpoint=\"none\",status=\"404\"} 1",
        "gateway_jobs_accepted_total 1",
        "gateway_outbox_messages 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains(&job.to_string()));
}

#[tokio::test]
async fn the_description_is_the_committed_one() {
    let (_, served) = Bench::new().get("/openapi.json").await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api-gateway.openapi.json");
    let made = openapi_json().unwrap();
    assert_eq!(served, serde_json::from_str::<serde_json::Value>(&made).unwrap());
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(&made).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|one| one["operationId"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two operations have one name: {names:?}");
    assert!(committed == made, "{path} is old: run `cargo xtask generate`");
}
