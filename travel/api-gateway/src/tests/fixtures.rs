use std::ops::ControlFlow;

use mercurious_contracts::{
    JobId,
    facts::Facts,
    request::TripRequest,
    trip::{Itinerary, TripDay},
};
use mercurious_itinerary::planner;
use mercurious_planning::{problem::Problem, tell::Teller, writer::Phrases};
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

/// Facts of two days and a dozen places, and the itinerary that is planned from them.
pub(crate) fn planned(request: &TripRequest) -> (Box<Facts>, Box<Itinerary>) {
    let provenance =
        json!({ "source": "test", "licence": "CC0", "fetched_at": "2026-05-01T00:00:00Z" });
    let place = |number: u32| {
        let at = 38.71 + f64::from(number) / 1000.0;
        json!({
            "id": format!("place-{number}"), "name": format!("Place {number}"), "destination": 0,
            "point": { "lat": at, "lon": -9.14 }, "category": "museum", "minutes": 60,
            "score": 500 + number, "cost": cost(500, 800), "provenance": provenance,
            "hours": [[{ "opens": 540, "closes": 1080 }], [{ "opens": 540, "closes": 1080 }]],
        })
    };
    let facts = json!({
        "destinations": [{
            "id": "test:1", "name": "Lisbon", "country": "PT", "country_name": "Portugal",
            "point": { "lat": 38.71, "lon": -9.14 }, "time_zone": "Europe/Lisbon", "currency": "EUR",
            "provenance": provenance,
        }],
        "days": [
            { "date": "2026-05-04", "destination": 0, "offset_minutes": 60 },
            { "date": "2026-05-05", "destination": 0, "offset_minutes": 60 },
        ],
        "places": (1..=16).map(place).collect::<Vec<_>>(),
        "travel": { "modes": [{ "mode": "walk", "metres_per_minute": 75, "detour_percent": 130,
                                "extra_minutes": 0, "extra_walk_metres": 0 }], "provenance": provenance },
        "currency": "EUR",
    });
    let facts: Box<Facts> = Box::new(serde_json::from_value(facts).unwrap());
    let problem = Problem::new(request, &facts).unwrap();
    let settings = planner::Request { seed: 1, effort: 20_000 };
    let plan = planner::plan(&problem.trip, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    let teller = Teller::new(request, &facts, &problem, Phrases::of("en"));
    let itinerary = teller.itinerary(&plan.itinerary, request.language.clone());
    (facts, Box::new(itinerary))
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
