//! Streams of what happens: Server-Sent Events.

use std::convert::Infallible;

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures::{Stream, StreamExt as _};
use tokio_stream::wrappers::{BroadcastStream, WatchStream, errors::BroadcastStreamRecvError};

use crate::{
    Problem,
    read::Name,
    server::ApiServer,
    types::{LogQuery, MOST, NamePath},
};

/// What happens, by Server-Sent Events
///
/// First a `snapshot` of all auto-deploys, then each `event`, and a `view` of each auto-deploy that changed; who
/// lags gets another snapshot.
#[utoipa::path(get, path = "/api/v1/events", responses((status = 200, description = "`snapshot`: all auto-deploys; `view`: one that changed; `event`: what happened", body = mercurious_engine::Event, content_type = "text/event-stream")))]
pub(crate) async fn events(State(api): State<ApiServer>) -> Response {
    let receiver = api.events.subscribe();
    let first = snapshot(&api).await;
    let follow = BroadcastStream::new(receiver).then({
        let api = api.clone();
        move |event| {
            let api = api.clone();
            async move {
                match event {
                    Ok(event) => frame("event", &event),
                    Err(BroadcastStreamRecvError::Lagged(_)) => snapshot(&api).await,
                }
            }
        }
    });
    let live = futures::stream::select(follow, views(&api));
    stream(&api, futures::stream::once(async move { first }).chain(live))
}

/// A frame for each auto-deploy that changed.
fn views(api: &ApiServer) -> impl Stream<Item = String> + Send + 'static {
    let followed = api.handle.names().into_iter().filter_map(|name| api.handle.follow(&name).ok());
    futures::stream::select_all(followed.map(|view| {
        let before = view.borrow().clone();
        WatchStream::from_changes(view)
            .scan(before, |before, view| {
                let changed = (*before != view).then(|| view.clone()).flatten();
                *before = view;
                std::future::ready(Some(changed))
            })
            .filter_map(|changed| std::future::ready(changed.map(|view| frame("view", &view))))
    }))
}

/// What the replicas print, those that crashed or were replaced included
///
/// With `follow` an event `line` for each line, then for each to come; `missed` tells a slow reader how many
/// lines it lost.
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/logs", params(NamePath, LogQuery), responses((status = 200, description = "The newest lines, oldest first", content((Vec<String> = "application/json"), (String = "text/event-stream")))))]
pub(crate) async fn logs(
    State(api): State<ApiServer>,
    path: Name,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let Path(NamePath { namespace, name }) = path?;
    let tail = api.log_tail(&namespace, &name, query.lines.min(MOST)).await?;
    if !query.follow {
        return Ok(Json(tail.lines).into_response());
    }
    let known = futures::stream::iter(tail.lines).map(|line| frame("line", &line));
    let coming = BroadcastStream::new(tail.coming).map(|line| match line {
        Ok(line) => frame("line", &line),
        Err(BroadcastStreamRecvError::Lagged(count)) => frame("missed", &count),
    });
    Ok(stream(&api, known.chain(coming)))
}

/// Frames until the reader goes or the engine stops.
fn stream(api: &ApiServer, frames: impl Stream<Item = String> + Send + 'static) -> Response {
    let frames = frames.map(Ok::<_, Infallible>).take_until(api.stopping.clone().cancelled_owned());
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(frames)).into_response()
}

async fn snapshot(api: &ApiServer) -> String {
    match api.handle.list().await {
        Ok(views) => frame("snapshot", &views),
        Err(error) => frame("error", &error.to_string()),
    }
}

fn frame(kind: &str, value: &impl serde::Serialize) -> String {
    let data = serde_json::to_string(value).unwrap_or_default();
    format!("event: {kind}\ndata: {data}\n\n")
}
