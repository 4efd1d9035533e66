//! Words that requests, facts and trips have in common.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct TextError(&'static str);

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:ident, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "schema", schema(value_type = String, example = $example))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text when it has the right shape.
            pub fn new(text: &str) -> Result<Self, TextError> {
                $check(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// A currency's code, ISO 4217.
    Currency, currency, "EUR"
}
text! {
    /// A country's code, two letters of ISO 3166-1.
    CountryCode, country, "PT"
}
text! {
    /// A language's tag, BCP 47.
    Language, language, "en"
}

fn currency(text: &str) -> Result<String, TextError> {
    let text = text.to_ascii_uppercase();
    match iso_currency::Currency::from_code(&text) {
        Some(_) => Ok(text),
        None => Err(TextError("is not a currency of ISO 4217, such as EUR")),
    }
}

fn country(text: &str) -> Result<String, TextError> {
    let text = text.to_ascii_uppercase();
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text)
    } else {
        Err(TextError("is not a country's two letters (ISO 3166-1), such as PT"))
    }
}

fn language(text: &str) -> Result<String, TextError> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let right = (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        && text.len() <= 35;
    if right {
        Ok(text.to_owned())
    } else {
        Err(TextError("is not a language tag (BCP 47), such as en or pt-BR"))
    }
}

impl Currency {
    /// How many decimals its amounts have: 2 for most, 0 for the yen, 3 for the Kuwaiti dinar.
    pub fn decimals(&self) -> u32 {
        iso_currency::Currency::from_code(&self.0)
            .and_then(iso_currency::Currency::exponent)
            .map_or(2, u32::from)
    }
}

/// Somewhere on earth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Point {
    /// Degrees north, -90 to 90.
    #[cfg_attr(feature = "schema", schema(minimum = -90, maximum = 90))]
    pub lat: f64,
    /// Degrees east, -180 to 180.
    #[cfg_attr(feature = "schema", schema(minimum = -180, maximum = 180))]
    pub lon: f64,
}

/// The mean radius of the earth in metres.
const EARTH: f64 = 6_371_008.8;

impl Point {
    /// Metres along the great circle to `other`.
    pub fn metres_to(self, other: Self) -> f64 {
        let (here, there) = (self.lat.to_radians(), other.lat.to_radians());
        let (lat, lon) = (there - here, (other.lon - self.lon).to_radians());
        let half = (lat / 2.0).sin().powi(2) + here.cos() * there.cos() * (lon / 2.0).sin().powi(2);
        2.0 * EARTH * half.sqrt().min(1.0).asin()
    }
}

/// How one travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On foot.
    Walk,
    /// By bus, tram, metro or train.
    Transit,
    /// In a car that waits where it was left.
    Car,
    /// In a car that somebody else drives.
    Taxi,
}

/// A meal of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MealKind {
    /// In the morning.
    Breakfast,
    /// At noon.
    Lunch,
    /// In the evening.
    Dinner,
}

/// From one minute to another, counted from a day's local midnight; past midnight it is more than 1440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Span {
    /// The opening.
    pub opens: i32,
    /// The closing.
    pub closes: i32,
}

/// What something costs, in the currency's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CostRange {
    /// At least.
    pub min: i64,
    /// At most.
    pub max: i64,
    /// In which currency.
    pub currency: Currency,
}

/// Where a fact is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Provenance {
    /// Who says so.
    pub source: String,
    /// The licence it is under.
    pub licence: String,
    /// When it was taken from there.
    pub fetched_at: jiff::Timestamp,
}

/// What is known of a day's weather.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Weather {
    /// How it is known.
    pub kind: WeatherKind,
    /// The lowest temperature in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_min: Option<f64>,
    /// The highest temperature in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_max: Option<f64>,
    /// Rain and snow in mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precipitation: Option<f64>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// How the weather is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WeatherKind {
    /// Forecast.
    Forecast,
    /// What is usual at that time of the year.
    Normal,
    /// It is not.
    Unknown,
}
