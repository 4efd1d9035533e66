//! What enrichment found out about a trip: all that planning needs, and where it is from.
//!
//! Days are numbered from 0, the trip's first; minutes count from a day's local midnight, as in the planner.
//! The ways between places are not sent but worked out from [`TravelModel`], the same way by everybody.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{CostRange, CountryCode, Currency, MealKind, Mode, Point, Provenance, Span, Weather};

/// All facts of a trip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Facts {
    /// The places that the trip goes to, in order.
    pub destinations: Vec<Destination>,
    /// The days, in order.
    pub days: Vec<DayFacts>,
    /// What may be visited or eaten at.
    pub places: Vec<PlaceFacts>,
    /// How ways are worked out.
    pub travel: TravelModel,
    /// The currency of every cost in `places`.
    pub currency: Currency,
    /// What the budget's currency is worth, where it is another one and the rate is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeRate>,
    /// The ids of the places that must be visited.
    #[serde(default)]
    pub must_do: Vec<String>,
    /// The ids of the places to be avoided.
    #[serde(default)]
    pub avoid: Vec<String>,
    /// What was named in the request and is not among the candidates.
    #[serde(default)]
    pub unresolved: Vec<Unresolved>,
    /// What one should know.
    #[serde(default)]
    pub warnings: Vec<FactWarning>,
    /// What must be shown with the facts, each sentence once.
    #[serde(default)]
    pub attributions: Vec<String>,
}

/// Somewhere that the trip goes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Destination {
    /// What it is known by, such as `geonames:2267057`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its country.
    pub country: CountryCode,
    /// Its country's name.
    pub country_name: String,
    /// Where it is.
    pub point: Point,
    /// Its time zone's name in the IANA database.
    pub time_zone: String,
    /// Its currency.
    pub currency: Currency,
    /// The languages spoken there, BCP 47, the most common first.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Who says so.
    pub provenance: Provenance,
}

/// What an ambiguous name may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// What to put into `place_id`.
    pub place_id: String,
    /// What people call it.
    pub name: String,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its country.
    pub country: CountryCode,
    /// How many people live there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population: Option<u64>,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DayFacts {
    /// Its date, where it is spent.
    pub date: Date,
    /// Which of the destinations it is spent at.
    pub destination: usize,
    /// Minutes east of UTC at its midnight.
    pub offset_minutes: i32,
    /// The clocks change in the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<ClockChange>,
    /// Public holidays on it.
    #[serde(default)]
    pub holidays: Vec<Holiday>,
    /// Its weather.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather: Option<Weather>,
}

/// The clocks are changed once in the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClockChange {
    /// Minutes since midnight that have passed when it happens.
    pub at: i32,
    /// By how many minutes they go forward; negative is back.
    pub by: i32,
}

/// A public holiday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Holiday {
    /// What people call it.
    pub name: String,
    /// Who says so.
    pub provenance: Provenance,
}

/// Somewhere to visit or to eat at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlaceFacts {
    /// What it is known by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Which of the destinations it belongs to.
    pub destination: usize,
    /// Where it is.
    pub point: Point,
    /// What kind it is, such as `museum`.
    pub category: String,
    /// How many minutes a visit lasts.
    pub minutes: i32,
    /// What it is worth beside others for this request, 0 to 1000: interest, quality, weather.
    pub score: u32,
    /// What it costs one adult.
    pub cost: CostRange,
    /// When it is open, for each day of the trip.
    pub hours: Vec<Vec<Span>>,
    /// The opening hours as they were given, such as `Tu-Su 10:00-18:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening_hours: Option<String>,
    /// What it has, such as `wheelchair`, `vegan` or `outdoor`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The meals that one can have there; a place with any is eaten at and not visited.
    #[serde(default)]
    pub serves: Vec<MealKind>,
    /// Whether hours, length or cost are estimates.
    #[serde(default)]
    pub estimated: bool,
    /// Who says so.
    pub provenance: Provenance,
}

/// How the ways between points are worked out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TravelModel {
    /// One for each way of travelling that is allowed; between two points the quickest is taken.
    pub modes: Vec<ModeSpeed>,
    /// Who says so.
    pub provenance: Provenance,
}

/// How fast one way of travelling is: the great circle, longer by a detour, at a speed, after some minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModeSpeed {
    /// Which one.
    pub mode: Mode,
    /// How far one gets in a minute.
    pub metres_per_minute: u32,
    /// How long the way is in hundredths of the great circle; 130 is 30 % longer.
    pub detour_percent: u32,
    /// Minutes that each way takes beside: waiting, parking.
    pub extra_minutes: u32,
    /// Metres on foot that each way has beside, to the stop and from it.
    pub extra_walk_metres: u32,
    /// No longer ways than these are gone this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_metres: Option<u32>,
}

/// What one currency is worth in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExchangeRate {
    /// The currency that one has.
    pub from: Currency,
    /// The currency that one gets.
    pub to: Currency,
    /// How many millionths of `to` one gets for one `from`, both in whole units.
    pub millionths: u64,
    /// Who says so.
    pub provenance: Provenance,
}

/// Something that was named in the request and is not among the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unresolved {
    /// As it was named.
    pub name: String,
    /// The field that named it, such as `must_do[0]`.
    pub field: String,
    /// Why, for people.
    pub reason: String,
}

/// Something that one should know about the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FactWarning {
    /// For programs, such as `weather_unavailable`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// When it was noticed.
    pub at: Timestamp,
}
