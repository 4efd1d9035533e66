//! What stays where it is.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::date};
use mercurious_contracts::{
    Point,
    trip::{Activity, Place, Slot, TripDay},
};
use mercurious_itinerary::trip::{
    self, Day, EventId, FixedEvent, Kept, MealKind, Minute, Money, PlaceId, Spot, limits,
};

use crate::problem::{Problem, meal};

/// A slot that stays, and the event that stands for it.
#[derive(Debug, Clone)]
pub(super) struct Stays {
    /// Its place in the day.
    pub(super) slot: usize,
    pub(super) event: EventId,
}

/// What stays of a day, as the planner has it.
#[derive(Debug, Default)]
pub(super) struct KeptDay {
    pub(super) stays: Vec<Stays>,
    pub(super) events: Vec<FixedEvent>,
    /// The meals that are taken care of.
    pub(super) meals: BTreeSet<MealKind>,
    pub(super) places: BTreeSet<PlaceId>,
    pub(super) cost: i64,
}

/// The place that a slot names.
pub(super) fn named(slot: &Slot) -> Option<&Place> {
    match &slot.activity {
        Activity::Visit { place } => Some(place),
        Activity::Meal { place, .. } | Activity::Fixed { place, .. } => place.as_ref(),
        Activity::Travel { .. } | Activity::Free => None,
    }
}

/// Whether planning again leaves it where it is. What is agreed on cannot be anywhere else.
pub(super) fn stays(slot: &Slot) -> bool {
    match slot.activity {
        Activity::Travel { .. } | Activity::Free => false,
        Activity::Fixed { .. } => true,
        Activity::Visit { .. } | Activity::Meal { .. } => slot.locked,
    }
}

/// The minute of `day` at which `moment` is; of a part of a minute the beginning, or its end when `up`.
pub(super) fn minute(day: &Day, moment: &str, up: bool) -> Option<i32> {
    let moment: Timestamp = moment.parse().ok()?;
    let days = day.date.duration_since(date(1970, 1, 1)).as_secs() / 86_400;
    let midnight = days * 86_400 - i64::from(day.clock.offset) * 60;
    let seconds = moment.as_second() - midnight;
    i32::try_from((seconds + if up { 59 } else { 0 }).div_euclid(60)).ok()
}

/// What stays of `old`. The slots that cannot are returned with the reason.
pub(super) fn kept(
    old: &TripDay,
    problem: &mut Problem,
    day: &Day,
) -> Result<KeptDay, Vec<(usize, String)>> {
    let mut kept = KeptDay::default();
    let mut faults = Vec::new();
    // What has no point stays where one was.
    let mut here = day.base.start;
    for (number, slot) in old.slots.iter().enumerate() {
        let known = named(slot).and_then(|place| {
            let is_it = |known: &&trip::Place| known.id.as_str() == place.id;
            let known = problem.trip.places.iter().find(is_it)?;
            Some((known.id.clone(), known.spot))
        });
        here = match (&known, point(slot)) {
            (Some((_, spot)), _) => *spot,
            (None, Some(point)) => spot(problem, point),
            (None, None) => here,
        };
        if !stays(slot) {
            continue;
        }
        let span = (minute(day, &slot.start, false), minute(day, &slot.end, true));
        let within = |minute: i32| (0..=limits::MINUTE).contains(&minute);
        let (Some(start), Some(end), Ok(event)) =
            (span.0, span.1, EventId::new(format!("kept-{number}")))
        else {
            faults.push((number, "its times cannot be read".to_owned()));
            continue;
        };
        if !within(start) || !within(end) || end < start {
            faults.push((number, "it does not lie within the day".to_owned()));
            continue;
        }
        let cost = slot.cost.max.clamp(0, limits::MONEY);
        kept.cost = kept.cost.saturating_add(cost);
        if let Activity::Meal { meal: kind, .. } = &slot.activity {
            kept.meals.insert(meal(*kind));
        }
        let place = known.map(|(id, _)| id).filter(|id| kept.places.insert(id.clone()));
        kept.events.push(FixedEvent {
            id: event.clone(),
            title: "kept".to_owned(),
            day: 0,
            start: Minute(start),
            end: Minute(end),
            spot: here,
            kept: place.as_ref().and_then(|_| counts_as(&slot.activity)),
            place,
            cost: Money(cost),
        });
        kept.stays.push(Stays { slot: number, event });
    }
    if faults.is_empty() { Ok(kept) } else { Err(faults) }
}

/// The spot of a point; a new one where nothing was there before.
fn spot(problem: &mut Problem, point: Point) -> Spot {
    let known = problem.points.iter().position(|known| *known == point);
    Spot(known.unwrap_or_else(|| {
        problem.points.push(point);
        problem.points.len() - 1
    }) as u32)
}

fn counts_as(activity: &Activity) -> Option<Kept> {
    match activity {
        Activity::Visit { .. } => Some(Kept::Visit),
        Activity::Meal { .. } => Some(Kept::Meal),
        _ => None,
    }
}

/// Where one is at the end of a slot, as far as it says.
fn point(slot: &Slot) -> Option<Point> {
    match &slot.activity {
        Activity::Fixed { point: Some(point), .. } => Some(*point),
        Activity::Travel { travel } => Some(travel.to),
        _ => named(slot).map(|place| place.point),
    }
}
