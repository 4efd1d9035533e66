use std::fmt;

use async_trait::async_trait;
use mercurious_contracts::JobId;
use mercurious_runtime::CancellationToken;

use super::Hub;

/// Tells other replicas of events at once. News may get lost: the store is asked as well, a little later.
#[async_trait]
pub trait News: fmt::Debug + Send + Sync {
    /// A job's newest event has this sequence. Does not wait.
    fn announce(&self, job: JobId, head: u64);

    /// Sends what was announced, and hands on what others announce, until `stop`.
    async fn listen(&self, hub: &Hub, stop: CancellationToken);
}
