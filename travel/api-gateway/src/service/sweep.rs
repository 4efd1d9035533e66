use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mercurious_runtime::CancellationToken;

use super::Jobs;
use crate::{job::Input, store::StoreError};

/// How many at once.
const BATCH: usize = 100;
/// How often old jobs are forgotten.
const PRUNE_EVERY: u32 = 60;

/// Fails what is overdue and forgets what is old, until `stop`. Each replica does it; a job is failed once.
pub async fn sweep(jobs: Arc<Jobs>, every: Duration, stop: CancellationToken) {
    let mut round = 0_u32;
    while !stop.is_cancelled() {
        if let Err(error) = jobs.fail_overdue().await {
            tracing::warn!(error = %error, "overdue jobs cannot be looked for");
        }
        if round.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = jobs.forget_old().await
        {
            tracing::warn!(error = %error, "old jobs cannot be forgotten");
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

impl Jobs {
    /// Fails every job whose deadline is past. Returns how many there were.
    pub async fn fail_overdue(&self) -> Result<usize, StoreError> {
        let mut failed = 0;
        loop {
            let overdue = self.store.overdue(self.clock.now(), BATCH).await?;
            for job in &overdue {
                self.apply(*job, Input::Overdue).await?;
            }
            failed += overdue.len();
            if overdue.len() < BATCH {
                return Ok(failed);
            }
        }
    }

    /// Forgets jobs and keys that are older than they are kept. Returns how many jobs there were.
    pub async fn forget_old(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let before = |time| {
            let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
            now.checked_sub(time).unwrap_or(Timestamp::MIN)
        };
        let retention = self.times.retention;
        let (jobs, keys) = (before(retention.jobs), before(retention.keys));
        let mut forgotten = 0;
        loop {
            let some = self.store.prune(jobs, keys, BATCH).await?;
            forgotten += some;
            if some < BATCH as u64 {
                return Ok(forgotten);
            }
        }
    }
}
