use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::StreamExt as _;
use mercurious_core::{
    decide::{Ask, Reason},
    resources::ObjectName,
    rollout::{Actor, RequestId},
};
use mercurious_engine::{AskError, AutoDeployView, EngineHandle, EventBus};
use mercurious_runtime::CancellationToken;
use secrecy::SecretString;
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use crate::{Change, Explanation, Problem, guard::guard};

/// The API of one engine.
#[derive(Clone)]
pub struct ApiServer {
    /// The engine.
    pub handle: EngineHandle,
    /// What happens in it.
    pub events: EventBus,
    /// What changing calls need.
    pub token: Arc<SecretString>,
    /// When this is cancelled, open event streams end.
    pub stopping: CancellationToken,
}

/// A person waits this long for a request to be handled.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type Name = Path<(String, String)>;
pub(crate) type Answer<T> = Result<Json<T>, Problem>;
pub(crate) type Body_ = Result<Json<Change>, JsonRejection>;

impl ApiServer {
    /// All paths of the API.
    pub fn router(self) -> Router {
        let token = Arc::clone(&self.token);
        let one = "/api/v1/auto-deploys/{namespace}/{name}";
        let of = |path: &str| format!("{one}/{path}");
        Router::new()
            .route("/health", get(|| async { "ok\n" }))
            .route("/api/v1/auto-deploys", get(list))
            .route(one, get(show))
            .route(&of("explain"), get(explain))
            .route(&of("history"), get(history))
            .route(&of("logs"), get(logs))
            .route(&of("deploy"), post(deploy))
            .route(&of("restart"), post(restart))
            .route(&of("rollback"), post(rollback))
            .route(&of("hold"), post(hold))
            .route(&of("resume"), post(resume))
            .route(&of("suspend"), post(suspend))
            .route(&of("scan"), post(scan))
            .route("/api/v1/audit", get(audit))
            .route("/api/v1/events", get(events))
            .route("/api/v1/sync", post(sync))
            .route("/api/v1/openapi.json", get(openapi))
            .fallback(|| async {
                Problem::new(StatusCode::NOT_FOUND, "no-such-path", "the API has no such path")
            })
            .layer(middleware::from_fn_with_state(token, guard))
            .with_state(self)
    }
}

/// Serves until told to stop, then lets requests end.
pub async fn serve<L>(
    listener: L,
    router: Router,
    stopping: CancellationToken,
) -> std::io::Result<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await
}

/// Serves on a socket in the file system.
pub async fn serve_unix(
    listener: tokio::net::UnixListener,
    router: Router,
    stopping: CancellationToken,
) -> std::io::Result<()> {
    serve(listener, router, stopping).await
}

/// Serves on a port.
pub async fn serve_tcp(
    listener: tokio::net::TcpListener,
    router: Router,
    stopping: CancellationToken,
) -> std::io::Result<()> {
    serve(listener, router, stopping).await
}

#[utoipa::path(get, path = "/api/v1/auto-deploys", responses((status = 200, description = "All auto-deploys", body = Vec<serde_json::Value>), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(State(api): State<ApiServer>) -> Answer<Vec<Arc<AutoDeployView>>> {
    Ok(Json(api.handle.list().await?))
}

fn name((namespace, name): (String, String), api: &ApiServer) -> Result<ObjectName, Problem> {
    // `-` for the namespace means the one that has this name.
    let text = if namespace == "-" { name } else { format!("{namespace}/{name}") };
    Ok(api.handle.find(&text)?)
}

#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), responses((status = 200, description = "One auto-deploy", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(api): State<ApiServer>,
    Path(path): Name,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.show(&name).await?))
}

#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/explain", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), responses((status = 200, description = "Why it did, or did not, deploy", body = Explanation), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn explain(State(api): State<ApiServer>, Path(path): Name) -> Answer<Explanation> {
    let name = name(path, &api)?;
    let view = api.handle.show(&name).await?;
    Ok(Json(Explanation { auto_deploy: (*view).clone(), tags: api.handle.tag_choices(&name)? }))
}

