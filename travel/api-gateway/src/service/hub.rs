use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mercurious_contracts::JobId;
use mercurious_runtime::CancellationToken;
use tokio::sync::watch;

use crate::store::Store;

/// Wakes whoever follows a job when there are events that they have not seen.
///
/// Changes of this process arrive at once, those of others when the store is asked, for all followed jobs in one
/// query, or when the store's news tell of them.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    followed: Arc<Mutex<HashMap<JobId, watch::Sender<u64>>>>,
}

/// One who follows a job. Nobody is told any more once all of them are dropped.
#[derive(Debug)]
pub struct Follow {
    job: JobId,
    head: Option<watch::Receiver<u64>>,
    hub: Hub,
}

impl Hub {
    /// Begins to follow a job.
    pub fn follow(&self, job: JobId) -> Follow {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = followed.entry(job).or_insert_with(|| watch::channel(0).0);
        Follow { job, head: Some(sender.subscribe()), hub: self.clone() }
    }

    /// The newest event of a job has this sequence.
    pub fn raise(&self, job: JobId, head: u64) {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = followed.get(&job) {
            sender.send_if_modified(|known| {
                let higher = head > *known;
                *known = head.max(*known);
                higher
            });
        }
    }

    /// The jobs that are followed.
    pub fn jobs(&self) -> Vec<JobId> {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.keys().copied().collect()
    }

    /// Asks the store for news of the followed jobs, again and again, until `stop`.
    pub async fn watch(&self, store: Arc<dyn Store>, every: Duration, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            for jobs in self.jobs().chunks(500) {
                match store.heads(jobs).await {
                    Ok(heads) => heads.into_iter().for_each(|(job, head)| self.raise(job, head)),
                    Err(error) => tracing::debug!(error = %error, "no news of followed jobs"),
                }
            }
        }
    }
}

impl Follow {
    /// Waits until the job has an event after `seen`.
    pub async fn beyond(&mut self, seen: u64) {
        if let Some(head) = &mut self.head {
            // The sender stays as long as anybody follows.
            let _ = head.wait_for(|head| *head > seen).await;
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.head = None;
        let mut followed = self.hub.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.get(&self.job).is_some_and(|sender| sender.receiver_count() == 0) {
            followed.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::job_id;

    #[tokio::test]
    async fn who_follows_hears_of_news_once_and_not_of_old_ones() {
        let hub = Hub::default();
        let mut follow = hub.follow(job_id(1));
        hub.raise(job_id(1), 3);
        hub.raise(job_id(1), 2);
        hub.raise(job_id(2), 9);
        follow.beyond(2).await;
        let waiting = tokio::time::timeout(Duration::ZERO, follow.beyond(3)).await;
        assert!(waiting.is_err(), "there is nothing after 3");
    }

    #[tokio::test]
    async fn a_job_that_nobody_follows_is_forgotten() {
        let hub = Hub::default();
        let (one, other) = (hub.follow(job_id(1)), hub.follow(job_id(1)));
        drop(one);
        assert_eq!(hub.jobs(), [job_id(1)]);
        drop(other);
        assert!(hub.jobs().is_empty());
    }
}
