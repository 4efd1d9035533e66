use std::{
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    routing::{delete, get, post},
};
use mercurious_messaging::Status;
use mercurious_runtime::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{events, guard, jobs, openapi, probes, problem, regenerate, shares, trips};
use crate::{
    limits::Limits,
    metrics::Metrics,
    service::{DayPlanner, Jobs},
};

/// What of the settings the interface needs.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// What `GET /` says.
    pub version: String,
    /// The origins whose pages may ask.
    pub origins: Vec<HeaderValue>,
    /// How many proxies stand before this service: the client's address is so many entries from the end of
    /// `X-Forwarded-For`.
    pub proxies: usize,
    /// How many event streams may be open.
    pub streams: usize,
    /// How often an idle event stream gets a comment.
    pub keep_alive: Duration,
}

/// What readiness depends on beside the store.
#[derive(Clone, Default)]
pub struct Readiness {
    /// The consumer, where there is one.
    pub consumer: Option<Status>,
    /// No more requests are wanted.
    pub stopping: CancellationToken,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readiness")
    }
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct App {
    /// The jobs.
    pub jobs: Arc<Jobs>,
    /// Who may ask how fast.
    pub limits: Arc<dyn Limits>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The settings.
    pub settings: Arc<HttpSettings>,
    /// Whether requests are wanted.
    pub readiness: Readiness,
    /// Plans days anew.
    pub(super) planner: DayPlanner,
    /// How many event streams are open.
    pub(super) streams: Arc<AtomicUsize>,
}

impl App {
    /// An application that has no streams yet.
    pub fn new(
        jobs: Arc<Jobs>,
        limits: Arc<dyn Limits>,
        settings: HttpSettings,
        readiness: Readiness,
    ) -> Self {
        let metrics = Arc::clone(&jobs.metrics);
        let streams = Arc::new(AtomicUsize::new(0));
        let planner = DayPlanner::default();
        Self { jobs, limits, metrics, settings: Arc::new(settings), readiness, planner, streams }
    }
}

/// Every route.
pub fn router(app: App) -> Router {
    let limited = Router::new()
        .route("/v1/trips", post(trips::create))
        .route("/v1/trips/{id}", get(trips::show).patch(trips::change))
        .route("/v1/trips/{id}/days/{day}/regenerate", post(regenerate::regenerate))
        .route("/v1/trips/{id}/share", post(shares::share))
        .route("/v1/trips/{id}/share/{token}", delete(shares::unshare))
        .route("/v1/shared/{token}", get(shares::show))
        .route("/v1/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/v1/jobs/{id}/events", get(events::follow))
        .layer(middleware::from_fn_with_state(app.clone(), guard::limit));
    Router::new()
        .merge(limited)
        .route("/", get(probes::version))
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .route("/openapi.json", get(openapi::show))
        .method_not_allowed_fallback(problem::no_method)
        .fallback(problem::no_route)
        .layer(cors(&app.settings.origins))
        .layer(middleware::from_fn_with_state(app.clone(), guard::observe))
        .with_state(app)
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            header::IF_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            HeaderName::from_static("idempotency-replayed"),
        ])
        .max_age(Duration::from_mins(10))
}
