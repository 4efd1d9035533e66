//! Whatever the city, the dates and the wishes: a plan comes out, and it keeps every rule.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use std::ops::ControlFlow;

use fastrand::Rng;
use jiff::{ToSpan as _, civil::date};
use mercurious_contracts::{
    facts::Facts,
    request::TripRequest,
    trip::{Activity, Itinerary},
};
use mercurious_generation::problem::Problem;
use mercurious_itinerary::{planner, validator};
use serde_json::{Value, json};
use support::{facts, generate};

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

fn any_request(seed: u64) -> TripRequest {
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

/// What holds of any itinerary as people get it.
fn told_rightly(itinerary: &Itinerary, request: &TripRequest, facts: &Facts) {
    assert_eq!(itinerary.days.len(), request.days() as usize);
    let mut before = String::new();
    for day in &itinerary.days {
        for slot in &day.slots {
            assert!(slot.start <= slot.end && slot.cost.min <= slot.cost.max);
            let place = match &slot.activity {
                Activity::Visit { place } => Some(place),
                Activity::Meal { place, .. } | Activity::Fixed { place, .. } => place.as_ref(),
                _ => None,
            };
            if let Some(place) = place {
                let known = facts.places.iter().find(|known| known.id == place.id).unwrap();
                assert_eq!((&known.name, known.point), (&place.name, place.point));
                assert!(!place.source.is_empty() && !place.licence.is_empty());
            }
        }
        let sum: i64 = day.slots.iter().map(|slot| slot.cost.max).sum();
        assert_eq!(sum, day.cost.max);
        assert!(before < day.date.to_string());
        before = day.date.to_string();
    }
    let sum: i64 = itinerary.days.iter().map(|day| day.cost.max).sum();
    assert_eq!(sum, itinerary.totals.cost.max);
    let by: i64 = itinerary.totals.by_category.values().map(|cost| cost.max).sum();
    assert_eq!(by, sum);
}

#[tokio::test]
async fn sixty_trips_all_over_the_world_keep_every_rule() {
    for seed in 0..60 {
        let request = any_request(seed);
        let facts = facts(&request).await;
        let itinerary = generate(&request, &facts).await;
        let itinerary = itinerary.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        told_rightly(&itinerary, &request, &facts);
        // The same plan, judged here and not by who made it.
        let problem = Problem::new(&request, &facts).unwrap();
        let settings = planner::Request { seed, effort: 20_000 };
        let plan = planner::plan(&problem.trip, &settings, &mut |_| ControlFlow::Continue(()));
        let violations = validator::validate(&problem.trip, &plan.unwrap().itinerary);
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    }
}
