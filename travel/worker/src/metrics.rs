//! What a worker counts, for Prometheus.

use std::fmt;

use mercurious_messaging::Figures;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds of a step's time in seconds.
const TIMES: [f64; 10] = [0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    end: &'static str,
}

/// What the consumer counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Figure {
    figure: &'static str,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    ends: Family<End, Counter>,
    times: Histogram,
    progress_lost: Counter,
    consumer: Family<Figure, Gauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("mercurious_worker");
        let (ends, consumer) = (Family::default(), Family::default());
        let (times, progress_lost) = (Histogram::new(TIMES), Counter::default());
        registry.register("steps", "Steps by how they ended", ends.clone());
        registry.register("step_seconds", "How long steps took", times.clone());
        registry.register(
            "progress_lost",
            "Reports of progress that were not published",
            progress_lost.clone(),
        );
        registry.register("consumer", "What the consumer counts", consumer.clone());
        Self { registry, ends, times, progress_lost, consumer }
    }
}

impl Metrics {
    pub(crate) fn ended(&self, end: &'static str, seconds: f64) {
        self.ends.get_or_create(&End { end }).inc();
        self.times.observe(seconds);
    }

    pub(crate) fn skipped(&self, end: &'static str) {
        self.ends.get_or_create(&End { end }).inc();
    }

    pub(crate) fn progress_lost(&self) {
        self.progress_lost.inc();
    }

    /// The page, with the consumer's figures.
    pub(crate) fn page(&self, figures: Figures) -> String {
        for (figure, value) in [
            ("joined", figures.joined),
            ("assigned", figures.assigned as u64),
            ("in_flight", figures.in_flight as u64),
            ("handled", figures.handled),
            ("duplicates", figures.duplicates),
            ("foreign", figures.foreign),
            ("retried", figures.retried),
            ("dead", figures.dead),
            ("stalled", figures.stalled),
        ] {
            self.consumer.get_or_create(&Figure { figure }).set(value as i64);
        }
        let mut page = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}
