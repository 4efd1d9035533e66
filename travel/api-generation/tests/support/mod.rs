//! Facts from enrichment's bundled sources, and plans from them.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test uses a part")]

use std::sync::Arc;

use jiff::Timestamp;
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

pub fn request(destination: &str, (first, last): (&str, &str), more: &Value) -> TripRequest {
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

pub async fn facts(request: &TripRequest) -> Facts {
    enrich(&bundled(Arc::new(StillClock)), request, &Unwatched).await.unwrap()
}

/// Quick enough for hundreds of trips in a debug build.
pub fn quick() -> Generator {
    Generator { model: None, effort: 20_000 }
}

pub async fn generate(request: &TripRequest, facts: &Facts) -> Result<Itinerary, JobError> {
    quick().generate(request, facts, 1, &Unwatched).await
}

pub async fn trip(destination: &str, days: (&str, &str), more: Value) -> Itinerary {
    let request = request(destination, days, &more);
    generate(&request, &facts(&request).await).await.unwrap()
}

pub fn visits(day: &TripDay) -> Vec<&str> {
    (day.slots.iter())
        .filter_map(|slot| match &slot.activity {
            Activity::Visit { place } => Some(place.id.as_str()),
            _ => None,
        })
        .collect()
}

pub fn warned(itinerary: &Itinerary, code: &str) -> bool {
    itinerary.warnings.iter().any(|warning| warning.code == code)
}
