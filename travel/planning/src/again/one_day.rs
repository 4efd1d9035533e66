//! The day as a trip of its own.

use std::collections::BTreeSet;

use mercurious_contracts::{
    facts::Facts,
    trip::{Itinerary, TripDay},
};
use mercurious_itinerary::trip::{Day, FixedEvent, Hours, Minute, Money, Score, Trip, limits};

use super::{
    AgainError, Made,
    kept::{self, KeptDay, Stays, named},
};
use crate::{problem::Problem, ways};

/// What the day held before is worth this part of what it is worth otherwise.
const BEFORE: u32 = 10;

pub(super) struct OneDay {
    /// What is planned.
    pub(super) problem: Problem,
    /// What is told from.
    pub(super) facts: Facts,
    /// What stays.
    pub(super) stays: Vec<Stays>,
}

impl OneDay {
    pub(super) fn new(
        made: Made<'_>,
        mut problem: Problem,
        number: usize,
    ) -> Result<Self, AgainError> {
        let Made { facts, itinerary, .. } = made;
        let old = &itinerary.days[number];
        let mut day = problem.trip.days[number].clone();
        let kept =
            kept::kept(old, &mut problem, &day).map_err(|slots| AgainError::Apart { slots })?;
        problem.trip.travel = ways::table(&problem.points, &facts.travel);
        stretch(&mut day, &problem.trip, &kept.events);
        neighbours(&mut day, itinerary, number);
        day.meals.retain(|meal| !kept.meals.contains(&meal.kind));
        let spent: i64 = itinerary
            .days
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .flat_map(|(_, day)| &day.slots)
            .fold(0, |sum, slot| sum.saturating_add(slot.cost.max));
        // What stays is paid for, whatever the budget was.
        let left = |budget: Money, spent: i64| {
            Money(budget.0.saturating_sub(spent).max(kept.cost).min(limits::MONEY))
        };
        problem.trip.budget = problem.trip.budget.map(|budget| left(budget, spent));
        day.budget = day.budget.map(|budget| left(budget, 0));
        places(&mut problem.trip, itinerary, number, &kept);
        problem.trip.days = vec![day];
        problem.trip.events = kept.events;
        let facts = Facts {
            days: vec![facts.days[number].clone()],
            unresolved: Vec::new(),
            warnings: Vec::new(),
            ..facts.clone()
        };
        Ok(Self { problem, facts, stays: kept.stays })
    }
}

/// The day lasts at least as long as what stays, with the way there and back.
fn stretch(day: &mut Day, trip: &Trip, events: &[FixedEvent]) {
    for event in events {
        let way = |from, to| trip.travel.leg(from, to).map_or(0, |leg| leg.minutes);
        let start = event.start.0 - way(day.base.start, event.spot);
        let end = event.end.0 + way(event.spot, day.base.end);
        day.start = Minute(day.start.0.min(start.max(0)));
        day.end = Minute(day.end.0.max(end.min(limits::MINUTE)));
    }
}

/// What the other days hold reaches into the night at times.
fn neighbours(day: &mut Day, itinerary: &Itinerary, number: usize) {
    let slots = |days: &[TripDay]| {
        let slots = days.iter().flat_map(|day| &day.slots);
        slots.map(|slot| (slot.start.clone(), slot.end.clone())).collect::<Vec<_>>()
    };
    let before = slots(&itinerary.days[..number]);
    let after = slots(&itinerary.days[number + 1..]);
    let ended = before.iter().filter_map(|(_, end)| kept::minute(day, end, true)).max();
    let begins = after.iter().filter_map(|(start, _)| kept::minute(day, start, false)).min();
    if let Some(ended) = ended {
        day.start = Minute(day.start.0.max(ended.min(limits::MINUTE)));
    }
    if let Some(begins) = begins {
        day.end = Minute(day.end.0.min(begins));
    }
    day.end = day.end.max(day.start);
}

/// Which places are candidates for the day, when they are open, and what they are worth.
fn places(trip: &mut Trip, itinerary: &Itinerary, number: usize, kept: &KeptDay) {
    let named_on = |wanted: bool| -> BTreeSet<&str> {
        let days = itinerary.days.iter().enumerate();
        days.filter(|(other, _)| (*other == number) == wanted)
            .flat_map(|(_, day)| &day.slots)
            .filter_map(named)
            .map(|place| place.id.as_str())
            .collect()
    };
    let (elsewhere, before) = (named_on(false), named_on(true));
    trip.avoid.retain(|id| !kept.places.contains(id));
    trip.places.retain(|place| !elsewhere.contains(place.id.as_str()));
    trip.must_do.retain(|id| trip.places.iter().any(|place| place.id == *id));
    for place in &mut trip.places {
        if let Hours::Days(days) = &mut place.hours {
            let open = days.get(number).cloned().unwrap_or_default();
            *days = vec![open];
        }
        if before.contains(place.id.as_str()) && !trip.must_do.contains(&place.id) {
            place.score = Score(place.score.0 / BEFORE);
        }
    }
}
