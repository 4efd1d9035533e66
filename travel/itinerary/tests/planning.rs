//! What is planned keeps every rule.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::ops::ControlFlow;

use mercurious_itinerary::{
    planner::{Plan, Request, plan},
    synthetic::any_trip,
    trip::Trip,
    validator::validate,
};

fn quick(trip: &Trip, seed: u64) -> Plan {
    let request = Request { seed, effort: 20_000 };
    plan(trip, &request, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn three_hundred_made_up_trips_are_planned_without_a_violation() {
    for seed in 0..300 {
        let trip = any_trip(seed).unwrap();
        let plan = quick(&trip, seed);
        let violations = validate(&trip, &plan.itinerary);
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    }
}
