use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mercurious_contracts::message::{JobError, JobErrorCode};
use mercurious_messaging::{Outbox, OutboxRow, StoreError};

use super::Jobs;
use crate::job::{Input, Step};

/// The outbox of the jobs' store, as the relay sees it.
pub struct Posting(pub Arc<Jobs>);

#[async_trait]
impl Outbox for Posting {
    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.0.store.claim(self.0.clock.now(), limit, lease).await?)
    }

    async fn sent(&self, ids: &[String]) -> Result<(), StoreError> {
        Ok(self.0.store.sent(ids).await?)
    }

    async fn refused(&self, id: &str, reason: &str) -> Result<(), StoreError> {
        let Some(job) = self.0.store.set_aside(id, reason).await? else { return Ok(()) };
        // Nobody will ever work on it. A job that is past that step is not touched.
        let error = JobError::new(
            JobErrorCode::Internal,
            "the broker refuses the job's messages; tell whoever runs this service",
        );
        for step in [Step::Enrichment, Step::Generation] {
            self.0.apply(job, Input::Failed(step, error.clone())).await?;
        }
        Ok(())
    }
}
