//! A clock that stands still, and requests from a few words.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test uses a part")]

use std::sync::Arc;

use jiff::Timestamp;
use mercurious_contracts::{facts::Facts, message::JobError, request::TripRequest};
use mercurious_enrichment::enrich::{Sources, bundled, enrich};
use mercurious_runtime::Clock;
use mercurious_worker::Unwatched;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct StillClock(pub Timestamp);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(StillClock("2026-05-01T08:00:00Z".parse().unwrap()))
}

pub fn sources() -> Sources {
    bundled(clock())
}

/// A request for some days, with `more` laid over it.
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

pub async fn facts(destination: &str, days: (&str, &str), more: &Value) -> Result<Facts, JobError> {
    enrich(&sources(), &request(destination, days, more), &Unwatched).await
}

pub fn warned(facts: &Facts, code: &str) -> bool {
    facts.warnings.iter().any(|warning| warning.code == code)
}
