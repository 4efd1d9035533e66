//! Plans made-up trips, has each plan judged, and measures a large one.
//!
//! `trips [COUNT [FIRST_SEED]]` plans COUNT trips (5000) and fails on the first violation.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

mod measure;

use std::ops::ControlFlow;

use anyhow::{Context as _, ensure};
use measure::measured;
use mercurious_itinerary::{
    planner::{Request, plan},
    synthetic::{Size, any_trip, trip},
    validator::validate,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("{text}: no number")),
        None => Ok(default),
    };
    let (count, first) = (number(5000)?, number(0)?);
    let (mut visits, mut unplaced, mut slots) = (0, 0, 0);
    for seed in first..first + count {
        let trip = any_trip(seed)?;
        let request = Request { seed, effort: 100_000 };
        let plan = plan(&trip, &request, &mut |_| ControlFlow::Continue(()))?.itinerary;
        let violations = validate(&trip, &plan);
        ensure!(violations.is_empty(), "seed {seed}: {violations:#?}");
        visits += plan.totals.visits;
        unplaced += plan.unplaced.len();
        slots += plan.days.iter().map(|day| day.slots.len()).sum::<usize>();
    }
    println!("{count} trips, {visits} visits, {slots} slots, {unplaced} unplaced: no violation");
    for seed in 1..=5 {
        let trip = trip(seed, Size { days: 5, places: 200 })?;
        let request = Request { seed, ..Request::default() };
        let (plan, milliseconds) =
            measured(|| plan(&trip, &request, &mut |_| ControlFlow::Continue(())));
        let plan = plan?;
        println!(
            "5 days, 200 places, seed {seed}: {} visits in {milliseconds:.1} ms, {} rounds",
            plan.itinerary.totals.visits, plan.rounds
        );
    }
    Ok(())
}
