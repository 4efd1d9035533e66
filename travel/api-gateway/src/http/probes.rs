use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;

/// How long the store may take to say that it works.
const PATIENCE: Duration = Duration::from_secs(2);
/// How old the consumer's last round may be.
const STUCK: Duration = Duration::from_mins(1);

/// What a probe found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    /// `ok`, or `not ok`.
    status: &'static str,
    /// What is not as it should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<&'static str>,
}

fn report(faults: Vec<&'static str>) -> Response {
    let (code, status) = if faults.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok")
    };
    let head = [(header::CACHE_CONTROL, "no-store")];
    (code, head, Json(Report { status, faults })).into_response()
}

/// The version that answers.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    responses((status = 200, description = "the version", body = String, content_type = "text/plain"))
)]
pub(super) async fn version(State(app): State<App>) -> String {
    app.settings.version.clone()
}

/// Whether the process should live on.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses(
        (status = 200, description = "it should", body = Report),
        (status = 503, description = "it is stuck and should be started again", body = Report),
    )
)]
pub(super) async fn health(State(app): State<App>) -> Response {
    let now = app.jobs.clock.now();
    let stuck =
        |status: &mercurious_messaging::Status| status.is_ready() && !status.is_alive(now, STUCK);
    let stuck = app.readiness.consumer.as_ref().is_some_and(stuck);
    report(if stuck { vec!["the consumer is stuck"] } else { Vec::new() })
}

/// Whether requests should be sent here.
///
/// A broker that goes away later does not change it: what is accepted is stored and sent when it is back.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "service",
    responses(
        (status = 200, description = "they should", body = Report),
        (status = 503, description = "they should not", body = Report),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> Response {
    let mut faults = Vec::new();
    if app.readiness.stopping.is_cancelled() {
        faults.push("stopping");
    }
    if app.readiness.consumer.as_ref().is_some_and(|status| !status.is_ready()) {
        faults.push("the broker has given this consumer no share yet");
    }
    match tokio::time::timeout(PATIENCE, app.jobs.store.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "not ready");
            faults.push("the store does not work");
        }
        Err(_) => faults.push("the store does not answer"),
    }
    report(faults)
}

/// What is counted, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    if let Ok(Ok(waiting)) = tokio::time::timeout(PATIENCE, app.jobs.store.waiting()).await {
        app.metrics.outbox.set(waiting as i64);
    }
    if let Some(status) = &app.readiness.consumer {
        app.metrics.consumer(status.figures());
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.text()).into_response()
}
