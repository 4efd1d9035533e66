//! What a trip is planned from: days, places, events, wishes and travel times, all facts given.
//!
//! Times are [`Minute`]s that have passed since a day's local midnight. On a day on which the clocks change
//! these differ from what a clock shows; [`Day::clock`] says by how much, and only [`Hours::Weekly`] is read
//! as a clock shows it. Nothing here looks anything up.

mod check;
mod day;
mod hours;
mod place;
mod travel;
mod units;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use check::{Fault, FaultCode, TripError, limits};
pub use day::{Base, ClockChange, Day, DayClock, MealPlan};
pub use hours::{Hours, Span};
pub use place::{FixedEvent, Kept, MealKind, Place};
pub use travel::{Leg, Mode, TravelTable};
pub use units::{
    Area, Category, Currency, EventId, Language, Metres, Minute, Money, PlaceId, Score, Spot, Tag,
    TextError,
};

/// How full a day may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Three visits a day, 15 minutes to spare before each.
    Relaxed,
    /// Five visits a day, 10 minutes to spare before each.
    Moderate,
    /// Seven visits a day, 5 minutes to spare before each.
    Packed,
}

impl Pace {
    /// How many visits a day may hold; meals and fixed events are not counted.
    pub fn visits(self) -> usize {
        match self {
            Self::Relaxed => 3,
            Self::Moderate => 5,
            Self::Packed => 7,
        }
    }

    /// The minutes to spare, beside the way, before a visit or a meal at a place.
    pub fn slack(self) -> i32 {
        match self {
            Self::Relaxed => 15,
            Self::Moderate => 10,
            Self::Packed => 5,
        }
    }
}

/// Everything that a plan is made from and judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The days, in order.
    pub days: Vec<Day>,
    /// The places that may be visited or eaten at.
    pub places: Vec<Place>,
    /// What is agreed already.
    #[serde(default)]
    pub events: Vec<FixedEvent>,
    /// Places that must be in the plan, or be named with the reason why not.
    #[serde(default)]
    pub must_do: BTreeSet<PlaceId>,
    /// Places that must not be in it.
    #[serde(default)]
    pub avoid: BTreeSet<PlaceId>,
    /// How full the days may be.
    pub pace: Pace,
    /// How far one may walk in a day.
    #[serde(default)]
    pub max_walk: Option<Metres>,
    /// What the whole trip may cost, for the whole party.
    #[serde(default)]
    pub budget: Option<Money>,
    /// The currency of every amount.
    pub currency: Currency,
    /// How many visits of one category a day may hold.
    #[serde(default)]
    pub per_category: Option<usize>,
    /// What every visited place must have, such as wheelchair access.
    #[serde(default)]
    pub needs: BTreeSet<Tag>,
    /// What every place to eat must have, such as a diet or a cuisine.
    #[serde(default)]
    pub diet: BTreeSet<Tag>,
    /// The ways of travelling that are allowed.
    pub modes: BTreeSet<Mode>,
    /// The language of the texts.
    pub language: Language,
    /// The way from each spot to each other.
    pub travel: TravelTable,
}
