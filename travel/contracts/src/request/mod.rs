//! What a person asks for.
//!
//! [`TripRequest::from_json`] reads it from HTTP: strictly, with every wrong field named at once. Between
//! services it travels as plain JSON of the same shape and is trusted, because nothing else puts it there.

mod read;

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

use crate::{CountryCode, Currency, Language, MealKind, Mode, Point};

pub use read::RequestFaults;

/// The limits of a request.
pub mod limits {
    /// Bytes of the whole.
    pub const BODY: usize = 64 * 1024;
    /// Days, the first and the last included.
    pub const DAYS: i64 = 30;
    /// Destinations.
    pub const DESTINATIONS: usize = 10;
    /// Characters of a name or title.
    pub const NAME: usize = 200;
    /// Entries of `must_do` and of `avoid`.
    pub const WISHES: usize = 100;
    /// Fixed events.
    pub const FIXED: usize = 50;
    /// Interests.
    pub const INTERESTS: usize = 30;
    /// Diets.
    pub const DIETS: usize = 10;
    /// Travellers of a kind.
    pub const TRAVELLERS: i64 = 50;
    /// The largest amount of money, in the smallest unit.
    pub const MONEY: i64 = 1_000_000_000_000;
    /// The largest seed: what every reader of JSON takes exactly.
    pub const SEED: i64 = (1 << 53) - 1;
}

/// A trip that is asked for. One of `destination` and `destinations` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TripRequest {
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationWish>,
    /// Where to, one after the other; each but the last says for how many nights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 10))]
    pub destinations: Vec<DestinationWish>,
    /// The first day.
    pub start_date: Date,
    /// The last day, included; at most 30 days in all.
    pub end_date: Date,
    /// Who travels; one adult unless said otherwise.
    #[serde(default)]
    pub travellers: Travellers,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What one likes, from 1 to 5 for each category of places.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub interests: BTreeMap<String, u8>,
    /// How full the days may be.
    #[serde(default)]
    pub pace: Pace,
    /// When days begin, as a clock there shows it (`HH:MM`).
    #[serde(default = "default_start", with = "clock")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "09:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub day_start: Time,
    /// When days end; before `day_start` it is in the night after.
    #[serde(default = "default_end", with = "clock")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "21:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub day_end: Time,
    /// When one arrives on the first day; that day begins then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "clock_option")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "14:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub arrival_time: Option<Time>,
    /// When one leaves on the last day; that day ends then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "clock_option")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, example = "11:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub departure_time: Option<Time>,
    /// Where days start and end; days without one start and end at the centre of the destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 30))]
    pub bases: Vec<BaseWish>,
    /// Names or ids of places that must be visited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 100))]
    pub must_do: Vec<String>,
    /// Names or ids of places to be avoided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 100))]
    pub avoid: Vec<String>,
    /// What is agreed already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 50))]
    pub fixed: Vec<FixedWish>,
    /// How one gets about.
    #[serde(default)]
    pub mobility: Mobility,
    /// What every place to eat must offer, such as `vegan`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 10))]
    pub diet: Vec<String>,
    /// The ways of travelling that are allowed; on foot always. A car does not go with transit or taxi.
    #[serde(default = "default_transport")]
    pub transport: Vec<Mode>,
    /// The meals of a day.
    #[serde(default = "default_meals")]
    pub meals: Vec<MealKind>,
    /// How many places of one category a day may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 20))]
    pub max_per_category: Option<u32>,
    /// The language of the texts.
    #[serde(default = "default_language")]
    pub language: Language,
    /// The same seed and the same facts give the same plan; without one it follows from the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 9_007_199_254_740_991_i64))]
    pub seed: Option<u64>,
}

/// Somewhere to go: one of `name`, `place_id` and `point`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DestinationWish {
    /// Its name, in any language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// Its id, such as one of the candidates of an ambiguous name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 200))]
    pub place_id: Option<String>,
    /// Where it is; the nearest place is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// Its country, where the name is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// How many nights one stays there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 29))]
    pub nights: Option<u32>,
}

/// Who travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Travellers {
    /// Grown-ups, at least one.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 50))]
    pub adults: u32,
    /// The ages of the children, 2 to 17.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 50))]
    pub children: Vec<u8>,
    /// Children younger than two.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 50))]
    pub infants: u32,
}

impl Default for Travellers {
    fn default() -> Self {
        Self { adults: 1, children: Vec::new(), infants: 0 }
    }
}

