//! Judges an itinerary, whoever made it: a planner, a model, a person.
//!
//! It knows the facts of the [`Trip`] and nothing of how plans are made; it shares no code with
//! [`crate::planner`]. It names every violation it finds: the rule, the place in the itinerary, a sentence. It
//! never panics, whatever the itinerary says; one that is too large is not read further.

mod day;
mod route;
mod rule;
mod whole;

use crate::{itinerary::Itinerary, trip::Trip};

pub use rule::{At, Rule, Violation};

/// The largest itinerary that is read.
pub mod limits {
    /// Slots of a day.
    pub const SLOTS: usize = 1_000;
    /// What is listed as not in the plan.
    pub const UNPLACED: usize = 5_000;
    /// Warnings.
    pub const WARNINGS: usize = 10_000;
}

/// Every violation of a rule that `itinerary` holds, day by day, then of the whole.
///
/// The trip must have passed [`Trip::check`].
pub fn validate(trip: &Trip, itinerary: &Itinerary) -> Vec<Violation> {
    let mut violations = Vec::new();
    if let Some(violation) = too_large(itinerary) {
        return vec![violation];
    }
    let facts = rule::Facts::new(trip);
    whole::days(trip, itinerary, &mut violations);
    for (number, (plan, day)) in itinerary.days.iter().zip(&trip.days).enumerate() {
        day::check(&facts, number, day, plan, &mut violations);
        route::check(&facts, number, day, (plan, itinerary), &mut violations);
    }
    whole::check(&facts, itinerary, &mut violations);
    violations
}

fn too_large(itinerary: &Itinerary) -> Option<Violation> {
    let large = |what: &str, day: Option<usize>, count: usize, limit: usize| {
        (count > limit).then(|| Violation {
            rule: Rule::TooLarge,
            at: At { day, slot: None },
            message: format!("{count} {what} are more than {limit}"),
        })
    };
    large("days", None, itinerary.days.len(), crate::trip::limits::DAYS)
        .or_else(|| large("unplaced items", None, itinerary.unplaced.len(), limits::UNPLACED))
        .or_else(|| large("warnings", None, itinerary.warnings.len(), limits::WARNINGS))
        .or_else(|| {
            let mut days = itinerary.days.iter().enumerate();
            days.find_map(|(day, plan)| large("slots", Some(day), plan.slots.len(), limits::SLOTS))
        })
}
