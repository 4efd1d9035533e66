//! Plans made-up trips, has each plan judged, and measures a large one.
//!
//! `trips [COUNT [FIRST_SEED]]` plans COUNT trips (5000) and fails on the first violation.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::{ops::ControlFlow, time::Instant};

use anyhow::{Context as _, ensure};
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
        let (clock, begun) = (Instant::now(), on_core());
        let plan = plan(&trip, &Request { seed, ..Request::default() }, &mut |_| {
            ControlFlow::Continue(())
        })?;
        let by_clock = clock.elapsed().as_secs_f64() * 1000.0;
        let milliseconds = match (begun, on_core()) {
            (Some(begun), Some(ended)) => ended - begun,
            _ => by_clock,
        };
        println!(
            "5 days, 200 places, seed {seed}: {} visits in {milliseconds:.1} ms, {} rounds",
            plan.itinerary.totals.visits, plan.rounds
        );
    }
    Ok(())
}

/// Milliseconds that this thread has had a core for.
fn on_core() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}
