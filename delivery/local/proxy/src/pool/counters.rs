use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a request of a pool can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No instance took it in time.
    Unavailable,
    /// Too many waited already.
    Crowded,
    /// The instance broke off before its answer's head.
    Broken,
    /// The instance's answer took too long.
    Slow,
    /// The instance broke off within its answer's body.
    Cut,
    /// The client broke off within its request's body.
    Client,
}

/// What a pool counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    retries: AtomicU64,
    waits: AtomicU64,
    failures: [AtomicU64; 6],
}

impl Counters {
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn wait(&self) {
        self.waits.fetch_add(1, Relaxed);
    }

    pub(crate) fn failure(&self, failure: Failure) {
        self.failures[failure as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> PoolCounters {
        let failures = |kind: Failure| self.failures[kind as usize].load(Relaxed);
        PoolCounters {
            requests: self.requests.load(Relaxed),
            retries: self.retries.load(Relaxed),
            waits: self.waits.load(Relaxed),
            failures: FailureCounts {
                unavailable: failures(Failure::Unavailable),
                crowded: failures(Failure::Crowded),
                broken: failures(Failure::Broken),
                slow: failures(Failure::Slow),
                cut: failures(Failure::Cut),
                client: failures(Failure::Client),
            },
        }
    }
}

/// What a pool has counted since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Requests that came.
    pub requests: u64,
    /// Times that a request was tried again.
    pub retries: u64,
    /// Requests that had to wait for an instance.
    pub waits: u64,
    /// Requests that failed, by kind.
    pub failures: FailureCounts,
}

/// Requests that failed, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureCounts {
    /// No instance took them in time; answered with 503.
    pub unavailable: u64,
    /// Too many waited already; answered with 503.
    pub crowded: u64,
    /// The instance broke off, or was cut off, before its answer's head; answered with 502.
    pub broken: u64,
    /// The instance's answer took too long; answered with 504.
    pub slow: u64,
    /// The instance broke off within its answer's body; the client saw that.
    pub cut: u64,
    /// The client broke off within its request's body.
    pub client: u64,
}
