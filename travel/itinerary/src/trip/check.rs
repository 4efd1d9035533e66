//! What a trip must be like before it can be planned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Mode, Span, Spot, Trip};

/// The largest trip that is accepted.
pub mod limits {
    /// Days.
    pub const DAYS: usize = 30;
    /// Places.
    pub const PLACES: usize = 1_000;
    /// Fixed events.
    pub const EVENTS: usize = 100;
    /// Spots in the travel table.
    pub const SPOTS: u32 = 1_100;
    /// Meals of a day.
    pub const MEALS: usize = 6;
    /// Opening spans of a day.
    pub const SPANS: usize = 8;
    /// The last minute of a day that anything may refer to: the end of the next day.
    pub const MINUTE: i32 = 2_940;
    /// Minutes of one way.
    pub const WAY: i32 = 100_000;
    /// Score of a place.
    pub const SCORE: u32 = 100_000;
    /// Any amount of money, in the smallest unit.
    pub const MONEY: i64 = 1_000_000_000_000;
    /// Bytes of a name, source or licence.
    pub const TEXT: usize = 500;
    /// Tags of a place.
    pub const TAGS: usize = 50;
}

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// More than the documented limit.
    TooMany,
    /// A number outside its limits.
    OutOfRange,
    /// It ends before it starts.
    EndsBeforeStart,
    /// It is there twice.
    Duplicate,
    /// It refers to something that does not exist.
    Unknown,
    /// Days out of order.
    Order,
    /// A list or table with the wrong length.
    Length,
    /// A text that is too long.
    TooLong,
    /// Something that is not allowed, or not together.
    NotAllowed,
}

/// One fault of a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where it is, such as `days[2].end`.
    pub field: String,
    /// What kind it is.
    pub code: FaultCode,
    /// What is wrong.
    pub message: String,
}

/// Why a trip is not planned: all that is wrong with it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the trip cannot be planned: {}", .faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
pub struct TripError {
    /// Its faults, at most 100.
    pub faults: Vec<Fault>,
}

/// More faults than this are not listed.
const MOST: usize = 100;

struct Faults<'a> {
    trip: &'a Trip,
    found: Vec<Fault>,
}

impl Trip {
    /// Checks every field; names all faults at once.
    pub fn check(&self) -> Result<(), TripError> {
        let mut faults = Faults { trip: self, found: Vec::new() };
        // Sizes first: what is too large is not walked through.
        faults.sizes();
        if faults.found.is_empty() {
            faults.travel();
            faults.days();
            faults.places();
            faults.events();
            faults.wishes();
        }
        faults.found.truncate(MOST);
        if faults.found.is_empty() { Ok(()) } else { Err(TripError { faults: faults.found }) }
    }
}

