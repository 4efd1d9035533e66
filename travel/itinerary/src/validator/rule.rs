//! The rules by name, and the facts that they are judged by.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    itinerary::{Activity, PlaceRef, Slot},
    trip::{Day, EventId, FixedEvent, MealKind, MealPlan, Place, PlaceId, Spot, Trip},
};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A rule that an itinerary must keep.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its code, which does not change.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

rules! {
    /// The itinerary is larger than the validator reads.
    TooLarge = "too_large",
    /// Each place is one of the candidates.
    UnknownPlace = "unknown_place",
    /// Each fixed slot is an event of the trip, on its day.
    UnknownEvent = "unknown_event",
    /// Each meal is asked for on its day.
    UnknownMeal = "unknown_meal",
    /// Each place lies in its day's area.
    WrongArea = "wrong_area",
    /// One is where the day starts, goes to each place and is where the day ends.
    BrokenRoute = "broken_route",
    /// No place is visited twice.
    RepeatedPlace = "repeated_place",
    /// No place is eaten at twice.
    RepeatedRestaurant = "repeated_restaurant",
    /// No meal and no event comes twice.
    RepeatedSlot = "repeated_slot",
    /// A car of one's own and taxi or transit are not used in the same trip.
    ModeConflict = "mode_conflict",
    /// Only ways of travelling that are allowed are used.
    ModeForbidden = "mode_forbidden",
    /// The days are the trip's days.
    MissingDay = "missing_day",
    /// Each meal is kept or reported.
    MissingMeal = "missing_meal",
    /// Each candidate is in the plan or reported.
    Unaccounted = "unaccounted",
    /// Nothing is in the plan and reported as missing.
    Contradiction = "contradiction",
    /// The trip costs no more than its budget.
    OverBudget = "over_budget",
    /// A day costs no more than its budget.
    OverDayBudget = "over_day_budget",
    /// Each place to eat fits the diet.
    LacksDiet = "lacks_diet",
    /// Each place has what is needed.
    LacksNeed = "lacks_need",
    /// Slots are in order, apart, and none ends before it starts.
    Overlap = "overlap",
    /// Each slot lies within its day.
    OutsideDay = "outside_day",
    /// There is time for the way from each place to the next.
    TooLittleTravelTime = "too_little_travel_time",
    /// Each way is as the travel table has it.
    WrongTravel = "wrong_travel",
    /// Each place is open while one is there.
    Closed = "closed",
    /// Each visit and meal is as long as it should be.
    TooShort = "too_short",
    /// Each meal begins when it may.
    MealOutsideWindow = "meal_outside_window",
    /// A place is eaten at for the meals that it serves, and otherwise visited.
    WrongUse = "wrong_use",
    /// Each fixed event is kept or reported.
    MissingEvent = "missing_event",
    /// Each fixed event is at its time.
    MovedEvent = "moved_event",
    /// Each must-do is kept or reported.
    MissingMustDo = "missing_must_do",
    /// Nothing that is to be avoided is in the plan.
    Avoided = "avoided",
    /// Sums are the sums of their parts.
    WrongTotals = "wrong_totals",
    /// Each slot costs what its place, meal or event costs.
    WrongCost = "wrong_cost",
    /// Each moment, its offset and its part of the day are those of the slot's minute.
    WrongMoment = "wrong_moment",
    /// The language is the one that was asked for.
    WrongLanguage = "wrong_language",
    /// The currency is the trip's.
    WrongCurrency = "wrong_currency",
    /// Estimates are marked as such.
    EstimateUnmarked = "estimate_unmarked",
    /// A day holds no more visits than its pace allows.
    TooManyVisits = "too_many_visits",
    /// There is as much time to spare before each visit as the pace asks for.
    TooLittleSlack = "too_little_slack",
    /// A day holds no more of a category than wanted.
    TooMuchOfCategory = "too_much_of_category",
    /// One walks no further in a day than wanted.
    TooMuchWalking = "too_much_walking",
    /// Each place carries the source and the licence of its facts.
    MissingSource = "missing_source",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Where in an itinerary; numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The day; none is the whole itinerary.
    pub day: Option<usize>,
    /// The slot of the day; none is the whole day.
    pub slot: Option<usize>,
}

/// A rule that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// Where.
    pub at: At,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At { day: Some(day), slot: Some(slot) } => write!(f, "day {day}, slot {slot}: ")?,
            At { day: Some(day), slot: None } => write!(f, "day {day}: ")?,
            At { day: None, .. } => {}
        }
        write!(f, "{} ({})", self.message, self.rule)
    }
}

/// Collects violations of one place in the itinerary.
pub(super) struct Report<'a> {
    pub(super) at: At,
    pub(super) violations: &'a mut Vec<Violation>,
}

impl Report<'_> {
    pub(super) fn add(&mut self, rule: Rule, message: impl Into<String>) {
        self.violations.push(Violation { rule, at: self.at, message: message.into() });
    }
}

/// The trip, ready to be asked.
pub(super) struct Facts<'a> {
    pub(super) trip: &'a Trip,
    pub(super) places: BTreeMap<&'a PlaceId, &'a Place>,
    pub(super) events: BTreeMap<&'a EventId, &'a FixedEvent>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(trip: &'a Trip) -> Self {
        Self {
            trip,
            places: trip.places.iter().map(|place| (&place.id, place)).collect(),
            events: trip.events.iter().map(|event| (&event.id, event)).collect(),
        }
    }

    pub(super) fn place(&self, reference: &PlaceRef) -> Option<&'a Place> {
        self.places.get(&reference.id).copied()
    }

    pub(super) fn meal(day: &Day, kind: MealKind) -> Option<&MealPlan> {
        day.meals.iter().find(|meal| meal.kind == kind)
    }

    /// Where a slot takes place, for those that have a place of their own.
    pub(super) fn spot(&self, slot: &Slot) -> Option<Spot> {
        match &slot.activity {
            Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
                self.place(place).map(|place| place.spot)
            }
            Activity::Fixed { event, .. } => self.events.get(event).map(|event| event.spot),
            Activity::Meal { place: None, .. } | Activity::Travel { .. } | Activity::Free => None,
        }
    }

    /// What a slot costs by the facts.
    pub(super) fn cost(&self, day: &Day, slot: &Slot) -> i64 {
        match &slot.activity {
            Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
                self.place(place).map_or(slot.cost.0, |place| place.cost.0)
            }
            Activity::Meal { meal, place: None } => {
                Self::meal(day, *meal).map_or(slot.cost.0, |meal| meal.cost.0)
            }
            Activity::Fixed { event, .. } => {
                self.events.get(event).map_or(slot.cost.0, |event| event.cost.0)
            }
            Activity::Travel { .. } | Activity::Free => 0,
        }
    }
}

/// The place that a slot names, if it names one.
pub(super) fn named(slot: &Slot) -> Option<&PlaceRef> {
    match &slot.activity {
        Activity::Visit { place } => Some(place),
        Activity::Meal { place, .. } | Activity::Fixed { place, .. } => place.as_ref(),
        Activity::Travel { .. } | Activity::Free => None,
    }
}
