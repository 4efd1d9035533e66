//! A trip's plan, as it is handed on: days of slots, sums, and what has no place in it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::trip::{
    Category, Currency, EventId, Language, MealKind, Metres, Minute, Mode, Money, Place, PlaceId,
    Spot,
};

/// The version of this shape.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Itinerary {
    /// [`SCHEMA_VERSION`] of whoever wrote it.
    pub schema_version: u32,
    /// Who planned.
    pub planner: Planner,
    /// The language of its texts.
    pub language: Language,
    /// The currency of every amount.
    pub currency: Currency,
    /// The days, in order.
    pub days: Vec<DayPlan>,
    /// Sums over all days.
    pub totals: Totals,
    /// What is not in the plan, and why.
    pub unplaced: Vec<Unplaced>,
    /// What one should know.
    pub warnings: Vec<Warning>,
}

/// Who planned, so that it can be done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planner {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its seed.
    pub seed: u64,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayPlan {
    /// Its date.
    pub date: Date,
    /// What happens, in order.
    pub slots: Vec<Slot>,
    /// How far one walks.
    pub walk: Metres,
    /// What it costs.
    pub cost: Money,
}

/// Something from one moment to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it begins, in minutes since the day's midnight.
    pub start: Minute,
    /// When it ends.
    pub end: Minute,
    /// `start` as RFC 3339 writes it.
    pub starts_at: String,
    /// `end` as RFC 3339 writes it.
    pub ends_at: String,
    /// The part of the day it begins in.
    pub part: Part,
    /// What it costs.
    pub cost: Money,
    /// What it is.
    #[serde(flatten)]
    pub activity: Activity,
}

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Until noon.
    Morning,
    /// Until six o'clock.
    Afternoon,
    /// After that.
    Evening,
}

/// What a slot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Activity {
    /// A place is visited.
    Visit {
        /// Which one.
        place: PlaceRef,
    },
    /// A meal, at a place or wherever one is.
    Meal {
        /// Which one.
        meal: MealKind,
        /// Where.
        place: Option<PlaceRef>,
    },
    /// One is on the way.
    Travel {
        /// From where.
        from: Spot,
        /// To where.
        to: Spot,
        /// How.
        mode: Mode,
        /// How far one walks.
        metres: Metres,
    },
    /// Nothing is planned.
    Free,
    /// Something agreed already.
    Fixed {
        /// Which event.
        event: EventId,
        /// What people call it.
        title: String,
        /// The place that it visits.
        place: Option<PlaceRef>,
    },
}

/// A place, with where its facts are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRef {
    /// What it is known by.
    pub id: PlaceId,
    /// What people call it.
    pub name: String,
    /// Its category.
    pub category: Category,
    /// Where the facts are from.
    pub source: String,
    /// The licence they are under.
    pub licence: String,
}

impl From<&Place> for PlaceRef {
    fn from(place: &Place) -> Self {
        Self {
            id: place.id.clone(),
            name: place.name.clone(),
            category: place.category.clone(),
            source: place.source.clone(),
            licence: place.licence.clone(),
        }
    }
}

/// Sums.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// What everything costs.
    pub cost: Money,
    /// What each category costs; `meal` is meals wherever one is, `fixed` is fixed events.
    pub by_category: BTreeMap<String, Money>,
    /// How far one walks.
    pub walk: Metres,
    /// How many places are visited; meals and fixed events are not counted.
    pub visits: usize,
}

/// Something that a plan could hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Item {
    /// A fixed event.
    Event {
        /// Which one.
        id: EventId,
    },
    /// A meal of a day.
    Meal {
        /// The day's number, from 0.
        day: usize,
        /// Which one.
        meal: MealKind,
    },
    /// A place.
    Place {
        /// Which one.
        id: PlaceId,
    },
    /// The way from where a day starts to where it ends.
    Transfer {
        /// The day's number, from 0.
        day: usize,
    },
}

/// Why something is not in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is not among the candidates.
    Unknown,
    /// It is on the list of what to avoid.
    Avoided,
    /// No day is spent in its area.
    OtherArea,
    /// It lacks something that is needed.
    LacksNeed,
    /// It is for meals, and no day has such a meal left.
    NoMeal,
    /// It is not open long enough on any day while the day lasts.
    Closed,
    /// No way leads there and on from any day's start.
    Unreachable,
    /// Even alone in a day it cannot be reached in its hours and left in time.
    TooFar,
    /// It does not go together with what is fixed.
    ConflictsWithFixed,
    /// There is no time left for it.
    NoRoom,
    /// The days that have time for it are as full as the pace allows.
    PaceFull,
    /// The days that have time for it have enough of its category.
    CategoryFull,
    /// One would have to walk further than one wants to.
    TooMuchWalking,
    /// There is no money left for it.
    OutOfBudget,
    /// It does not lie within its day.
    OutsideDay,
}

/// Something that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    /// What it is.
    #[serde(flatten)]
    pub item: Item,
    /// Whether it was asked for: a must-do, an event, a meal or a transfer.
    pub asked_for: bool,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub detail: String,
}

/// What kind of warning it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Hours, length or cost of a place are estimates.
    Estimate,
    /// Something that was asked for is not in the plan.
    NotKept,
}

/// What one should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What kind, for programs.
    pub code: WarningCode,
    /// What it is about.
    pub about: Item,
    /// A sentence.
    pub message: String,
}
