//! The admin port: version, probes, metrics, and whether the group gets on. It tells nothing of jobs.

use std::time::Duration;

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use serde::Deserialize;
use tokio::time::Instant;

use crate::Probes;

/// A loop that went round within this time is alive.
const STUCK: Duration = Duration::from_secs(30);

/// The routes.
pub fn admin(probes: Probes) -> Router {
    Router::new()
        .route("/", get(version))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/consuming", get(consuming))
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

/// What is asked of the group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Its name, where the worker must not be in another one.
    group: Option<String>,
    /// In so many seconds some request must be finished, while any wait.
    #[serde(default = "ten")]
    within: u64,
}

fn ten() -> u64 {
    10
}

/// Whether the group has given this worker partitions and gets on with its requests, as the broker knows it.
async fn consuming(State(probes): State<Probes>, Query(wanted): Query<Wanted>) -> Response {
    let refused = |fault: String| (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n"));
    if let Some(group) = wanted.group.filter(|group| *group != probes.group) {
        let own = &probes.group;
        return refused(format!("this worker is in the group {own}, not in {group}"))
            .into_response();
    }
    let Some(standings) = probes.standings.get() else {
        return refused("the broker is not there yet".to_owned()).into_response();
    };
    if probes.consumer.figures().assigned == 0 {
        return refused("no partition is assigned to this worker".to_owned()).into_response();
    }
    match standings.look().await {
        Ok(standings) => {
            let gait = probes.consuming.note(&standings, Instant::now());
            if gait.still > Duration::from_secs(wanted.within) {
                return refused(gait.to_string()).into_response();
            }
            format!("{gait}\n").into_response()
        }
        Err(error) => refused(error.to_string()).into_response(),
    }
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
