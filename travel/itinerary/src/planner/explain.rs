//! A reason for everything that is not in the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::{Compiled, Meaning};
use crate::{
    itinerary::{Item, Reason, Unplaced},
    orienteering::{Obstacle, Outcome},
    trip::{Place, PlaceId},
};

/// What is not in the plan: events and meals that were refused, then places in the trip's order, then
/// must-dos that nobody knows.
pub(super) fn unplaced(compiled: &Compiled<'_>, outcome: &Outcome) -> Vec<Unplaced> {
    let trip = compiled.trip;
    let mut unplaced = compiled.refused.clone();
    let placed: BTreeSet<usize> = outcome.tours.iter().flatten().map(|timed| timed.stop).collect();
    let left: BTreeMap<usize, Obstacle> =
        outcome.left.iter().map(|left| (left.stop, left.obstacle)).collect();
    let mut obstacles: BTreeMap<&PlaceId, Obstacle> = BTreeMap::new();
    let mut kept: BTreeSet<&PlaceId> = BTreeSet::new();
    for (stop, meaning) in compiled.meanings.iter().enumerate() {
        match meaning {
            Meaning::Place(place) if placed.contains(&stop) => {
                kept.insert(&place.id);
            }
            Meaning::Place(place) => {
                let obstacle = left.get(&stop).copied().unwrap_or(Obstacle::NoWindow);
                obstacles.insert(&place.id, obstacle);
            }
            Meaning::Event(event) if placed.contains(&stop) => kept.extend(event.place.as_ref()),
            Meaning::Event(_) | Meaning::Meal { .. } => {}
        }
    }
    for place in trip.places.iter().filter(|place| !kept.contains(&place.id)) {
        let reason = match compiled.excluded.get(&place.id) {
            Some(reason) => *reason,
            None => reason(place, obstacles.get(&place.id).copied()),
        };
        unplaced.push(because(place.id.clone(), trip.must_do.contains(&place.id), reason));
    }
    for id in &trip.must_do {
        if !trip.places.iter().any(|place| place.id == *id) {
            unplaced.push(because(id.clone(), true, Reason::Unknown));
        }
    }
    unplaced
}

fn because(id: PlaceId, asked_for: bool, reason: Reason) -> Unplaced {
    let detail = sentence(reason).to_owned();
    Unplaced { item: Item::Place { id }, asked_for, reason, detail }
}

fn reason(place: &Place, obstacle: Option<Obstacle>) -> Reason {
    match obstacle {
        None | Some(Obstacle::NoWindow) if place.serves.is_empty() => Reason::Closed,
        None | Some(Obstacle::NoWindow) => Reason::NoMeal,
        Some(Obstacle::Unreachable) => Reason::Unreachable,
        Some(Obstacle::Alone) => Reason::TooFar,
        Some(Obstacle::Given) => Reason::ConflictsWithFixed,
        Some(Obstacle::Time) => Reason::NoRoom,
        Some(Obstacle::Stops) => Reason::PaceFull,
        Some(Obstacle::Category) => Reason::CategoryFull,
        Some(Obstacle::Walk) => Reason::TooMuchWalking,
        Some(Obstacle::TourBudget | Obstacle::Budget) => Reason::OutOfBudget,
    }
}

fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::Unknown => "it is not among the candidate places",
        Reason::Avoided => "it is on the list of places to avoid",
        Reason::OtherArea => "no day is spent in its area",
        Reason::LacksNeed => "it lacks something that is needed",
        Reason::NoMeal => "no day has a meal that it serves while it is open",
        Reason::Closed => "on no day is it open long enough while the day lasts",
        Reason::Unreachable => "no way leads there and on from where the days start",
        Reason::TooFar => "even alone in a day it cannot be reached in its hours and left in time",
        Reason::ConflictsWithFixed => "what is fixed leaves no time for it",
        Reason::NoRoom => "the days have no time left for it",
        Reason::PaceFull => "the days that have time for it are as full as the pace allows",
        Reason::CategoryFull => "the days that have time for it have enough of its category",
        Reason::TooMuchWalking => "one would walk further than wanted",
        Reason::OutOfBudget => "there is no money left for it",
        Reason::OutsideDay => "it does not lie within its day",
    }
}
