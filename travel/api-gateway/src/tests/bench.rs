//! The interface over a store in memory, asked in-process.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{self, Method, Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt as _;
use mercurious_contracts::JobId;
use mercurious_runtime::CancellationToken;
use serde_json::Value;
use tower::ServiceExt as _;

use super::TestClock;
use crate::{
    http::{App, HttpSettings, Readiness, router},
    job::Input,
    limits::{LocalLimits, Rate},
    metrics::Metrics,
    service::{Applied, Jobs, Retention, Times},
    store::{SqliteStore, Store},
};

pub(crate) struct Bench {
    pub(crate) router: Router,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) stopping: CancellationToken,
}

pub(crate) fn times() -> Times {
    Times {
        deadline: Duration::from_mins(5),
        retention: Retention { jobs: Duration::from_hours(168), keys: Duration::from_hours(24) },
    }
}

pub(crate) fn http_settings() -> HttpSettings {
    HttpSettings {
        version: "api-gateway v1 (abc)\n".to_owned(),
        origins: vec!["https://gotravelyzer.com".parse().unwrap()],
        proxies: 0,
        streams: 2,
        keep_alive: Duration::from_secs(15),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(SqliteStore::in_memory().unwrap()), 0.0)
    }

    /// Over a store, with a rate limit.
    pub(crate) fn over(store: Arc<dyn Store>, per_second: f64) -> Self {
        let clock = Arc::new(TestClock::default());
        let metrics = Arc::new(Metrics::new());
        let jobs = Arc::new(Jobs::new(store, Arc::clone(&clock) as _, metrics, times(), None));
        let rate = Rate { per_second, burst: 3 };
        let limits = Arc::new(LocalLimits::new(rate, Arc::clone(&clock) as _));
        let stopping = CancellationToken::new();
        let readiness = Readiness { consumer: None, stopping: stopping.clone() };
        let app = App::new(Arc::clone(&jobs), limits, http_settings(), readiness);
        Self { router: router(app), jobs, clock, stopping }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        read(self.send(request).await).await
    }

    pub(crate) async fn post(&self, body: &Value) -> (StatusCode, Value) {
        read(self.send(posting().body(Body::from(body.to_string())).unwrap()).await).await
    }

    /// Asks for a trip; the job.
    pub(crate) async fn accepted(&self, body: &Value) -> JobId {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        answer["job_id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn apply(&self, job: JobId, input: Input) {
        let applied = self.jobs.apply(job, input).await.unwrap();
        assert!(matches!(applied, Applied::Changed(_)), "{applied:?}");
    }
}

/// A request for a trip, without its body.
pub(crate) fn posting() -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri("/v1/trips")
        .header("content-type", "application/json")
}

pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
