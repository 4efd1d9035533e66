//! Jobs that are not wanted any more.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use mercurious_contracts::{JobId, envelope, message::JobCancelled};
use mercurious_messaging::{Follower, SourceError};
use mercurious_runtime::CancellationToken;

/// Which jobs were cancelled lately, and which are being worked on.
#[derive(Debug, Clone)]
pub struct Cancelled(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    jobs: LruCache<JobId, ()>,
    /// A token for each job at work, and how many hold it.
    running: BTreeMap<JobId, (CancellationToken, usize)>,
}

const KEPT: usize = 10_000;

impl Default for Cancelled {
    fn default() -> Self {
        let size = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        let state = State { jobs: LruCache::new(size), running: BTreeMap::new() };
        Self(Arc::new(Mutex::new(state)))
    }
}

/// A job at work; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Running {
    cancelled: Cancelled,
    job: JobId,
    pub(crate) stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.cancelled.state();
        if let Some((_, holders)) = state.running.get_mut(&self.job) {
            *holders -= 1;
            if *holders == 0 {
                state.running.remove(&self.job);
            }
        }
    }
}

impl Cancelled {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job is not wanted any more.
    pub fn cancel(&self, job: JobId) {
        let mut state = self.state();
        state.jobs.put(job, ());
        if let Some((token, _)) = state.running.get(&job) {
            token.cancel();
        }
    }

    /// Begins to work on a job; none when it is not wanted.
    pub(crate) fn begin(&self, job: JobId) -> Option<Running> {
        let mut state = self.state();
        if state.jobs.contains(&job) {
            return None;
        }
        let (token, holders) =
            state.running.entry(job).or_insert_with(|| (CancellationToken::new(), 0));
        *holders += 1;
        Some(Running { cancelled: self.clone(), job, stop: token.clone() })
    }

    /// Hears of cancelled jobs until `stop`. What cannot be read is skipped.
    pub async fn follow(
        &self,
        mut follower: Box<dyn Follower>,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                message = follower.next() => message?,
            };
            match envelope::decode::<JobCancelled>(&message) {
                Ok(envelope) => self.cancel(envelope.about.job),
                Err(error) => {
                    tracing::warn!(error = %error, position = %message.position, "unreadable cancellation skipped");
                }
            }
        }
    }
}
