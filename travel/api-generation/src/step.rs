//! Generation as a worker's step.

use async_trait::async_trait;
use mercurious_contracts::{
    JobId,
    message::{GenerationCompleted, GenerationProgress, GenerationRequest, JobError},
};
use mercurious_worker::{Progress, Step};

use crate::generate::{Generator, seed_of};

/// Makes an itinerary for each request.
#[derive(Debug)]
pub struct GenerationStep {
    /// Who makes them.
    pub generator: Generator,
}

#[async_trait]
impl Step for GenerationStep {
    type Request = GenerationRequest;
    type Progress = GenerationProgress;
    type Completed = GenerationCompleted;

    fn service(&self) -> &'static str {
        "api-generation"
    }

    async fn run(
        &self,
        job: JobId,
        request: GenerationRequest,
        progress: &dyn Progress<GenerationProgress>,
    ) -> Result<GenerationCompleted, JobError> {
        let GenerationRequest { request, facts } = request;
        let itinerary = self.generator.generate(&request, &facts, seed_of(job), progress).await?;
        Ok(GenerationCompleted::Ok { itinerary: Box::new(itinerary) })
    }

    fn failed(error: JobError) -> GenerationCompleted {
        GenerationCompleted::Error { error }
    }
}
