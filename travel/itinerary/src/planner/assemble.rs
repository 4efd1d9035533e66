//! Tours as slots.

use super::compile::{Compiled, Meaning};
use crate::{
    itinerary::{
        Activity, DayPlan, Item, Itinerary, Part, PlaceRef, Planner, SCHEMA_VERSION, Slot, Totals,
        Unplaced, Warning, WarningCode,
    },
    orienteering::{Outcome, Timed},
    trip::{Day, Metres, Minute, Money, Spot, Trip},
};

/// The itinerary that `outcome` stands for.
pub(super) fn itinerary(
    compiled: &Compiled<'_>,
    outcome: &Outcome,
    unplaced: Vec<Unplaced>,
    seed: u64,
) -> Itinerary {
    let trip = compiled.trip;
    let mut totals = Totals::default();
    let mut warnings = Vec::new();
    let days = (trip.days.iter().enumerate())
        .map(|(number, day)| {
            let mut writer = Writer {
                trip,
                day,
                at: day.base.start,
                now: day.start,
                walk: 0,
                slots: Vec::new(),
                begun: false,
            };
            for timed in &outcome.tours[number] {
                writer.stop(compiled, *timed, &mut totals, &mut warnings);
            }
            if !compiled.impossible.contains(&number) {
                let from = writer.now;
                writer.travel(day.base.end, from);
            }
            let cost = Money(writer.slots.iter().map(|slot| slot.cost.0).sum());
            let walk = Metres(writer.walk);
            totals.walk.0 += walk.0;
            totals.cost.0 += cost.0;
            DayPlan { date: day.date, slots: writer.slots, walk, cost }
        })
        .collect();
    for unplaced in unplaced.iter().filter(|unplaced| unplaced.asked_for) {
        warnings.push(Warning {
            code: WarningCode::NotKept,
            about: unplaced.item.clone(),
            message: format!("asked for, but not in the plan: {}", unplaced.detail),
        });
    }
    Itinerary {
        schema_version: SCHEMA_VERSION,
        planner: Planner {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
        },
        language: trip.language.clone(),
        currency: trip.currency.clone(),
        days,
        totals,
        unplaced,
        warnings,
    }
}

/// Writes the slots of one day.
struct Writer<'a> {
    trip: &'a Trip,
    day: &'a Day,
    at: Spot,
    now: Minute,
    walk: u32,
    slots: Vec<Slot>,
    begun: bool,
}

impl Writer<'_> {
    fn slot(&mut self, start: Minute, end: Minute, cost: Money, activity: Activity) {
        // By what a clock shows, in whichever day it is by then.
        let shown = start.0 + self.day.clock.offset_at(start) - self.day.clock.offset;
        let part = match shown.rem_euclid(1440) {
            0..720 => Part::Morning,
            720..1080 => Part::Afternoon,
            _ => Part::Evening,
        };
        self.slots.push(Slot {
            start,
            end,
            starts_at: self.day.moment(start),
            ends_at: self.day.moment(end),
            part,
            cost,
            activity,
        });
        self.now = end;
        self.begun = true;
    }

    /// Goes to `to`, leaving at `leave`.
    fn travel(&mut self, to: Spot, leave: Minute) {
        let Some(leg) = self.trip.travel.leg(self.at, to) else { return };
        let from = std::mem::replace(&mut self.at, to);
        self.walk += leg.metres.0;
        if leg.minutes == 0 && leg.metres.0 == 0 {
            return;
        }
        let activity = Activity::Travel { from, to, mode: leg.mode, metres: leg.metres };
        self.slot(leave, Minute(leave.0 + leg.minutes), Money(0), activity);
    }

    /// Waits until `until`.
    fn wait(&mut self, until: Minute) {
        if self.begun && self.now < until {
            self.slot(self.now, until, Money(0), Activity::Free);
        }
    }

    fn stop(
        &mut self,
        compiled: &Compiled<'_>,
        timed: Timed,
        totals: &mut Totals,
        warnings: &mut Vec<Warning>,
    ) {
        let (start, end) = (Minute(timed.start), Minute(timed.end));
        let (spot, cost, category, place, activity) = match compiled.meanings[timed.stop] {
            Meaning::Event(event) => {
                let place = (event.place.as_ref())
                    .and_then(|id| self.trip.places.iter().find(|place| place.id == *id));
                let activity = Activity::Fixed {
                    event: event.id.clone(),
                    title: event.title.clone(),
                    place: place.map(PlaceRef::from),
                };
                (Some(event.spot), event.cost, "fixed", place, activity)
            }
            Meaning::Meal { meal, .. } => {
                let activity = Activity::Meal { meal: meal.kind, place: None };
                (None, meal.cost, "meal", None, activity)
            }
            Meaning::Place(place) => {
                let meal = timed.serving.map(|stop| compiled.meanings[stop]);
                let activity = match meal {
                    Some(Meaning::Meal { meal, .. }) => {
                        Activity::Meal { meal: meal.kind, place: Some(place.into()) }
                    }
                    _ => Activity::Visit { place: place.into() },
                };
                (Some(place.spot), place.cost, place.category.as_str(), Some(place), activity)
            }
        };
        if let Some(spot) = spot {
            let minutes = self.trip.travel.leg(self.at, spot).map_or(0, |leg| leg.minutes);
            // The day's first way begins as late as it can.
            let leave = if self.begun { self.now } else { Minute(start.0 - minutes) };
            self.travel(spot, leave);
        }
        self.wait(start);
        if matches!(activity, Activity::Visit { .. }) {
            totals.visits += 1;
        }
        totals.by_category.entry(category.to_owned()).or_default().0 += cost.0;
        if let Some(place) = place.filter(|place| place.estimated) {
            warnings.push(Warning {
                code: WarningCode::Estimate,
                about: Item::Place { id: place.id.clone() },
                message: format!("hours, length or cost of {} are estimates", place.name),
            });
        }
        self.slot(start, end, cost, activity);
    }
}
