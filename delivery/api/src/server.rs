use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::StreamExt as _;
use mercurious_core::{
    decide::{Ask, Reason},
    resources::ObjectName,
    rollout::{Actor, RequestId},
};
use mercurious_engine::{AutoDeployView, EngineHandle, EventBus};
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

type Name = Path<(String, String)>;
type Answer<T> = Result<Json<T>, Problem>;
type Body_ = Result<Json<Change>, JsonRejection>;

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
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no-such-path", "the API has no such path") })
            .layer(middleware::from_fn_with_state(token, guard))
            .with_state(self)
    }
}

/// Serves until told to stop, then lets requests end.
pub async fn serve<L>(listener: L, router: Router, stopping: CancellationToken) -> std::io::Result<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await
}

async fn list(State(api): State<ApiServer>) -> Answer<Vec<Arc<AutoDeployView>>> {
    Ok(Json(api.handle.list().await?))
}

fn name((namespace, name): (String, String), api: &ApiServer) -> Result<ObjectName, Problem> {
    // `-` for the namespace means the one that has this name.
    let text = if namespace == "-" { name } else { format!("{namespace}/{name}") };
    Ok(api.handle.find(&text)?)
}

async fn show(State(api): State<ApiServer>, Path(path): Name) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.show(&name).await?))
}

async fn explain(State(api): State<ApiServer>, Path(path): Name) -> Answer<Explanation> {
    let name = name(path, &api)?;
    let view = api.handle.show(&name).await?;
    Ok(Json(Explanation { auto_deploy: (*view).clone(), tags: api.handle.tag_choices(&name)? }))
}

async fn history(State(api): State<ApiServer>, Path(path): Name) -> Response {
    let found = match name(path, &api) {
        Ok(name) => api.handle.show(&name).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match found {
        Ok(view) => Json(view.object.status.as_ref().map(|status| status.history.clone()).unwrap_or_default()).into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

async fn logs(State(api): State<ApiServer>, Path(path): Name, Query(query): Query<Limit>) -> Answer<Vec<String>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.log_lines(&name, query.limit).await?))
}

async fn audit(
    State(api): State<ApiServer>,
    Query(query): Query<Limit>,
) -> Answer<Vec<mercurious_engine::AuditEntry>> {
    Ok(Json(api.handle.audit(None, query.limit).await?))
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
    async fn ask(&self, name: &ObjectName, ask: Ask, by: Option<String>) -> Answer<Arc<AutoDeployView>> {
        let by = Actor(by.filter(|by| !by.is_empty()).unwrap_or_else(|| "a person".to_owned()));
        let (id, answered) = self.handle.ask(name, ask, by).await?;
        let decision = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(_)) => return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping")),
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
    let detail = format!("the request {} is written down and will be obeyed, but was not within {PATIENCE:?}", id.0);
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "still-waiting", detail)
}

async fn deploy(State(api): State<ApiServer>, Path(path): Name, body: Body_) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let text = match change.release {
        Some(text) => text,
        None => {
            let view = api.handle.scan(&name).await?;
            let candidate = view.object.status.as_ref().and_then(|status| status.candidate.as_ref());
            let candidate = candidate.map(|candidate| candidate.digest.to_string());
            candidate.ok_or_else(|| {
                Problem::new(StatusCode::CONFLICT, "no-candidate", format!("there is nothing to deploy: {}", view.decision.message))
            })?
        }
    };
    let release = api.handle.release(&name, &text).await?;
    api.ask(&name, Ask::Deploy(Box::new(release)), change.by).await
}

async fn restart(State(api): State<ApiServer>, Path(path): Name, body: Body_) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    api.ask(&name, Ask::Restart, change(body)?.by).await
}

async fn release(api: &ApiServer, name: &ObjectName, text: Option<String>) -> Result<Option<Box<mercurious_core::image::Release>>, Problem> {
    match text {
        Some(text) => Ok(Some(Box::new(api.handle.release(name, &text).await?))),
        None => Ok(None),
    }
}

async fn rollback(State(api): State<ApiServer>, Path(path): Name, body: Body_) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    api.ask(&name, Ask::Rollback(release), change.by).await
}

async fn hold(State(api): State<ApiServer>, Path(path): Name, body: Body_) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    let reason = change.reason.unwrap_or_else(|| "held by hand".to_owned());
    api.ask(&name, Ask::Hold { release, reason }, change.by).await
}

async fn resume(State(api): State<ApiServer>, Path(path): Name, body: Body_) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    let change = change(body)?;
    let release = release(&api, &name, change.release).await?;
    api.handle.suspend(&name, false).await?;
    api.ask(&name, Ask::Resume(release.map(|release| release.digest)), change.by).await
}

async fn suspend(State(api): State<ApiServer>, Path(path): Name) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    api.handle.suspend(&name, true).await?;
    let mut view = api.handle.follow(&name)?;
    let suspended = async {
        let found = view.wait_for(|view| view.as_ref().is_some_and(|view| view.suspended)).await;
        found.ok().and_then(|view| view.clone())
    };
    match tokio::time::timeout(PATIENCE, suspended).await {
        Ok(Some(view)) => Ok(Json(view)),
        _ => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping")),
    }
}

async fn scan(State(api): State<ApiServer>, Path(path): Name) -> Answer<Arc<AutoDeployView>> {
    let name = name(path, &api)?;
    Ok(Json(api.handle.scan(&name).await?))
}

/// Server-Sent Events: a snapshot first, then what happens; who lags gets another snapshot.
async fn events(State(api): State<ApiServer>) -> Result<Response, Problem> {
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
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
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
