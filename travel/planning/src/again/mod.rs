//! One day of a finished trip, planned anew.
//!
//! **Flow.** The day becomes a trip of its own: what is locked or agreed on is in it as events, places of other days
//! are not, and what the other days cost is spent. It is planned and judged like any trip; the slots that stay are
//! put back as they were, and the day takes the place of the old one.
//!
//! **Guarantees.** Other days stay as they are. What is locked or agreed on stays where it is, or nothing changes. What
//! comes out keeps every rule of the validator. The same input gives the same bytes.
//!
//! **Caveats.** What the day held before counts a tenth, so that it comes back only where little else fits. Texts are
//! those of the templates.

mod kept;
mod merge;
mod one_day;

use std::ops::ControlFlow;

use mercurious_contracts::{facts::Facts, request::TripRequest, trip::Itinerary};
use mercurious_itinerary::{
    itinerary::{Item, Unplaced},
    orienteering::Progress,
    planner::{self, PlanError},
    validator,
};
use thiserror::Error;

use crate::{problem::Problem, tell::Teller, writer::Phrases};
use kept::Stays;
use one_day::OneDay;

pub use mercurious_itinerary::planner::Request as Settings;

/// Why a day is not planned anew.
#[derive(Debug, Error)]
pub enum AgainError {
    /// The trip has no such day.
    #[error("the trip has {days} days")]
    NoSuchDay {
        /// How many it has.
        days: usize,
    },
    /// The facts do not make that trip.
    #[error("the facts do not belong to the trip: {reason}")]
    Facts {
        /// What is wrong.
        reason: String,
    },
    /// What is locked or agreed on does not go together.
    #[error("what is locked does not go together")]
    Apart {
        /// The slots that cannot stay, and why.
        slots: Vec<(usize, String)>,
    },
    /// The day would be what it is.
    #[error("nothing else fits")]
    Nothing,
    /// The day is no trip that can be planned.
    #[error("the day cannot be planned")]
    Plan(#[source] PlanError),
    /// The plan breaks a rule: a fault of the planner.
    #[error("the plan breaks a rule: {0}")]
    Rule(String),
}

/// A trip with all that it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// What was asked for.
    pub request: &'a TripRequest,
    /// What was found out.
    pub facts: &'a Facts,
    /// What was made of it, and changed by people since.
    pub itinerary: &'a Itinerary,
}

/// The trip with the day `number`, from 0, planned anew; `report` hears of the search and may end it.
pub fn day(
    made: Made<'_>,
    number: usize,
    settings: &Settings,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Itinerary, AgainError> {
    let Made { request, facts, itinerary } = made;
    let old =
        itinerary.days.get(number).ok_or(AgainError::NoSuchDay { days: itinerary.days.len() })?;
    let unfit = |reason: &str| AgainError::Facts { reason: reason.to_owned() };
    if facts.days.len() != itinerary.days.len() || facts.days[number].date != old.date {
        return Err(unfit("the days differ"));
    }
    let whole = Problem::new(request, facts).map_err(|error| unfit(&error.message))?;
    let mut one = OneDay::new(made, whole, number)?;
    let mut plan = planner::plan(&one.problem.trip, settings, report).map_err(AgainError::Plan)?;
    if !refused(&one.stays, &plan.itinerary.unplaced).is_empty() {
        // By hand things can be put closer together, and more into a day, than the pace asks for.
        one.problem.trip.events.iter_mut().for_each(|event| event.kept = None);
        plan = planner::plan(&one.problem.trip, settings, report).map_err(AgainError::Plan)?;
        let slots = refused(&one.stays, &plan.itinerary.unplaced);
        if !slots.is_empty() {
            return Err(AgainError::Apart { slots });
        }
    }
    if let Some(first) = validator::validate(&one.problem.trip, &plan.itinerary).first() {
        return Err(AgainError::Rule(first.to_string()));
    }
    let phrases = Phrases::of(itinerary.language.as_str());
    let told = Teller::new(request, &one.facts, &one.problem, phrases)
        .itinerary(&plan.itinerary, itinerary.language.clone());
    merge::merge(itinerary, number, told, (&plan.itinerary.days[0], &one.stays), phrases)
        .ok_or(AgainError::Nothing)
}

/// The slots that cannot stay, and why.
fn refused(stays: &[Stays], unplaced: &[Unplaced]) -> Vec<(usize, String)> {
    let why = |stays: &Stays| {
        let is_it = |unplaced: &&Unplaced| matches!(&unplaced.item, Item::Event { id } if *id == stays.event);
        unplaced.iter().find(is_it).map(|unplaced| (stays.slot, unplaced.detail.clone()))
    };
    stays.iter().filter_map(why).collect()
}
