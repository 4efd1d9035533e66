//! Facts from enrichment's bundled sources, and plans from them.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test uses a part")]

use std::sync::Arc;

use fastrand::Rng;
use jiff::{Timestamp, ToSpan as _, civil::date};
use mercurious_contracts::{
    facts::Facts,
    message::JobError,
    request::TripRequest,
    trip::{Activity, Itinerary, TripDay},
};
use mercurious_enrichment::enrich::{bundled, enrich};
use mercurious_generation::generate::Generator;
use mercurious_runtime::Clock;
use mercurious_worker::Unwatched;
use serde_json::{Value, json};

#[derive(Debug)]
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        "2026-05-01T08:00:00Z".parse().unwrap()
    }
}

pub(crate) fn request(destination: &str, (first, last): (&str, &str), more: &Value) -> TripRequest {
    let mut body = json!({
        "destination": {"name": destination}, "start_date": first, "end_date": last, "seed": 7,
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    if body["destination"].is_null() {
        body.as_object_mut().unwrap().remove("destination");
    }
    TripRequest::from_json(body.to_string().as_bytes()).unwrap()
}

pub(crate) async fn facts(request: &TripRequest) -> Facts {
    enrich(&bundled(Arc::new(StillClock)), request, &Unwatched).await.unwrap()
}

/// Quick enough for hundreds of trips in a debug build.
pub(crate) fn quick() -> Generator {
    Generator { model: None, effort: 20_000 }
}

pub(crate) async fn generate(request: &TripRequest, facts: &Facts) -> Result<Itinerary, JobError> {
    quick().generate(request, facts, 1, &Unwatched).await
}

pub(crate) async fn trip(destination: &str, days: (&str, &str), more: Value) -> Itinerary {
    let request = request(destination, days, &more);
    generate(&request, &facts(&request).await).await.unwrap()
}

pub(crate) fn visits(day: &TripDay) -> Vec<&str> {
    (day.slots.iter())
        .filter_map(|slot| match &slot.activity {
            Activity::Visit { place } => Some(place.id.as_str()),
            _ => None,
        })
        .collect()
}

pub(crate) fn warned(itinerary: &Itinerary, code: &str) -> bool {
    itinerary.warnings.iter().any(|warning| warning.code == code)
}

/// All over the world: both hemispheres, odd offsets, currencies without and with three decimals.
const CITIES: [&str; 12] = [
    "Lisbon",
    "Kyoto",
    "Paris",
    "Cairo",
    "Kathmandu",
    "Kuwait City",
    "Reykjavík",
    "Sydney",
    "Suva",
    "Nuuk",
    "Santiago, Chile",
    "Anchorage",
];

/// Some request or other.
pub(crate) fn any_request(seed: u64) -> TripRequest {
    let mut rng = Rng::with_seed(seed);
    let first = date(2026, 1, 1).saturating_add(rng.i64(0..700).days());
    let last = first.saturating_add(rng.i64(0..5).days());
    let city = CITIES[rng.usize(..CITIES.len())];
    let pace = ["relaxed", "moderate", "packed"][rng.usize(..3)];
    let mut body = json!({
        "destination": {"name": city}, "start_date": first, "end_date": last, "seed": seed,
        "pace": pace,
        "travellers": {"adults": rng.u32(1..4), "infants": rng.u32(0..2)},
    });
    let mut maybe = |percent: u32, name: &str, value: Value| {
        if rng.u32(..100) < percent {
            body[name] = value;
        }
    };
    maybe(30, "budget", json!({"amount": 20_000, "currency": "EUR", "scope": "per_day"}));
    maybe(20, "budget", json!({"amount": 0, "currency": "JPY"}));
    maybe(30, "mobility", json!({"max_walk_m": 4_000, "wheelchair": seed.is_multiple_of(2)}));
    maybe(20, "diet", json!(["vegan"]));
    maybe(20, "transport", json!(["walk", "car"]));
    maybe(10, "transport", json!(["walk"]));
    maybe(20, "arrival_time", json!("15:20"));
    maybe(20, "departure_time", json!("11:45"));
    maybe(15, "day_end", json!("02:30"));
    maybe(15, "meals", json!(["breakfast", "lunch", "dinner"]));
    maybe(30, "interests", json!({"museum": 5, "nature": 4}));
    maybe(20, "max_per_category", json!(1));
    maybe(
        30,
        "fixed",
        json!([
            {"title": "One", "start": format!("{first}T18:00"), "end": format!("{first}T19:30"), "point": {"lat": 1, "lon": 1}},
            {"title": "Two", "start": format!("{last}T19:00"), "end": format!("{last}T20:30"), "point": {"lat": 38.71, "lon": -9.14}},
        ]),
    );
    TripRequest::from_json(body.to_string().as_bytes()).unwrap()
}