impl Faults<'_> {
    fn add(&mut self, field: impl Into<String>, code: FaultCode, message: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(Fault { field: field.into(), code, message: message.into() });
        }
    }

    fn at_most(&mut self, field: impl Into<String>, count: usize, limit: usize) {
        if count > limit {
            self.add(field, FaultCode::TooMany, format!("{count} are more than {limit}"));
        }
    }

    fn within(&mut self, field: impl Into<String>, value: i64, limit: i64) {
        if !(0..=limit).contains(&value) {
            let message = format!("{value} is not between 0 and {limit}");
            self.add(field, FaultCode::OutOfRange, message);
        }
    }

    fn text(&mut self, field: impl Into<String>, text: &str) {
        if text.len() > limits::TEXT {
            let message = format!("{} bytes are more than {}", text.len(), limits::TEXT);
            self.add(field, FaultCode::TooLong, message);
        }
    }

    fn spot(&mut self, field: impl Into<String>, spot: Spot) {
        if spot.0 >= self.trip.travel.spots() {
            let message = format!("the travel table has no spot {spot}");
            self.add(field, FaultCode::Unknown, message);
        }
    }

    fn spans(&mut self, field: &str, spans: &[Span]) {
        self.at_most(field, spans.len(), limits::SPANS);
        for span in spans.iter().take(limits::SPANS) {
            self.within(field, i64::from(span.opens.0), i64::from(limits::MINUTE));
            self.within(field, i64::from(span.closes.0), i64::from(limits::MINUTE));
            if span.closes < span.opens {
                let message = "it closes before it opens; past midnight, count on from 1440";
                self.add(field, FaultCode::EndsBeforeStart, message);
            }
        }
    }

    fn sizes(&mut self) {
        let trip = self.trip;
        self.at_most("days", trip.days.len(), limits::DAYS);
        self.at_most("places", trip.places.len(), limits::PLACES);
        self.at_most("events", trip.events.len(), limits::EVENTS);
        self.at_most("must_do", trip.must_do.len(), limits::PLACES);
        self.at_most("avoid", trip.avoid.len(), limits::PLACES);
        self.at_most("travel", trip.travel.spots() as usize, limits::SPOTS as usize);
        let spots = trip.travel.spots() as usize;
        if trip.travel.legs().len() != spots.saturating_mul(spots) {
            let message = format!("{spots} spots need {spots} rows of {spots} ways");
            self.add("travel.legs", FaultCode::Length, message);
        }
    }

    fn travel(&mut self) {
        let trip = self.trip;
        let mut forbidden = BTreeSet::new();
        for leg in trip.travel.legs().iter().flatten() {
            self.within("travel.legs.minutes", i64::from(leg.minutes), i64::from(limits::WAY));
            self.within("travel.legs.metres", i64::from(leg.metres.0), i64::from(i32::MAX));
            if leg.mode != Mode::Walk && !trip.modes.contains(&leg.mode) {
                forbidden.insert(leg.mode);
            }
        }
        for mode in forbidden {
            let message = format!("ways by {mode:?} are not among the allowed modes");
            self.add("travel.legs.mode", FaultCode::NotAllowed, message);
        }
        let car = trip.modes.contains(&Mode::Car);
        if car && (trip.modes.contains(&Mode::Taxi) || trip.modes.contains(&Mode::Transit)) {
            let message = "a car of one's own does not go together with taxi or transit";
            self.add("modes", FaultCode::NotAllowed, message);
        }
    }

    fn days(&mut self) {
        for (number, day) in self.trip.days.iter().enumerate() {
            let field = |name: &str| format!("days[{number}].{name}");
            let last = i64::from(limits::MINUTE);
            self.within(field("start"), i64::from(day.start.0), last);
            self.within(field("end"), i64::from(day.end.0), last);
            if day.end < day.start {
                self.add(field("end"), FaultCode::EndsBeforeStart, "it ends before it starts");
            }
            self.spot(field("base.start"), day.base.start);
            self.spot(field("base.end"), day.base.end);
            if !(1..=9998).contains(&day.date.year()) {
                self.add(field("date"), FaultCode::OutOfRange, "not between the years 1 and 9998");
            }
            if !(-1440..=1440).contains(&day.clock.offset) {
                self.add(field("clock.offset"), FaultCode::OutOfRange, "more than a day from UTC");
            }
            if let Some(change) = day.clock.change
                && (!(0..=1440).contains(&change.at.0) || !(-180..=180).contains(&change.by))
            {
                let message = "a change lies within the day and is of three hours at most";
                self.add(field("clock.change"), FaultCode::OutOfRange, message);
            }
            if number > 0 && self.trip.days[number - 1].date >= day.date {
                self.add(field("date"), FaultCode::Order, "not after the day before it");
            }
            if let Some(budget) = day.budget {
                self.within(field("budget"), budget.0, limits::MONEY);
            }
            self.at_most(field("meals"), day.meals.len(), limits::MEALS);
            for meal in day.meals.iter().take(limits::MEALS) {
                self.within(field("meals.opens"), i64::from(meal.opens.0), last);
                self.within(field("meals.closes"), i64::from(meal.closes.0), last);
                self.within(field("meals.minutes"), i64::from(meal.minutes), last);
                self.within(field("meals.cost"), meal.cost.0, limits::MONEY);
                if meal.closes < meal.opens {
                    let message = "its latest beginning is before its earliest";
                    self.add(field("meals.closes"), FaultCode::EndsBeforeStart, message);
                }
                if day.meals.iter().filter(|other| other.kind == meal.kind).count() > 1 {
                    self.add(field("meals"), FaultCode::Duplicate, "the same meal twice");
                }
            }
        }
    }

    fn places(&mut self) {
        let mut ids = BTreeSet::new();
        for (number, place) in self.trip.places.iter().enumerate() {
            let field = |name: &str| format!("places[{number}].{name}");
            if !ids.insert(&place.id) {
                self.add(field("id"), FaultCode::Duplicate, format!("{} is there twice", place.id));
            }
            self.spot(field("spot"), place.spot);
            self.within(field("minutes"), i64::from(place.minutes), i64::from(limits::MINUTE));
            self.within(field("score"), i64::from(place.score.0), i64::from(limits::SCORE));
            self.within(field("cost"), place.cost.0, limits::MONEY);
            self.text(field("name"), &place.name);
            self.text(field("source"), &place.source);
            self.text(field("licence"), &place.licence);
            self.at_most(field("tags"), place.tags.len(), limits::TAGS);
            match &place.hours {
                super::Hours::Always => {}
                super::Hours::Weekly { days, exceptions } => {
                    self.at_most(field("hours.exceptions"), exceptions.len(), 400);
                    for spans in days.iter().chain(exceptions.values().take(400)) {
                        self.spans(&field("hours"), spans);
                    }
                }
                super::Hours::Days(days) => {
                    if days.len() != self.trip.days.len() {
                        let message =
                            format!("{} days of hours for {}", days.len(), self.trip.days.len());
                        self.add(field("hours"), FaultCode::Length, message);
                    }
                    for spans in days.iter().take(limits::DAYS) {
                        self.spans(&field("hours"), spans);
                    }
                }
            }
        }
    }

    fn events(&mut self) {
        let mut ids = BTreeSet::new();
        let mut places = BTreeSet::new();
        for (number, event) in self.trip.events.iter().enumerate() {
            let field = |name: &str| format!("events[{number}].{name}");
            if !ids.insert(&event.id) {
                self.add(field("id"), FaultCode::Duplicate, format!("{} is there twice", event.id));
            }
            if event.day >= self.trip.days.len() {
                self.add(
                    field("day"),
                    FaultCode::Unknown,
                    format!("there is no day {}", event.day),
                );
            }
            self.within(field("start"), i64::from(event.start.0), i64::from(limits::MINUTE));
            self.within(field("end"), i64::from(event.end.0), i64::from(limits::MINUTE));
            self.within(field("cost"), event.cost.0, limits::MONEY);
            self.text(field("title"), &event.title);
            self.spot(field("spot"), event.spot);
            if event.end < event.start {
                self.add(field("end"), FaultCode::EndsBeforeStart, "it ends before it starts");
            }
            let Some(id) = &event.place else { continue };
            if !places.insert(id) {
                self.add(field("place"), FaultCode::Duplicate, format!("two events visit {id}"));
            }
            if self.trip.avoid.contains(id) {
                let message = format!("{id} is agreed on and to be avoided at once");
                self.add(field("place"), FaultCode::NotAllowed, message);
            }
            match self.trip.places.iter().find(|place| place.id == *id) {
                None => self.add(field("place"), FaultCode::Unknown, format!("no place {id}")),
                Some(place) if place.spot != event.spot => {
                    let message = format!("the event is not where {id} is");
                    self.add(field("spot"), FaultCode::NotAllowed, message);
                }
                Some(_) => {}
            }
        }
    }

    fn wishes(&mut self) {
        if let Some(budget) = self.trip.budget {
            self.within("budget", budget.0, limits::MONEY);
        }
    }
}
