use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State as Shared},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::{get, post},
};
use futures::{Stream, stream};
use serde::Deserialize;

use super::{crash, state::State};

pub(super) fn router(state: State) -> Router {
    Router::new()
        .route("/", get(async |Shared(state): Shared<State>| format!("{}\n", state.name())))
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/check", get(check))
        .route("/slow", get(slow))
        .route("/events", get(events))
        .route("/echo", post(echo))
        .route("/env", get(variable))
        .route("/crash", get(crash_if_allowed).post(crash_if_allowed))
        .route("/metrics", get(metrics))
        .layer(from_fn_with_state(state.clone(), around))
        .with_state(state)
}

/// Counts the request and, once the server is to stop, asks the client to come back on a new connection.
async fn around(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let running = state.begin();
    let mut response = next.run(request).await;
    drop(running);
    if let Ok(version) = HeaderValue::from_str(&state.args().version) {
        response.headers_mut().insert("x-version", version);
    }
    if state.stopping().is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn ready(Shared(state): Shared<State>) -> (StatusCode, &'static str) {
    if state.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn check(Shared(state): Shared<State>) -> (StatusCode, &'static str) {
    if state.args().failing_check {
        (StatusCode::INTERNAL_SERVER_ERROR, "failing as asked\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

#[derive(Debug, Deserialize)]
struct Slow {
    /// Milliseconds, at most a minute.
    #[serde(default = "one_second")]
    ms: u64,
}

fn one_second() -> u64 {
    1000
}

async fn slow(Shared(state): Shared<State>, Query(slow): Query<Slow>) -> String {
    tokio::time::sleep(Duration::from_millis(slow.ms.min(60_000))).await;
    format!("{}\n", state.name())
}

/// A number every 200 ms, until the client goes or the server is to stop.
async fn events(
    Shared(state): Shared<State>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let tick = tokio::time::interval(Duration::from_millis(200));
    Sse::new(stream::unfold((tick, 0_u64, state), async |(mut tick, number, state)| {
        tokio::select! {
            _ = tick.tick() => {}
            () = state.stopping().cancelled() => return None,
        }
        let event = Event::default().id(number.to_string()).event("count").data(format!(
            "{number} {}",
            // A line break would break the event.
            state.name().replace(['\r', '\n'], " ")
        ));
        Some((Ok(event), (tick, number + 1, state)))
    }))
}

/// Sends back what arrives as it arrives.
async fn echo(request: Request) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(Body::from_stream(request.into_body().into_data_stream()));
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
}

async fn variable(Shared(state): Shared<State>, Query(asked): Query<Variable>) -> Response {
    match state.variable(&asked.name) {
        Some(value) => format!("{value}\n").into_response(),
        None => (StatusCode::NOT_FOUND, "not set, or not an EXAMPLE_ variable\n").into_response(),
    }
}

async fn crash_if_allowed(Shared(state): Shared<State>) -> (StatusCode, &'static str) {
    if state.args().allow_crash {
        crash("/crash");
    }
    (StatusCode::FORBIDDEN, "started without --allow-crash\n")
}

async fn metrics(Shared(state): Shared<State>) -> Response {
    let text = format!(
        "# TYPE example_requests_total counter\nexample_requests_total {}\n\
         # TYPE example_requests_running gauge\nexample_requests_running {}\n\
         # TYPE example_ready gauge\nexample_ready {}\n",
        state.requests(),
        state.running(),
        u8::from(state.is_ready()),
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
