//! Plans a trip: from [`Trip`] to [`Itinerary`].
//!
//! **Flow.** The trip is checked; fixed events and meals are put into their days, as far as they go
//! together; what remains is a problem of [`crate::orienteering`], with a tour for each day; the tours found
//! become slots; whatever is in no tour gets a reason.
//!
//! **Guarantees.** The same trip and request give the same bytes. What is planned keeps every rule of
//! [`crate::validator`], which shares no code with this. Everything that was asked for and is not in the plan is
//! named with its reason. Must-dos come before everything else.
//!
//! **Caveats.** A meal without a place is eaten wherever one is at that time. Ways cost nothing.

mod assemble;
mod compile;
mod explain;
mod given;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    itinerary::Itinerary,
    orienteering::{self, Progress, Settings},
    trip::{Trip, TripError},
};

/// How to plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The same seed gives the same plan.
    pub seed: u64,
    /// How hard to search; see [`Settings::effort`].
    pub effort: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self { seed: 1, effort: Settings::EFFORT }
    }
}

/// A plan, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plan.
    pub itinerary: Itinerary,
    /// Whether the search was told to stop; the plan is feasible all the same.
    pub interrupted: bool,
    /// Rounds of the search.
    pub rounds: u64,
}

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The trip has faults.
    #[error(transparent)]
    Trip(#[from] TripError),
    /// The trip passed its check and still is no problem that can be solved: a fault of this crate.
    #[error("the trip makes no problem that can be solved")]
    Problem(#[from] orienteering::ProblemError),
}

/// Plans `trip`; `report` hears of the search now and then and may end it with the best plan so far.
pub fn plan(
    trip: &Trip,
    request: &Request,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Plan, PlanError> {
    trip.check()?;
    let mut compiled = compile::Compiled::new(trip);
    given::settle(&mut compiled);
    compiled.add_places();
    let settings = Settings { seed: request.seed, effort: request.effort };
    let outcome = orienteering::solve(&compiled.problem, &settings, report)?;
    let unplaced = explain::unplaced(&compiled, &outcome);
    Ok(Plan {
        itinerary: assemble::itinerary(&compiled, &outcome, unplaced, request.seed),
        interrupted: outcome.interrupted,
        rounds: outcome.rounds,
    })
}
