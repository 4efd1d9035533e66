//! A set of tours and what is in none of them.

use super::{
    problem::{Problem, ProblemError, Role},
    route::{Arena, Entry, Insertion, NONE, Route},
};

/// What a search stands on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) problem: &'a Problem,
    pub(super) arena: &'a Arena,
    /// The stops that it may take or leave.
    pub(super) free: &'a [u32],
}

/// How good a set of tours is: score first, then as little time on the way as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) score: i64,
    pub(super) travel: i64,
}

impl Value {
    pub(super) fn beats(self, other: Self) -> bool {
        (self.score, -self.travel) > (other.score, -other.travel)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) routes: Vec<Route>,
    /// For each stop, the tour that holds it, or [`NONE`].
    pub(super) holder: Vec<u32>,
    /// What all tours cost together.
    pub(super) cost: i64,
}

impl Solution {
    /// The tours with nothing but what they are given.
    pub(super) fn given(problem: &Problem, arena: &Arena) -> Result<Self, ProblemError> {
        let mut holder = vec![NONE; problem.stops.len()];
        let mut routes = Vec::with_capacity(problem.tours.len());
        let mut cost = 0;
        for (number, tour) in problem.tours.iter().enumerate() {
            let route = Route::given(problem, arena, number)
                .filter(|route| cost + route.cost <= problem.budget)
                .ok_or(ProblemError::Given { tour: number })?;
            for &stop in &tour.given {
                holder[stop] = number as u32;
            }
            cost += route.cost;
            routes.push(route);
        }
        Ok(Self { routes, holder, cost })
    }

    pub(super) fn value(&self) -> Value {
        Value {
            score: self.routes.iter().map(|route| route.score).sum(),
            travel: self.routes.iter().map(|route| route.travel).sum(),
        }
    }

    /// Whether `tour` has money, legs and room in its counts for `stop`, times aside.
    pub(super) fn affords(&self, problem: &Problem, stop: u32, tour: usize, instead: i64) -> bool {
        let route = &self.routes[tour];
        let limits = &problem.tours[tour];
        let stop = &problem.stops[stop as usize];
        let cost = stop.cost - instead;
        if route.cost + cost > limits.budget || self.cost + cost > problem.budget {
            return false;
        }
        if !stop.counted {
            return true;
        }
        route.counted < limits.max_stops
            && stop.category.is_none_or(|category| {
                usize::from(route.categories[category]) < problem.category_cap
            })
    }

    /// Puts `entry` into `tour`; undoes it and says false when the tour could not happen after all.
    pub(super) fn put(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        tour: usize,
        entry: Entry,
        insertion: Insertion,
    ) -> bool {
        let route = &mut self.routes[tour];
        let replaced = route.entries[insertion.after + 1];
        let before = route.cost;
        route.put(entry, insertion);
        if !route.settle(problem, arena) {
            if entry.serving == NONE {
                route.entries.remove(insertion.after + 1);
            } else {
                route.entries[insertion.after + 1] = replaced;
            }
            route.settle(problem, arena);
            return false;
        }
        route.count(problem);
        self.cost += route.cost - before;
        self.holder[entry.stop as usize] = tour as u32;
        if entry.serving != NONE {
            self.holder[entry.serving as usize] = NONE;
        }
        true
    }

    /// Takes all entries out of `tour` for which `taken` says so, given ones aside; a server leaves the
    /// floating stop behind that it stood for. False, and nothing changed, when the tour could not
    /// happen without them.
    pub(super) fn take(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        tour: usize,
        taken: impl Fn(usize) -> bool,
    ) -> bool {
        let mut entries = Vec::with_capacity(self.routes[tour].entries.len());
        for (index, entry) in self.routes[tour].entries.iter().enumerate() {
            let take = taken(index) && !entry.given;
            if !take {
                entries.push(*entry);
            } else if entry.serving != NONE {
                entries.push(*arena.entry(entry.serving, tour));
            }
        }
        let route = &mut self.routes[tour];
        std::mem::swap(&mut route.entries, &mut entries);
        let possible = route.settle(problem, arena);
        let before = route.cost;
        route.count(problem);
        let limits = &problem.tours[tour];
        let cost = self.cost + route.cost - before;
        let within = route.metres <= limits.max_metres
            && route.cost <= limits.budget
            && cost <= problem.budget;
        if !possible || !within {
            std::mem::swap(&mut route.entries, &mut entries);
            route.settle(problem, arena);
            route.count(problem);
            return false;
        }
        self.cost = cost;
        for (index, entry) in entries.iter().enumerate() {
            if taken(index) && !entry.given {
                self.holder[entry.stop as usize] = NONE;
                if entry.serving != NONE {
                    self.holder[entry.serving as usize] = tour as u32;
                }
            }
        }
        true
    }

    /// Becomes `other`, from which it differs in the `touched` tours only.
    pub(super) fn take_over(&mut self, other: &Self, touched: &[usize]) {
        for &tour in touched {
            self.routes[tour].copy_from(&other.routes[tour]);
        }
        self.holder.clone_from(&other.holder);
        self.cost = other.cost;
    }
}

/// The stops that a search may take or leave.
pub(super) fn free_stops(problem: &Problem, arena: &Arena) -> Vec<u32> {
    (0..problem.stops.len() as u32)
        .filter(|&stop| match problem.stops[stop as usize].role {
            Role::Candidate => {
                (0..problem.tours.len()).any(|tour| !arena.entry(stop, tour).windows.is_empty())
            }
            Role::Server => !problem.stops[stop as usize].serves.is_empty(),
            Role::Fixed | Role::Floating => false,
        })
        .collect()
}
