//! Why a stop is in no tour.

use super::{
    problem::{Problem, Role, Stop, StopId, UNREACHABLE},
    route::{Arena, Entry, Route},
    solution::Solution,
};

/// What keeps a stop out, from the furthest to the nearest to being taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// It has no window in any tour.
    NoWindow,
    /// No way leads there, or on from there.
    Unreachable,
    /// It does not fit into any tour, even with nothing else in it.
    Alone,
    /// It does not fit beside what the tours are given.
    Given,
    /// It does not fit beside what the tours hold.
    Time,
    /// The tours that have time for it hold as many stops as they may.
    Stops,
    /// The tours that have time for it hold as many of its category as they may.
    Category,
    /// One would walk too far.
    Walk,
    /// The tour's money does not suffice.
    TourBudget,
    /// The money for all tours does not suffice.
    Budget,
}

/// A stop in no tour, and the nearest obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The stop.
    pub stop: StopId,
    /// What keeps it out of the tour that came closest to taking it.
    pub obstacle: Obstacle,
}

/// Says what keeps `stop` out of `solution`.
pub(super) fn obstacle(
    problem: &Problem,
    arena: &Arena,
    given: &Solution,
    solution: &Solution,
    stop: u32,
) -> Obstacle {
    let mut nearest = Obstacle::NoWindow;
    for tour in 0..problem.tours.len() {
        if let Some(found) = in_tour(problem, arena, given, solution, (stop, tour)) {
            nearest = nearest.max(found);
        }
    }
    nearest
}

fn in_tour(
    problem: &Problem,
    arena: &Arena,
    given: &Solution,
    solution: &Solution,
    (number, tour): (u32, usize),
) -> Option<Obstacle> {
    let stop = &problem.stops[number as usize];
    let route = &solution.routes[tour];
    let held = |route: &Route| {
        positions(arena, route, number, tour, stop.role)
            .into_iter()
            .filter_map(|(entry, after)| {
                let judged = route.judge(problem, arena, &entry, after)?;
                Some((judged.metres, entry, after))
            })
            .min_by_key(|(metres, _, _)| *metres)
    };
    if stop.role == Role::Server {
        // What stands for another server's meal is taken as it stands.
        if positions(arena, &given.routes[tour], number, tour, stop.role).is_empty() {
            return None;
        }
    } else if arena.entry(number, tour).windows.is_empty() {
        return None;
    }
    let Some((metres, entry, after)) = held(route) else {
        if held(&given.routes[tour]).is_some() {
            return Some(Obstacle::Time);
        }
        return Some(without_given(problem, arena, number, tour));
    };
    let limits = &problem.tours[tour];
    let instead = if entry.serving == super::route::NONE {
        0
    } else {
        problem.stops[route.entries[after + 1].stop as usize].cost
    };
    let cost = stop.cost - instead;
    Some(if stop.counted && route.counted >= limits.max_stops {
        Obstacle::Stops
    } else if full(problem, route, stop) {
        Obstacle::Category
    } else if metres > limits.max_metres - route.metres {
        Obstacle::Walk
    } else if route.cost + cost > limits.budget {
        Obstacle::TourBudget
    } else if solution.cost + cost > problem.budget {
        Obstacle::Budget
    } else {
        Obstacle::Time
    })
}

fn full(problem: &Problem, route: &Route, stop: &Stop) -> bool {
    stop.counted
        && stop
            .category
            .is_some_and(|category| usize::from(route.categories[category]) >= problem.category_cap)
}

fn positions(
    arena: &Arena,
    route: &Route,
    stop: u32,
    tour: usize,
    role: Role,
) -> Vec<(Entry, usize)> {
    (0..route.entries.len() - 1)
        .filter_map(|after| match role {
            Role::Server => {
                let floating = &route.entries[after + 1];
                let served = floating.floating.then(|| arena.server(stop, floating, tour));
                Some((served.flatten()?, after))
            }
            _ => Some((*arena.entry(stop, tour), after)),
        })
        .collect()
}

fn without_given(problem: &Problem, arena: &Arena, stop: u32, tour: usize) -> Obstacle {
    let mut empty = Route::empty(problem, arena, tour);
    let entry = arena.entry(stop, tour);
    let limits = &problem.tours[tour];
    let there = problem.time(limits.start as u32, entry.location);
    let onward = problem.time(entry.location, limits.end as u32);
    if there >= UNREACHABLE || onward >= UNREACHABLE {
        return Obstacle::Unreachable;
    }
    // A server has no place in a tour without the meal that it serves.
    if problem.stops[stop as usize].role == Role::Server {
        return Obstacle::Given;
    }
    empty.settle(problem, arena);
    if empty.judge(problem, arena, entry, 0).is_some() { Obstacle::Given } else { Obstacle::Alone }
}
