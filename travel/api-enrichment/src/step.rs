//! Enrichment as a worker's step.

use async_trait::async_trait;
use mercurious_contracts::{
    JobId,
    message::{EnrichmentCompleted, EnrichmentProgress, EnrichmentRequest, JobError},
};
use mercurious_worker::{Progress, Step};

use crate::enrich::{Sources, enrich};

/// Gathers facts for each request.
pub struct EnrichmentStep {
    /// Where from.
    pub sources: Sources,
}

#[async_trait]
impl Step for EnrichmentStep {
    type Request = EnrichmentRequest;
    type Progress = EnrichmentProgress;
    type Completed = EnrichmentCompleted;

    fn service(&self) -> &'static str {
        "api-enrichment"
    }

    async fn run(
        &self,
        _: JobId,
        request: EnrichmentRequest,
        progress: &dyn Progress<EnrichmentProgress>,
    ) -> Result<EnrichmentCompleted, JobError> {
        let facts = enrich(&self.sources, &request.request, progress).await?;
        Ok(EnrichmentCompleted::Ok { facts: Box::new(facts) })
    }

    fn failed(error: JobError) -> EnrichmentCompleted {
        EnrichmentCompleted::Error { error }
    }
}
