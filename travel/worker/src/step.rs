//! The work of a service, without its broker.

use std::ops::ControlFlow;

use async_trait::async_trait;
use mercurious_contracts::{
    JobId,
    message::{JobError, Message},
};
use mercurious_runtime::CancellationToken;

/// Hears how far a step is, and ends it when its job is not wanted any more.
#[async_trait]
pub trait Progress<P: Send + 'static>: Send + Sync {
    /// Tells how far it is. Breaks when the step should end; what it returns then does not matter.
    async fn report(&self, progress: P) -> ControlFlow<()>;

    /// Cancelled when the step should end.
    fn stopping(&self) -> CancellationToken;
}

/// Nobody listens and nobody cancels: for tools and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

#[async_trait]
impl<P: Send + 'static> Progress<P> for Unwatched {
    async fn report(&self, _: P) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn stopping(&self) -> CancellationToken {
        CancellationToken::new()
    }
}

/// One step of a job.
#[async_trait]
pub trait Step: Send + Sync + 'static {
    /// What asks for it.
    type Request: Message + Sync;
    /// How far it is.
    type Progress: Message + Sync + 'static;
    /// Its end.
    type Completed: Message + Sync;

    /// The service's name.
    fn service(&self) -> &'static str;

    /// Does it. An error of the code `dependency_unavailable` is tried again later; every other one ends the job.
    async fn run(
        &self,
        job: JobId,
        request: Self::Request,
        progress: &dyn Progress<Self::Progress>,
    ) -> Result<Self::Completed, JobError>;

    /// Its end, when it came to nothing.
    fn failed(error: JobError) -> Self::Completed;
}
