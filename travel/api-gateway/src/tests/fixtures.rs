use mercurious_contracts::{
    JobId,
    facts::Facts,
    request::TripRequest,
    trip::{Itinerary, TripDay},
};
use serde_json::{Value, json};

/// The id with that number.
pub(crate) fn job_id(number: u32) -> JobId {
    format!("01999999-0000-7000-8000-{number:012x}").parse().unwrap()
}

/// A request that is right.
pub(crate) fn request_json() -> Value {
    json!({
        "destination": { "name": "Lisbon", "country": "PT" },
        "start_date": "2026-05-04",
        "end_date": "2026-05-05",
    })
}

pub(crate) fn request() -> TripRequest {
    TripRequest::from_json(request_json().to_string().as_bytes()).unwrap()
}

pub(crate) fn facts() -> Box<Facts> {
    let provenance =
        json!({ "source": "test", "licence": "CC0", "fetched_at": "2026-05-01T00:00:00Z" });
    let facts = json!({
        "destinations": [],
        "days": [],
        "places": [],
        "travel": { "modes": [], "provenance": provenance },
        "currency": "EUR",
    });
    Box::new(serde_json::from_value(facts).unwrap())
}

fn cost(min: i64, max: i64) -> Value {
    json!({ "min": min, "max": max, "currency": "EUR" })
}

/// A day with a visit, a way and a meal.
pub(crate) fn day(number: u32) -> TripDay {
    let date = format!("2026-05-{:02}", 3 + number);
    let at = |time: &str| format!("{date}T{time}:00+01:00");
    let place = |name: &str| {
        json!({
            "id": format!("place-{name}-{number}"), "name": name, "lat": 38.7, "lon": -9.1,
            "category": "museum", "source": "test", "licence": "CC0",
        })
    };
    let day = json!({
        "number": number, "date": date, "destination": 0, "title": format!("Day {number}"),
        "slots": [
            { "start": at("09:00"), "end": at("10:30"), "part": "morning", "kind": "visit",
              "place": place("Tile Museum"), "cost": cost(800, 1000) },
            { "start": at("10:30"), "end": at("10:45"), "part": "morning", "kind": "travel",
              "travel": { "mode": "walk", "minutes": 15, "walk_metres": 900,
                          "from": { "lat": 38.7, "lon": -9.1 }, "to": { "lat": 38.71, "lon": -9.14 } },
              "cost": cost(0, 0) },
            { "start": at("12:00"), "end": at("13:00"), "part": "afternoon", "kind": "meal",
              "meal": "lunch", "cost": cost(1500, 2500) },
        ],
        "walk_metres": 900,
        "cost": cost(2300, 3500),
    });
    serde_json::from_value(day).unwrap()
}

/// An itinerary of so many days.
pub(crate) fn itinerary(days: u32) -> Box<Itinerary> {
    let days: Vec<TripDay> = (1..=days).map(day).collect();
    let itinerary = json!({
        "schema_version": 1, "title": "Two days in Lisbon", "seed": 1,
        "planner": { "name": "test", "version": "1" }, "writer": "template",
        "language": "en", "currency": "EUR",
        "destinations": [{ "name": "Lisbon", "country": "PT", "lat": 38.7, "lon": -9.1,
                           "time_zone": "Europe/Lisbon", "currency": "EUR" }],
        "days": days,
        "totals": { "cost": cost(4600, 7000), "by_category": {}, "walk_metres": 1800, "visits": 2 },
        "attributions": ["Places: test data (CC0)"],
    });
    Box::new(serde_json::from_value(itinerary).unwrap())
}