impl Travellers {
    /// How many there are in all.
    pub fn count(&self) -> u32 {
        self.adults + self.children.len() as u32 + self.infants
    }
}

/// What the trip may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Budget {
    /// How much: a whole number of the smallest unit (1250 is € 12.50), or a decimal text ("12.50").
    #[cfg_attr(feature = "schema", schema(schema_with = amount_schema))]
    pub amount: i64,
    /// Of which currency.
    pub currency: Currency,
    /// For what.
    #[serde(default)]
    pub scope: BudgetScope,
}

#[cfg(feature = "schema")]
fn amount_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Type};
    let whole = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(limits::MONEY));
    let decimal = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9]{1,13}(\\.[0-9]{1,4})?$"));
    let amount = OneOfBuilder::new()
        .item(whole)
        .item(decimal)
        .description(Some(
            "A whole number of the smallest unit (1250 is € 12.50), or a decimal text (\"12.50\").",
        ))
        .build();
    utoipa::openapi::Schema::OneOf(amount).into()
}

impl Budget {
    /// What the whole trip may cost the whole party, in the smallest unit.
    pub fn total(&self, days: u32, travellers: u32) -> i64 {
        match self.scope {
            BudgetScope::Total => self.amount,
            BudgetScope::PerDay => self.amount.saturating_mul(i64::from(days)),
            BudgetScope::PerPerson => self.amount.saturating_mul(i64::from(travellers)),
        }
    }
}

/// What a budget is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// The whole trip of everybody.
    #[default]
    Total,
    /// One day of everybody.
    PerDay,
    /// The whole trip of each.
    PerPerson,
}

/// How full the days may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Three visits a day.
    Relaxed,
    /// Five visits a day.
    #[default]
    Moderate,
    /// Seven visits a day.
    Packed,
}

/// Where a day starts and ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BaseWish {
    /// The day; without one, every day that has no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// Where it starts.
    pub start: Point,
    /// Where it ends; where it starts unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Point>,
}

/// Something agreed already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FixedWish {
    /// What people call it.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 200))]
    pub title: String,
    /// When it begins, as a clock there shows it (`YYYY-MM-DDTHH:MM`).
    #[serde(with = "moment")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "2026-05-04T19:30", pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub start: DateTime,
    /// When it ends.
    #[serde(with = "moment")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "2026-05-04T22:00", pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"))]
    pub end: DateTime,
    /// Where it is.
    pub point: Point,
    /// The place that it visits, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 200))]
    pub place: Option<String>,
}

/// How one gets about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Mobility {
    /// How many metres one walks in a day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 100_000))]
    pub max_walk_m: Option<u32>,
    /// Whether every place must be accessible with a wheelchair.
    #[serde(default)]
    pub wheelchair: bool,
}

impl TripRequest {
    /// Where the trip goes, in order.
    pub fn stops(&self) -> &[DestinationWish] {
        match &self.destination {
            Some(destination) => std::slice::from_ref(destination),
            None => &self.destinations,
        }
    }

    /// How many days it has.
    pub fn days(&self) -> u32 {
        let days = (self.end_date - self.start_date).get_days();
        u32::try_from(days + 1).unwrap_or(0)
    }
}

fn default_start() -> Time {
    Time::constant(9, 0, 0, 0)
}

fn default_end() -> Time {
    Time::constant(21, 0, 0, 0)
}

fn default_transport() -> Vec<Mode> {
    vec![Mode::Walk, Mode::Transit]
}

fn default_meals() -> Vec<MealKind> {
    vec![MealKind::Lunch, MealKind::Dinner]
}

fn default_language() -> Language {
    Language::new("en").unwrap_or_else(|_| unreachable!("a language tag"))
}

mod clock {
    use jiff::civil::Time;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&time.strftime("%H:%M"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        let text = String::deserialize(from)?;
        crate::fields::clock(&text).ok_or_else(|| D::Error::custom("not a time of the day"))
    }
}

mod clock_option {
    use jiff::civil::Time;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::clock::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D>(from: D) -> Result<Option<Time>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        let read = |text: String| {
            crate::fields::clock(&text).ok_or_else(|| D::Error::custom("not a time of the day"))
        };
        text.map(read).transpose()
    }
}

mod moment {
    use jiff::civil::DateTime;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(moment: &DateTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&moment.strftime("%Y-%m-%dT%H:%M"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime, D::Error> {
        let text = String::deserialize(from)?;
        super::read::moment(&text).map_err(D::Error::custom)
    }
}
