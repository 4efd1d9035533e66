use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use mercurious_contracts::{JobId, envelope::EncodeError, job::JobStatus, request::TripRequest};
use mercurious_runtime::{CancellationToken, Clock};
use thiserror::Error;
use tokio::sync::Notify;

use super::{Hub, News};
use crate::{
    job::{self, Ignored, Input, JobRecord, NewJob, Verdict},
    metrics::Metrics,
    random::random,
    store::{AcceptOutcome, Committed, IdempotencyKey, Store, StoreError},
};

/// How often a change is tried on a newer version of the job.
const TRIES: usize = 20;

/// How long things take at most, and how long they are kept.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From accepting to the end.
    pub deadline: Duration,
    /// What is kept for how long.
    pub retention: Retention,
}

/// What is kept for how long.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// A finished job and its trip.
    pub jobs: Duration,
    /// An idempotency key.
    pub keys: Duration,
}

/// Accepts, changes and shows jobs.
#[derive(Debug)]
pub struct Jobs {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who follows them.
    pub hub: Hub,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who tells other replicas of events at once, where somebody does.
    news: Option<Arc<dyn News>>,
    /// There is something to send.
    to_send: Notify,
    /// How long things take and are kept.
    pub times: Times,
    /// The keys of requests that are being accepted here.
    underway: Mutex<HashSet<String>>,
}

/// A request that was accepted, now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepting {
    /// Its job.
    pub job: JobId,
    /// Whether it was accepted before, with the same key.
    pub repeated: bool,
}

/// Why a request is not accepted.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// Its key came before with another request.
    #[error("the key was used with another request")]
    OtherRequest,
    /// A request with its key is being accepted this moment.
    #[error("a request with this key is underway")]
    Underway,
    /// It is too large for a message.
    #[error("the request cannot be passed on")]
    TooLarge(#[source] EncodeError),
    /// It cannot be stored.
    #[error("the request cannot be stored")]
    Store(#[source] StoreError),
}

/// What became of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// The job is this now.
    Changed(Box<JobRecord>),
    /// It stays what it is.
    Ignored(Ignored, Box<JobRecord>),
    /// There is no such job.
    Unknown,
}

impl Jobs {
    /// Over a store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        times: Times,
        news: Option<Arc<dyn News>>,
    ) -> Self {
        Self {
            store,
            clock,
            hub: Hub::default(),
            metrics,
            news,
            to_send: Notify::new(),
            times,
            underway: Mutex::default(),
        }
    }

    /// Accepts a request: once this returns, it is stored and will be worked on.
    pub async fn accept(
        &self,
        request: TripRequest,
        key: Option<IdempotencyKey>,
        traceparent: Option<String>,
    ) -> Result<Accepting, AcceptError> {
        let _underway = match &key {
            Some(key) => Some(self.begin(&key.key).ok_or(AcceptError::Underway)?),
            None => None,
        };
        let now = self.clock.now();
        let id = JobId::new(now, random());
        let deadline = after(now, self.times.deadline);
        let new = NewJob { id, request, now, deadline, traceparent };
        let change = job::accept(new).map_err(AcceptError::TooLarge)?;
        match self.store.accept(change, key).await.map_err(AcceptError::Store)? {
            AcceptOutcome::Stored => {
                self.to_send.notify_one();
                self.metrics.accepted.inc();
                tracing::debug!(job.id = %id, "accepted");
                Ok(Accepting { job: id, repeated: false })
            }
            AcceptOutcome::Known(job) => Ok(Accepting { job, repeated: true }),
            AcceptOutcome::OtherRequest => Err(AcceptError::OtherRequest),
        }
    }

    fn begin(&self, key: &str) -> Option<Underway<'_>> {
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        underway
            .insert(key.to_owned())
            .then(|| Underway { keys: &self.underway, key: key.to_owned() })
    }

    /// Lets something happen to a job. Whoever else changes it at the same time, both changes count.
    pub async fn apply(&self, id: JobId, input: Input) -> Result<Applied, StoreError> {
        for _ in 0..TRIES {
            let Some(job) = self.store.job(id).await? else {
                self.metrics.ignore("unknown_job");
                return Ok(Applied::Unknown);
            };
            let change = match job::apply(&job, input.clone(), self.clock.now()) {
                Verdict::Ignored(ignored) => {
                    self.metrics.ignore(ignored.as_str());
                    return Ok(Applied::Ignored(ignored, Box::new(job)));
                }
                Verdict::Change(change) => change,
            };
            let (changed, sends) = (change.job.clone(), !change.outbox.is_empty());
            match self.store.commit(*change).await? {
                Committed::Conflict => {}
                Committed::Stored => {
                    if sends {
                        self.to_send.notify_one();
                    }
                    self.hub.raise(id, changed.last_event);
                    if let Some(news) = &self.news {
                        news.announce(id, changed.last_event);
                    }
                    self.count(&changed);
                    return Ok(Applied::Changed(Box::new(changed)));
                }
            }
        }
        let detail = format!("job {id} was changed by others {TRIES} times in a row");
        Err(StoreError::Unavailable { store: "job", detail })
    }

    /// Wakes the relay whenever there is something to send, until `stop`.
    pub async fn wake(&self, relay: &Notify, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.to_send.notified() => relay.notify_one(),
            }
        }
    }

    fn count(&self, job: &JobRecord) {
        if !job.status.is_terminal() {
            return;
        }
        let took = job.updated_at.duration_since(job.created_at).as_secs_f64();
        self.metrics.finish(job.status.as_str(), took);
        if job.status == JobStatus::Failed {
            let code = job.error.as_ref().map_or("", |error| error.code.as_str());
            tracing::info!(job.id = %job.id, error.code = code, "job failed");
        } else {
            tracing::debug!(job.id = %job.id, job.status = job.status.as_str(), "job ended");
        }
    }
}

/// A key whose request is being accepted.
struct Underway<'a> {
    keys: &'a Mutex<HashSet<String>>,
    key: String,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// A moment so much later, or the last there is.
fn after(now: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}
