//! Where facts come from: ports, and what stands behind them.
//!
//! [`bundled`] is inside the program and always there; [`synthetic`] makes up what nobody knows and says so;
//! [`open_meteo`] and [`google_places`] ask the network and are there only when they are set up. What is asked
//! over HTTP goes through [`crate::http`], live or from a cassette.

pub mod bundled;
pub mod google_places;
pub mod open_meteo;
pub mod synthetic;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::civil::Date;
use mercurious_contracts::{Currency, MealKind, Point, Provenance, Weather, facts::Destination};
use thiserror::Error;

use crate::http::HttpError;

/// Why a source has no answer. The job goes on without it.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It could not be asked.
    #[error("{source_name} cannot be asked")]
    Unreachable {
        /// Which one.
        source_name: &'static str,
        /// What is wrong.
        source: HttpError,
    },
    /// It refused.
    #[error("{source_name} answered with the status {status}")]
    Refused {
        /// Which one.
        source_name: &'static str,
        /// Its status.
        status: u16,
    },
    /// It said something that makes no sense.
    #[error("{source_name} gave an answer that cannot be read")]
    Unreadable {
        /// Which one.
        source_name: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// A place as a source knows it, before the trip is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPlace {
    /// What it is known by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What else it is called.
    pub other_names: Vec<String>,
    /// Where it is.
    pub point: Point,
    /// What kind it is.
    pub category: String,
    /// How many minutes a visit lasts.
    pub minutes: i32,
    /// How much most visitors like it, 0 to 100.
    pub quality: u8,
    /// What it costs one adult: at least and at most, in the smallest unit.
    pub cost: (i64, i64),
    /// In which currency.
    pub currency: Currency,
    /// The opening hours as OpenStreetMap writes them; none is not known.
    pub opening_hours: Option<String>,
    /// What it has.
    pub tags: BTreeSet<String>,
    /// The meals that one can have there.
    pub serves: Vec<MealKind>,
    /// Whether hours, length or cost are estimates.
    pub estimated: bool,
    /// Who says so.
    pub provenance: Provenance,
}

/// What candidates are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The destination.
    pub destination: &'a Destination,
    /// How far away they may be, in metres.
    pub radius: f64,
    /// The language of names, BCP 47.
    pub language: &'a str,
}

/// Somewhere that candidates come from.
#[async_trait]
pub trait PlaceSource: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// The places around a destination, in an order that is always the same.
    async fn places(&self, around: Around<'_>) -> Result<Vec<FoundPlace>, SourceError>;
}

/// Somewhere that the weather comes from.
#[async_trait]
pub trait WeatherSource: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// The weather of those days that it knows.
    async fn weather(
        &self,
        destination: &Destination,
        days: &[Date],
    ) -> Result<BTreeMap<Date, Weather>, SourceError>;
}

/// Somewhere that public holidays come from.
#[async_trait]
pub trait HolidaySource: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// The holidays of a country on those days; none at all where the country or the year is not known.
    async fn holidays(
        &self,
        country: &str,
        days: &[Date],
    ) -> Result<Option<BTreeMap<Date, Vec<String>>>, SourceError>;
}

/// A destination that a geocoder found.
#[derive(Debug, Clone, PartialEq)]
pub struct Geocoded {
    /// Its number at GeoNames.
    pub id: u32,
    /// What people call it.
    pub name: String,
    /// Its region.
    pub region: Option<String>,
    /// Its country's two letters.
    pub country: String,
    /// Where it is.
    pub point: Point,
    /// Its time zone.
    pub time_zone: String,
    /// How many people live there.
    pub population: Option<u64>,
}

/// Somewhere that knows names which the bundled table lacks: villages, islands.
#[async_trait]
pub trait Geocoder: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// What a name may mean, the likeliest first.
    async fn find(&self, name: &str, country: Option<&str>) -> Result<Vec<Geocoded>, SourceError>;
}