#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/history", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), responses((status = 200, description = "Rollouts that ended, newest first", body = Vec<serde_json::Value>), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn history(State(api): State<ApiServer>, Path(path): Name) -> Response {
    let found = match name(path, &api) {
        Ok(name) => api.handle.show(&name).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match found {
        Ok(view) => Json(
            view.object.status.as_ref().map(|status| status.history.clone()).unwrap_or_default(),
        )
        .into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
pub(crate) struct Limit {
    /// `lines` for logs.
    #[serde(default = "hundred", alias = "lines")]
    limit: usize,
}

/// No answer has more entries than this.
const MOST: usize = 10_000;

fn hundred() -> usize {
    100
}

#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/logs", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name"), ("lines" = Option<u32>, Query, description = "How many at most")), responses((status = 200, description = "The newest lines of its replicas", body = Vec<String>), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn logs(
    State(api): State<ApiServer>,
    Path(path): Name,
    Query(query): Query<Limit>,
) -> Answer<Vec<String>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.log_lines(&name, query.limit.min(MOST)).await?))
}

#[utoipa::path(get, path = "/api/v1/audit", params(("limit" = Option<u32>, Query, description = "How many at most")), responses((status = 200, description = "Decisions that changed something, newest first", body = Vec<serde_json::Value>), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn audit(
    State(api): State<ApiServer>,
    Query(query): Query<Limit>,
) -> Answer<Vec<mercurious_engine::AuditEntry>> {
    Ok(Json(api.handle.audit(None, query.limit.min(MOST)).await?))
}

fn change(body: Body_) -> Result<Change, Problem> {
    match body {
        Ok(Json(change)) => Ok(change),
        Err(JsonRejection::MissingJsonContentType(_)) => Ok(Change::default()),
        Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, "body", error.body_text())),
    }
}

impl ApiServer {
    /// Asks, waits until it was handled, and tells how.
    async fn ask(
        &self,
        name: &ObjectName,
        ask: Ask,
        by: Option<String>,
    ) -> Answer<Arc<AutoDeployView>> {
        let by = Actor(by.filter(|by| !by.is_empty()).unwrap_or_else(|| "a person".to_owned()));
        let (id, answered) = self.handle.ask(name, ask, by).await?;
        let decision = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(_)) => {
                return Err(Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "stopping",
                    "the engine is stopping",
                ));
            }
            Err(_) => return Err(still_waiting(&id)),
        };
        if decision.reason == Reason::Refused {
            return Err(Problem::new(StatusCode::CONFLICT, "refused", decision.message));
        }
        let mut view = (*self.handle.show(name).await?).clone();
        view.decision = decision;
        Ok(Json(Arc::new(view)))
    }
}

fn still_waiting(id: &RequestId) -> Problem {
    let detail = format!(
        "the request {} is written down and will be obeyed, but was not within {PATIENCE:?}",
        id.0
    );
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "still-waiting", detail)
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/deploy", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), request_body = Change, security(("token" = [])), responses((status = 200, description = "Brings the workload to a release, or to the candidate", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn deploy(
    State(api): State<ApiServer>,
    Path(path): Name,
    body: Body_,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let text = if let Some(text) = change.release {
        text
    } else {
        let view = api.handle.scan(&name).await?;
        let candidate = view.object.status.as_ref().and_then(|status| status.candidate.as_ref());
        let candidate = candidate.map(|candidate| candidate.digest.to_string());
        candidate.ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "no-candidate",
                format!("there is nothing to deploy: {}", view.decision.message),
            )
        })?
    };
    let release = api.handle.release(&name, &text).await?;
    api.ask(&name, Ask::Deploy(Box::new(release)), change.by).await
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/restart", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), request_body = Change, security(("token" = [])), responses((status = 200, description = "Replaces all replicas, one after the other", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn restart(
    State(api): State<ApiServer>,
    Path(path): Name,
    body: Body_,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    api.ask(&name, Ask::Restart, change(body)?.by).await
}

