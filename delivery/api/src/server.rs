use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    http::{Method, StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use mercurious_engine::{EngineHandle, EventBus};
use mercurious_runtime::CancellationToken;
use secrecy::SecretString;

use crate::{
    ManifestWarning, Problem, UnsteeredWorkloads, change, guard::guard, live, read, unsteered, wait,
};

/// The API of one engine.
#[derive(Clone)]
pub struct ApiServer {
    /// The engine.
    pub handle: EngineHandle,
    /// What happens in it.
    pub events: EventBus,
    /// What changing calls need.
    pub token: Arc<SecretString>,
    /// What is odd about the manifests.
    pub warnings: Arc<[ManifestWarning]>,
    /// What runs beside the auto-deploys.
    pub unsteered: Arc<dyn UnsteeredWorkloads>,
    /// When this is cancelled, open event streams end.
    pub stopping: CancellationToken,
}

/// A person waits this long for a request to be handled.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type Answer<T> = Result<Json<T>, Problem>;

impl ApiServer {
    /// All paths of the API.
    pub fn router(self) -> Router {
        let token = Arc::clone(&self.token);
        let one = "/api/v1/auto-deploys/{namespace}/{name}";
        let of = |path: &str| format!("{one}/{path}");
        Router::new()
            .route("/health", get(|| async { "ok\n" }))
            .route("/api/v1/auto-deploys", get(read::list))
            .route(one, get(read::show))
            .route(&of("explain"), get(read::explain))
            .route(&of("history"), get(read::history))
            .route(&of("verify"), get(read::verify))
            .route(&of("settled"), get(wait::settled))
            .route(&of("logs"), get(live::logs))
            .route(&of("{verb}"), post(change::change))
            .route("/api/v1/audit", get(read::audit))
            .route("/api/v1/warnings", get(read::warnings))
            .route("/api/v1/unsteered-workloads", get(unsteered::list))
            .route("/api/v1/events", get(live::events))
            .route("/api/v1/sync", post(wait::sync))
            .route("/api/v1/openapi.json", get(openapi))
            .fallback(|| async {
                Problem::new(StatusCode::NOT_FOUND, "no-such-path", "the API has no such path")
            })
            .method_not_allowed_fallback(|method: Method| async move {
                let detail = format!("{method} means nothing here; Allow names what does");
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
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

/// This document
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, description = "An OpenAPI document", body = serde_json::Value)))]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi_json())
}
