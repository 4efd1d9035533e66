//! Putting events and meals into their days, as far as they go together.

use super::compile::{Compiled, Meaning};
use crate::{
    itinerary::{Item, Reason, Unplaced},
    orienteering::{Problem, StopId, Window, holds},
};

/// Gives each tour its events, then its meals; what cannot be kept is refused with its reason.
pub(super) fn settle(compiled: &mut Compiled<'_>) {
    for day in 0..compiled.trip.days.len() {
        if !holds(&compiled.problem, day) {
            let detail = "the way from where the day starts to where it ends is not possible \
                          in its time, or too far to walk"
                .to_owned();
            refuse(compiled, Item::Transfer { day }, Reason::TooFar, detail);
            compiled.impossible.insert(day);
            let tour = &mut compiled.problem.tours[day];
            (tour.end, tour.closes, tour.max_stops) = (tour.start, tour.opens, 0);
        }
    }
    for stop in compiled.events.clone() {
        let Meaning::Event(event) = compiled.meanings[stop] else { continue };
        let position = compiled.problem.tours[event.day].given.len();
        if !gives(compiled, event.day, stop, position) {
            let (reason, detail) = why(compiled, event.day, stop);
            refuse(compiled, Item::Event { id: event.id.clone() }, reason, detail);
        }
    }
    for stop in compiled.meals.clone() {
        let Meaning::Meal { day, meal } = compiled.meanings[stop] else { continue };
        let given = &compiled.problem.tours[day].given;
        // Its natural place first: after all that begins before it may.
        let natural = given
            .iter()
            .filter(|&&other| begins(compiled, other) < i64::from(meal.opens.0))
            .count();
        let mut positions: Vec<usize> = (0..=given.len()).collect();
        positions.sort_by_key(|position| (position.abs_diff(natural), *position));
        if !positions.into_iter().any(|position| gives(compiled, day, stop, position)) {
            let (reason, detail) = why(compiled, day, stop);
            refuse(compiled, Item::Meal { day, meal: meal.kind }, reason, detail);
        }
    }
}

fn refuse(compiled: &mut Compiled<'_>, item: Item, reason: Reason, detail: String) {
    compiled.refused.push(Unplaced { item, asked_for: true, reason, detail });
}

fn begins(compiled: &Compiled<'_>, stop: StopId) -> i64 {
    match compiled.meanings[stop] {
        Meaning::Event(event) => i64::from(event.start.0),
        Meaning::Meal { meal, .. } => i64::from(meal.opens.0),
        Meaning::Place(_) => i64::MAX,
    }
}

/// Gives `stop` to the day's tour at `position` when the tour can hold it.
fn gives(compiled: &mut Compiled<'_>, day: usize, stop: StopId, position: usize) -> bool {
    if compiled.impossible.contains(&day) {
        return false;
    }
    compiled.problem.tours[day].given.insert(position, stop);
    let spent: i128 = (compiled.problem.tours.iter().flat_map(|tour| &tour.given))
        .map(|&stop| i128::from(compiled.problem.stops[stop].cost))
        .sum();
    let possible = spent <= i128::from(compiled.problem.budget) && holds(&compiled.problem, day);
    if !possible {
        compiled.problem.tours[day].given.remove(position);
    }
    possible
}

/// Why the day's tour cannot hold `stop`.
fn why(compiled: &mut Compiled<'_>, day: usize, stop: StopId) -> (Reason, String) {
    if compiled.impossible.contains(&day) {
        return (Reason::OutsideDay, "nothing is possible on that day".to_owned());
    }
    let limits = &compiled.trip.days[day];
    let length = compiled.problem.stops[stop].service;
    let windows = &compiled.problem.stops[stop].windows[day];
    let outside = |window: &Window| {
        window.closes < limits.start.0 || window.opens.saturating_add(length) > limits.end.0
    };
    if windows.iter().all(outside) {
        return (Reason::OutsideDay, "it does not lie within the day".to_owned());
    }
    if let Meaning::Event(event) = compiled.meanings[stop] {
        for &other in &compiled.problem.tours[day].given {
            if let Meaning::Event(other) = compiled.meanings[other]
                && other.start < event.end
                && event.start < other.end
            {
                let detail = format!("it overlaps with {} ({})", other.title, other.id);
                return (Reason::ConflictsWithFixed, detail);
            }
        }
    }
    // Which of time, money and legs is short: with all of them, then without.
    let (tour, budget) = (compiled.problem.tours[day].clone(), compiled.problem.budget);
    let (reason, detail) = shortage(&mut compiled.problem, day, stop);
    compiled.problem.tours[day] = tour;
    compiled.problem.budget = budget;
    (reason, detail.to_owned())
}

fn shortage(problem: &mut Problem, day: usize, stop: StopId) -> (Reason, &'static str) {
    (problem.budget, problem.tours[day].budget) = (i64::MAX, i64::MAX);
    if held(problem, day, stop) {
        return (Reason::OutOfBudget, "there is no money left for it");
    }
    problem.tours[day].max_metres = i64::MAX / 4;
    if held(problem, day, stop) {
        return (Reason::TooMuchWalking, "one would walk further than wanted");
    }
    problem.tours[day].given.clear();
    if held(problem, day, stop) {
        return (Reason::ConflictsWithFixed, "what is fixed leaves no time for it");
    }
    (Reason::TooFar, "it cannot be reached in time and left in time")
}

/// Whether there is a position at which the tour can hold `stop`.
fn held(problem: &mut Problem, day: usize, stop: StopId) -> bool {
    (0..=problem.tours[day].given.len()).any(|position| {
        problem.tours[day].given.insert(position, stop);
        let held = holds(problem, day);
        problem.tours[day].given.remove(position);
        held
    })
}
