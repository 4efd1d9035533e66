//! What the controller tells of itself: `/health`, `/ready`, `/metrics`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use mercurious_core::decide::Reason;
use mercurious_engine::{EngineHandle, Event, EventKind};
use mercurious_runtime::CancellationToken;
use tokio::net::TcpListener;

use crate::Hints;

/// Lines for `/metrics` from elsewhere in the program.
pub type MoreMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The controller as others see it. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Health {
    inner: Arc<Inner>,
    hints: Hints,
    more_metrics: Option<MoreMetrics>,
}

#[derive(Default)]
struct Inner {
    leading: AtomicBool,
    stopping: AtomicBool,
    look_failures: AtomicU64,
    decisions: Mutex<BTreeMap<Reason, u64>>,
    handle: Mutex<Option<EngineHandle>>,
}

impl Health {
    pub(crate) fn new(hints: Hints, more_metrics: Option<MoreMetrics>) -> Self {
        Self { inner: Arc::default(), hints, more_metrics }
    }

    /// Hears what the engine decides.
    pub(crate) fn hear(&self, event: &Event) {
        match &event.kind {
            EventKind::Decision { reason, .. } => {
                let mut decisions =
                    self.inner.decisions.lock().unwrap_or_else(PoisonError::into_inner);
                *decisions.entry(*reason).or_default() += 1;
            }
            EventKind::LookFailed { .. } => {
                self.inner.look_failures.fetch_add(1, Ordering::Relaxed);
            }
            EventKind::Found { .. } => {}
        }
    }

    pub(crate) fn leads(&self, handle: Option<EngineHandle>) {
        self.inner.leading.store(handle.is_some(), Ordering::Relaxed);
        self.hints.leads(handle.clone());
        *self.inner.handle.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    pub(crate) fn stops(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers until it is stopped.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stopping: CancellationToken,
    ) -> std::io::Result<()> {
        let (ready, metrics) = (self.clone(), self);
        let router = Router::new()
            .route("/health", get(async || "ok\n"))
            .route("/ready", get(async move || ready.ready()))
            .route("/metrics", get(async move || metrics.metrics()));
        axum::serve(listener, router)
            .with_graceful_shutdown(async move { stopping.cancelled().await })
            .await
    }

    /// A stand-by is ready: it is what takes over.
    fn ready(&self) -> (StatusCode, &'static str) {
        if self.inner.stopping.load(Ordering::Relaxed) {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        } else if self.inner.leading.load(Ordering::Relaxed) {
            (StatusCode::OK, "leads\n")
        } else {
            (StatusCode::OK, "stands by\n")
        }
    }

    fn metrics(&self) -> ([(HeaderName, &'static str); 1], String) {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let one = |value: u64| vec![(String::new(), value)];
        let leading = self.inner.leading.load(Ordering::Relaxed);
        family("mercurious_leader", "gauge", "Whether this one is at work.", &one(leading.into()));
        family(
            "mercurious_look_failures_total",
            "counter",
            "Looks at a registry that began to fail.",
            &one(self.inner.look_failures.load(Ordering::Relaxed)),
        );
        let decisions: Vec<(String, u64)> = {
            let decisions = self.inner.decisions.lock().unwrap_or_else(PoisonError::into_inner);
            decisions
                .iter()
                .map(|(reason, count)| (format!("{{reason=\"{reason}\"}}"), *count))
                .collect()
        };
        let help = "Decisions that were another one than the one before, by reason.";
        family("mercurious_decisions_total", "counter", help, &decisions);
        let handle = self.inner.handle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut ready, mut at_work, mut holds) = (Vec::new(), Vec::new(), Vec::new());
        for name in handle.iter().flat_map(EngineHandle::names) {
            let view = handle.as_ref().and_then(|handle| handle.follow(&name).ok());
            let view = view.and_then(|view| view.borrow().clone());
            let Some(status) = view.as_ref().and_then(|view| view.object.status.as_ref()) else {
                continue;
            };
            // Names of objects need no escaping.
            let labels = format!("{{namespace=\"{}\",name=\"{}\"}}", name.namespace, name.name);
            let is_ready = status.conditions.iter().any(|condition| {
                condition.kind == "Ready"
                    && condition.status == mercurious_core::resources::ConditionStatus::True
            });
            ready.push((labels.clone(), u64::from(is_ready)));
            at_work.push((labels.clone(), u64::from(status.rollout.is_some())));
            holds.push((labels, status.holds.len() as u64));
        }
        let help = "Whether what should run does.";
        family("mercurious_auto_deploy_ready", "gauge", help, &ready);
        family("mercurious_rollout_at_work", "gauge", "Whether a rollout is at work.", &at_work);
        family("mercurious_holds", "gauge", "Releases that are held.", &holds);
        if let Some(more) = &self.more_metrics {
            text.push_str(&more());
        }
        ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_families_with_help_and_type() {
        let health = Health::default();
        health.hear(&Event {
            at: jiff::Timestamp::UNIX_EPOCH,
            object: mercurious_core::resources::ObjectName::new("app", "web"),
            kind: EventKind::Decision {
                reason: Reason::Succeeded,
                message: String::new(),
                phase: None,
                release: None,
            },
        });
        let (_, text) = health.metrics();
        assert!(text.contains("mercurious_decisions_total{reason=\"Succeeded\"} 1\n"), "{text}");
        assert!(text.contains("# TYPE mercurious_leader gauge\nmercurious_leader 0\n"), "{text}");
        assert_eq!(health.ready(), (StatusCode::OK, "stands by\n"));
        health.stops();
        assert_eq!(health.ready().0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