async fn release(
    api: &ApiServer,
    name: &ObjectName,
    text: Option<String>,
) -> Result<Option<Box<mercurious_core::image::Release>>, Problem> {
    match text {
        Some(text) => Ok(Some(Box::new(api.handle.release(name, &text).await?))),
        None => Ok(None),
    }
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/rollback", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), request_body = Change, security(("token" = [])), responses((status = 200, description = "Goes back to a release, or to the last good one", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn rollback(
    State(api): State<ApiServer>,
    Path(path): Name,
    body: Body_,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    api.ask(&name, Ask::Rollback(release), change.by).await
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/hold", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), request_body = Change, security(("token" = [])), responses((status = 200, description = "Keeps a release from being deployed", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn hold(
    State(api): State<ApiServer>,
    Path(path): Name,
    body: Body_,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    let reason = change.reason.unwrap_or_else(|| "held by hand".to_owned());
    api.ask(&name, Ask::Hold { release, reason }, change.by).await
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/resume", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), request_body = Change, security(("token" = [])), responses((status = 200, description = "Lifts holds and ends a suspension", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resume(
    State(api): State<ApiServer>,
    Path(path): Name,
    body: Body_,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    let was_suspended = api.handle.show(&name).await?.suspended;
    api.handle.suspend(&name, false).await?;
    let named = release.is_some();
    match api.ask(&name, Ask::Resume(release.map(|release| release.digest)), change.by).await {
        // Nothing was held, but the suspension ended, which is what was asked.
        Err(problem) if problem.code == "refused" && was_suspended && !named => {
            Ok(Json(until(&api, &name, PATIENCE, |view| !view.suspended).await?))
        }
        answer => answer,
    }
}

/// Waits, within bounds, for an auto-deploy to be as wanted.
async fn until(
    api: &ApiServer,
    name: &ObjectName,
    patience: Duration,
    wanted: impl Fn(&AutoDeployView) -> bool,
) -> Result<Arc<AutoDeployView>, Problem> {
    let mut view = api.handle.follow(name)?;
    let found = view.wait_for(|view| view.as_ref().is_some_and(|view| wanted(view)));
    match tokio::time::timeout(patience, found).await {
        Ok(Ok(view)) => view.clone().ok_or_else(|| Problem::from(AskError::Stopping)),
        Ok(Err(_)) => Err(Problem::from(AskError::Stopping)),
        Err(_) => {
            let detail = format!(
                "{name} was not as wanted within {} seconds; it goes on",
                patience.as_secs()
            );
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "still-waiting", detail))
        }
    }
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/suspend", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), security(("token" = [])), responses((status = 200, description = "Nothing moves by itself any more", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn suspend(
    State(api): State<ApiServer>,
    Path(path): Name,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    api.handle.suspend(&name, true).await?;
    Ok(Json(until(&api, &name, PATIENCE, |view| view.suspended).await?))
}

#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/scan", params(("namespace", description = "The namespace; `-` finds it by the name"), ("name", description = "The name")), security(("token" = [])), responses((status = 200, description = "Looks at the repository now", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn scan(
    State(api): State<ApiServer>,
    Path(path): Name,
) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.scan(&name).await?))
}

/// How long a pass over everything may take.
const LONGEST_SYNC: Duration = Duration::from_hours(1);

/// Looks at every repository, then waits until no rollout is at work.
#[utoipa::path(post, path = "/api/v1/sync", security(("token" = [])), responses((status = 200, description = "Looks at everything and waits until no rollout is at work", body = Vec<serde_json::Value>), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sync(State(api): State<ApiServer>) -> Answer<Vec<Arc<AutoDeployView>>> {
    let deadline = tokio::time::Instant::now() + LONGEST_SYNC;
    let names = api.handle.names();
    futures::future::try_join_all(names.iter().map(|name| api.handle.scan(name))).await?;
    let idle = |view: &AutoDeployView| {
        view.object.status.as_ref().is_none_or(|status| status.rollout.is_none())
    };
    let mut views = Vec::with_capacity(names.len());
    for name in &names {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        views.push(until(&api, name, left, idle).await?);
    }
    Ok(Json(views))
}

#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, description = "This document", body = serde_json::Value), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi_json())
}

/// Server-Sent Events: a snapshot first, then what happens; who lags gets another snapshot.
#[utoipa::path(get, path = "/api/v1/events", responses((status = 200, description = "Server-Sent Events: `snapshot` first, then `event`", body = String), (status = "default", description = "What went wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn events(State(api): State<ApiServer>) -> Result<Response, Problem> {
    let receiver = api.events.subscribe();
    let first = snapshot(&api).await;
    let follow = BroadcastStream::new(receiver).then({
        let api = api.clone();
        move |event| {
            let api = api.clone();
            async move {
                match event {
                    Ok(event) => frame("event", &event),
                    Err(_) => snapshot(&api).await,
                }
            }
        }
    });
    let stream = futures::stream::once(async move { first })
        .chain(follow)
        .map(Ok::<_, Infallible>)
        .take_until(api.stopping.clone().cancelled_owned());
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(stream)).into_response())
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
