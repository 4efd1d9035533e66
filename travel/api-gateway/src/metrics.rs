//! What is counted, for Prometheus. Labels come from short lists, never from what people send.

use std::{fmt, time::Duration};

use mercurious_messaging::Figures;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds of an answer's time in seconds.
const ANSWERS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Upper bounds of a job's time in seconds.
const JOBS: [f64; 10] = [0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0];

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    method: &'static str,
    endpoint: String,
    status: u16,
}

/// Where a time was spent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Endpoint {
    endpoint: String,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct End {
    status: &'static str,
}

/// Why a message changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    reason: &'static str,
}

/// What the consumer counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Figure {
    figure: &'static str,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    times: Family<Endpoint, Histogram, fn() -> Histogram>,
    ended: Family<End, Counter>,
    job_times: Histogram,
    ignored: Family<Reason, Counter>,
    consumer: Family<Figure, Gauge>,
    /// Requests that became jobs.
    pub accepted: Counter,
    /// Requests that came too fast.
    pub limited: Counter,
    /// Limits that were kept by this process alone, because the shared ones did not answer.
    pub limits_alone: Counter,
    /// Event streams that are open.
    pub streams: Gauge,
    /// Messages that wait to be sent.
    pub outbox: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let answers = Family::<Answer, Counter>::default();
        let times: Family<Endpoint, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(ANSWERS));
        let ended = Family::<End, Counter>::default();
        let job_times = Histogram::new(JOBS);
        let ignored = Family::<Reason, Counter>::default();
        let consumer = Family::<Figure, Gauge>::default();
        let (accepted, limited, limits_alone) =
            (Counter::default(), Counter::default(), Counter::default());
        let (streams, outbox) = (Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests that were answered", answers.clone());
        registry.register(
            "http_request_duration_seconds",
            "From a request to its answer's head",
            times.clone(),
        );
        registry.register("gateway_jobs_accepted", "Requests that became jobs", accepted.clone());
        registry.register("gateway_jobs_ended", "Jobs that ended here", ended.clone());
        registry.register(
            "gateway_job_duration_seconds",
            "From accepting to the end",
            job_times.clone(),
        );
        registry.register(
            "gateway_messages_ignored",
            "Messages and wishes that changed nothing: late, duplicate, early, of an unknown job, unreadable",
            ignored.clone(),
        );
        registry.register(
            "gateway_consumer",
            "What the consumer did since it started, and what it has in hand",
            consumer.clone(),
        );
        registry.register(
            "gateway_rate_limit_hits",
            "Requests that came too fast",
            limited.clone(),
        );
        registry.register(
            "gateway_rate_limits_alone",
            "Requests that were judged without the shared limits",
            limits_alone.clone(),
        );
        registry.register("gateway_event_streams", "Event streams that are open", streams.clone());
        registry.register(
            "gateway_outbox_messages",
            "Messages that wait to be sent",
            outbox.clone(),
        );
        Self {
            registry,
            answers,
            times,
            ended,
            job_times,
            ignored,
            consumer,
            accepted,
            limited,
            limits_alone,
            streams,
            outbox,
        }
    }

    /// An answer was given. `endpoint` is the route, not the path.
    pub fn answer(&self, method: &http::Method, endpoint: &str, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            "OPTIONS" => "OPTIONS",
            _ => "other",
        };
        let endpoint = endpoint.to_owned();
        self.times
            .get_or_create(&Endpoint { endpoint: endpoint.clone() })
            .observe(took.as_secs_f64());
        self.answers.get_or_create(&Answer { method, endpoint, status }).inc();
    }

    /// A job ended.
    pub fn finish(&self, status: &'static str, seconds: f64) {
        self.ended.get_or_create(&End { status }).inc();
        self.job_times.observe(seconds);
    }

    /// Something changed nothing.
    pub fn ignore(&self, reason: &'static str) {
        self.ignored.get_or_create(&Reason { reason }).inc();
    }

    /// How often something changed nothing for a reason.
    pub fn ignored(&self, reason: &'static str) -> u64 {
        self.ignored.get_or_create(&Reason { reason }).get()
    }

    /// What the consumer counts.
    pub fn consumer(&self, figures: Figures) {
        for (figure, value) in [
            ("assigned_partitions", figures.assigned as u64),
            ("in_flight", figures.in_flight as u64),
            ("joined", figures.joined),
            ("handled", figures.handled),
            ("retried", figures.retried),
            ("dead", figures.dead),
            ("stalled", figures.stalled),
        ] {
            self.consumer.get_or_create(&Figure { figure }).set(value as i64);
        }
    }

    /// All of it as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
