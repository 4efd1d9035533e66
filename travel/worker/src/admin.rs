//! The admin port: version, probes, metrics. It tells nothing of jobs.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::Probes;

/// A loop that went round within this time is alive.
const STUCK: Duration = Duration::from_secs(30);

/// The routes.
pub fn admin(probes: Probes) -> Router {
    Router::new()
        .route("/", get(version))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes)
}

async fn version(State(probes): State<Probes>) -> String {
    probes.version
}

/// Whether the loop still goes round. Before it has begun, the process is alive.
async fn health(State(probes): State<Probes>) -> Response {
    let status = &probes.consumer;
    let stuck = status.is_ready() && !status.is_alive(probes.clock.now(), STUCK);
    let fault = stuck.then_some("the consumer is stuck");
    report(fault)
}

/// Whether the broker has given this worker its share.
async fn ready(State(probes): State<Probes>) -> Response {
    let fault = if probes.stopping.is_cancelled() {
        Some("stopping")
    } else if !probes.consumer.is_ready() {
        Some("the broker has given this consumer no share yet")
    } else {
        None
    };
    report(fault)
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = probes.metrics.page(probes.consumer.figures());
    ([(header::CONTENT_TYPE, kind)], page).into_response()
}

fn report(fault: Option<&'static str>) -> Response {
    match fault {
        None => "ok\n".into_response(),
        Some(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")).into_response(),
    }
}
