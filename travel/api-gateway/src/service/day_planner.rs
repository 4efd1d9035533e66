use std::{ops::ControlFlow, sync::Arc, thread, time::Duration};

use mercurious_contracts::{facts::Facts, request::TripRequest, trip::Itinerary};
use mercurious_planning::again::{self, AgainError, Made, Settings};
use thiserror::Error;
use tokio::{
    sync::Semaphore,
    time::{error::Elapsed, timeout},
};

/// How long to wait for a free processor.
const PATIENCE: Duration = Duration::from_secs(5);

/// Plans one day of a trip anew, on as many processors as there are.
#[derive(Debug, Clone)]
pub struct DayPlanner {
    processors: Arc<Semaphore>,
}

/// Why a day was not planned.
#[derive(Debug, Error)]
pub enum PlanDayError {
    /// Others are being planned.
    #[error("all processors plan other days")]
    Busy(#[source] Elapsed),
    /// The planner ended by itself.
    #[error("the planner ended unexpectedly")]
    Ended,
    /// There is no other plan.
    #[error(transparent)]
    Again(#[from] AgainError),
}

impl Default for DayPlanner {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self { processors: Arc::new(Semaphore::new(processors)) }
    }
}

impl DayPlanner {
    /// The trip with its day `number`, from 0, planned anew.
    pub async fn plan(
        &self,
        request: TripRequest,
        facts: Facts,
        itinerary: Itinerary,
        number: usize,
        settings: Settings,
    ) -> Result<Itinerary, PlanDayError> {
        let free = Arc::clone(&self.processors).acquire_owned();
        let free = timeout(PATIENCE, free).await.map_err(PlanDayError::Busy)?;
        let free = free.map_err(|_| PlanDayError::Ended)?;
        // The search takes the processor for itself, and ends once its effort is spent.
        let planned = tokio::task::spawn_blocking(move || {
            let _free = free;
            let made = Made { request: &request, facts: &facts, itinerary: &itinerary };
            again::day(made, number, &settings, &mut |_| ControlFlow::Continue(()))
        });
        Ok(planned.await.map_err(|_| PlanDayError::Ended)??)
    }
}
