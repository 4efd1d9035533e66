//! Whatever the city, the dates and the wishes: a plan comes out, and it keeps every rule.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use std::ops::ControlFlow;

use mercurious_contracts::{
    facts::Facts,
    request::TripRequest,
    trip::{Activity, Itinerary},
};
use mercurious_itinerary::{planner, validator};
use mercurious_planning::problem::Problem;
use support::{any_request, facts, generate};

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
