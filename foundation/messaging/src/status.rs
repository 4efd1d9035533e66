//! What a consumer is doing, for probes and metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

/// Shared between a consumer and whoever is asked how it is.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    ticked: AtomicI64,
    joined: AtomicU64,
    assigned: AtomicUsize,
    in_flight: AtomicUsize,
    handled: AtomicU64,
    duplicates: AtomicU64,
    foreign: AtomicU64,
    retried: AtomicU64,
    dead: AtomicU64,
    stalled: AtomicU64,
}

/// Numbers since the start, and two that are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// How often partitions were assigned.
    pub joined: u64,
    /// Partitions that this consumer has.
    pub assigned: usize,
    /// Messages that are being handled or wait here.
    pub in_flight: usize,
    /// Messages that took effect.
    pub handled: u64,
    /// Messages that had taken effect before.
    pub duplicates: u64,
    /// Retries of another group.
    pub foreign: u64,
    /// Messages sent to wait for another try.
    pub retried: u64,
    /// Messages sent to the dead letters.
    pub dead: u64,
    /// How often something needed did not answer: the store, or the broker when publishing.
    pub stalled: u64,
}

#[derive(Clone, Copy)]
pub(crate) enum Count {
    Handled,
    Duplicate,
    Foreign,
    Retried,
    Dead,
    Stalled,
}

impl Status {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The numbers.
    pub fn figures(&self) -> Figures {
        let counts = &self.0;
        Figures {
            joined: counts.joined.load(Ordering::Relaxed),
            assigned: counts.assigned.load(Ordering::Relaxed),
            in_flight: counts.in_flight.load(Ordering::Relaxed),
            handled: counts.handled.load(Ordering::Relaxed),
            duplicates: counts.duplicates.load(Ordering::Relaxed),
            foreign: counts.foreign.load(Ordering::Relaxed),
            retried: counts.retried.load(Ordering::Relaxed),
            dead: counts.dead.load(Ordering::Relaxed),
            stalled: counts.stalled.load(Ordering::Relaxed),
        }
    }

    /// Ready: the group has given this consumer its share, if only an empty one.
    pub fn is_ready(&self) -> bool {
        self.0.joined.load(Ordering::Relaxed) > 0
    }

    /// Alive: the loop went round within `limit`.
    pub fn is_alive(&self, now: Timestamp, limit: Duration) -> bool {
        let age = now.as_millisecond() - self.0.ticked.load(Ordering::Relaxed);
        u128::try_from(age).is_ok_and(|age| age <= limit.as_millis()) || age < 0
    }

    pub(crate) fn tick(&self, now: Timestamp) {
        self.0.ticked.store(now.as_millisecond(), Ordering::Relaxed);
    }

    pub(crate) fn assigned(&self, partitions: usize) {
        self.0.assigned.store(partitions, Ordering::Relaxed);
    }

    pub(crate) fn joined(&self) {
        self.0.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn in_flight(&self, messages: usize) {
        self.0.in_flight.store(messages, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, count: Count) {
        let counter = match count {
            Count::Handled => &self.0.handled,
            Count::Duplicate => &self.0.duplicates,
            Count::Foreign => &self.0.foreign,
            Count::Retried => &self.0.retried,
            Count::Dead => &self.0.dead,
            Count::Stalled => &self.0.stalled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
