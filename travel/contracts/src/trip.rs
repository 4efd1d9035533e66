//! An itinerary as people get it: days of slots with places, times, costs and where everything is from.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    CostRange, CountryCode, Currency, JobId, Language, MealKind, Mode, Point, Weather,
    facts::Holiday,
};

/// The version of [`Itinerary`].
pub const SCHEMA_VERSION: u32 = 1;

/// A trip that is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Trip {
    /// What it is known by: the id of its job.
    pub id: JobId,
    /// When it was ready.
    pub created_at: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub itinerary: Itinerary,
}

/// What generation makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Itinerary {
    /// [`SCHEMA_VERSION`] of whoever wrote it.
    pub schema_version: u32,
    /// What the trip is called.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The seed: the same one and the same facts give the same plan.
    pub seed: u64,
    /// Who planned.
    pub planner: Planner,
    /// Who wrote the texts: `template`, or the model's name.
    pub writer: String,
    /// The language of the texts.
    pub language: Language,
    /// The currency of the sums.
    pub currency: Currency,
    /// Where it goes.
    pub destinations: Vec<TripDestination>,
    /// The days, in order.
    pub days: Vec<TripDay>,
    /// Sums over all days.
    pub totals: Totals,
    /// What was asked for and is not in the plan.
    #[serde(default)]
    pub unplaced: Vec<Unplaced>,
    /// What one should know.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What must be shown with it.
    #[serde(default)]
    pub attributions: Vec<String>,
}

/// Who planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Planner {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where the trip goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TripDestination {
    /// What people call it.
    pub name: String,
    /// Its country.
    pub country: CountryCode,
    /// Where it is.
    #[serde(flatten)]
    pub point: Point,
    /// Its time zone's name in the IANA database.
    pub time_zone: String,
    /// Its currency.
    pub currency: Currency,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TripDay {
    /// Its number, from 1.
    pub number: u32,
    /// Its date, where it is spent.
    pub date: Date,
    /// Which of the destinations it is spent at, from 0.
    pub destination: usize,
    /// What it is called.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where it starts and ends, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Its weather.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather: Option<Weather>,
    /// Public holidays on it.
    #[serde(default)]
    pub holidays: Vec<Holiday>,
    /// What happens, in order.
    pub slots: Vec<Slot>,
    /// How far one walks.
    pub walk_metres: u32,
    /// What it costs, for the whole party.
    pub cost: CostRange,
}

/// Where a day starts and ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Base {
    /// Where one wakes up, or arrives.
    pub start: Point,
    /// Where one sleeps, or leaves from.
    pub end: Point,
}

/// Something from one moment to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Slot {
    /// When it begins, with the offset that holds there and then (RFC 3339).
    #[cfg_attr(feature = "schema", schema(format = DateTime, example = "2026-05-04T09:30:00+01:00"))]
    pub start: String,
    /// When it ends.
    #[cfg_attr(feature = "schema", schema(format = DateTime, example = "2026-05-04T11:00:00+01:00"))]
    pub end: String,
    /// The part of the day it begins in.
    pub part: Part,
    /// What it is.
    #[serde(flatten)]
    pub activity: Activity,
    /// What it costs, for the whole party.
    pub cost: CostRange,
    /// Whether planning again leaves it where it is.
    #[serde(default)]
    pub locked: bool,
    /// Why it is here, or what to know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Activity {
    /// A place is visited.
    Visit {
        /// Which one.
        place: Place,
    },
    /// A meal, at a place or wherever one is.
    Meal {
        /// Which one.
        meal: MealKind,
        /// Where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// One is on the way.
    Travel {
        /// How and how far.
        travel: Travel,
    },
    /// Nothing is planned.
    Free,
    /// Something agreed already.
    Fixed {
        /// What people call it.
        title: String,
        /// Where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        point: Option<Point>,
        /// The place that it visits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
}

/// A place, with where its facts are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Place {
    /// What it is known by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub point: Point,
    /// What kind it is.
    pub category: String,
    /// The opening hours as they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening_hours: Option<String>,
    /// Whether hours, length or cost are estimates.
    #[serde(default)]
    pub estimated: bool,
    /// Where the facts are from.
    pub source: String,
    /// The licence they are under.
    pub licence: String,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Travel {
    /// How.
    pub mode: Mode,
    /// How long it takes.
    pub minutes: u32,
    /// How far one walks on it.
    pub walk_metres: u32,
    /// From where.
    pub from: Point,
    /// To where.
    pub to: Point,
}

/// Sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Totals {
    /// What everything costs.
    pub cost: CostRange,
    /// What each category costs; `meal` is meals wherever one is, `fixed` is fixed events.
    pub by_category: BTreeMap<String, CostRange>,
    /// How far one walks.
    pub walk_metres: u32,
    /// How many places are visited.
    pub visits: u32,
}

/// Something that was asked for and is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unplaced {
    /// What it is called.
    pub name: String,
    /// Its id, where it is a known place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_id: Option<String>,
    /// Whether it was asked for by name.
    pub asked_for: bool,
    /// Why, for programs, such as `closed`.
    pub reason: String,
    /// Why, for people.
    pub detail: String,
}

/// Something that one should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Warning {
    /// For programs, such as `estimate`.
    pub code: String,
    /// A sentence.
    pub message: String,
}
