use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use mercurious_contracts::{JobId, facts::Facts, trip::Trip};
use mercurious_messaging::OutboxRow;

use super::StoreError;
use crate::job::{Change, JobRecord, StoredEvent};

/// What a person's `Idempotency-Key` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, with whose it is.
    pub key: String,
    /// The digest of the request that came with it.
    pub fingerprint: String,
}

/// What became of a new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptOutcome {
    /// It is stored.
    Stored,
    /// Its key and request came before, and made this job.
    Known(JobId),
    /// Its key came before with another request.
    OtherRequest,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is stored.
    Stored,
    /// The job has changed since, or is gone: nothing is stored.
    Conflict,
}

/// A trip and how often it was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTrip {
    /// The trip.
    pub trip: Trip,
    /// Its version, from 1.
    pub version: u64,
}

/// The gateway's store.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Stores a new job with all that follows from it, and its key.
    async fn accept(
        &self,
        change: Change,
        key: Option<IdempotencyKey>,
    ) -> Result<AcceptOutcome, StoreError>;

    /// A job.
    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError>;

    /// Stores a change if the job's version is still the one before it.
    async fn commit(&self, change: Change) -> Result<Committed, StoreError>;

    /// The events of a job after a sequence, in order.
    async fn events(
        &self,
        id: JobId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// The sequence of the newest event of each of these jobs.
    async fn heads(&self, ids: &[JobId]) -> Result<Vec<(JobId, u64)>, StoreError>;

    /// Unfinished jobs whose deadline is past, the oldest first.
    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// What was found out for a job.
    async fn facts(&self, id: JobId) -> Result<Option<Facts>, StoreError>;

    /// A trip.
    async fn trip(&self, id: JobId) -> Result<Option<StoredTrip>, StoreError>;

    /// Stores a changed trip if its version is one more than the stored one.
    async fn save_trip(&self, trip: StoredTrip) -> Result<Committed, StoreError>;

    /// Lets whoever has the token read a trip. Only the token's digest is kept.
    async fn share(&self, trip: JobId, digest: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Takes that back; whether there was something to take back.
    async fn unshare(&self, trip: JobId, digest: &str) -> Result<bool, StoreError>;

    /// The trip that a token's digest stands for.
    async fn shared(&self, digest: &str) -> Result<Option<JobId>, StoreError>;

    /// See [`mercurious_messaging::Outbox::claim`].
    async fn claim(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// See [`mercurious_messaging::Outbox::sent`].
    async fn sent(&self, rows: &[String]) -> Result<(), StoreError>;

    /// Puts a message aside that the broker never takes, and says whose it is.
    async fn set_aside(&self, row: &str, reason: &str) -> Result<Option<JobId>, StoreError>;

    /// How many messages wait to be sent.
    async fn waiting(&self) -> Result<u64, StoreError>;

    /// Whether reading and writing work.
    async fn check(&self) -> Result<(), StoreError>;

    /// Forgets jobs that ended before `jobs` with all that belongs to them, and keys older than `keys`; at most
    /// `limit` of each. Returns how many jobs.
    async fn prune(
        &self,
        jobs: Timestamp,
        keys: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError>;
}
