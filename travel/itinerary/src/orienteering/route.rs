//! One tour under construction, with the times that make judging an insertion cheap.

use super::problem::{Problem, Role, StopId, UNREACHABLE, Window};

/// A stop in a finished tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// The stop.
    pub stop: StopId,
    /// The floating stop whose place it takes.
    pub serving: Option<StopId>,
    /// When it begins.
    pub start: i32,
    /// When it ends.
    pub end: i32,
}

pub(super) const NONE: u32 = u32::MAX;

/// A run of windows in [`Arena::windows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    at: u32,
    end: u32,
}

impl Span {
    pub(super) fn is_empty(self) -> bool {
        self.at == self.end
    }
}

/// A stop as it may stand in one tour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) stop: u32,
    /// The floating stop whose place it takes, or [`NONE`].
    pub(super) serving: u32,
    /// Where it is; a floating stop is where the stop before it is.
    pub(super) location: u32,
    pub(super) windows: Span,
    pub(super) service: i32,
    pub(super) pad: i32,
    pub(super) floating: bool,
    pub(super) given: bool,
    pub(super) start: i32,
    /// The earliest departure.
    pub(super) depart: i32,
    /// The latest arrival that still lets the rest of the tour happen.
    pub(super) latest: i32,
}

/// All windows in one piece of memory, and every stop's entry for each tour.
#[derive(Debug)]
pub(super) struct Arena {
    windows: Vec<Window>,
    entries: Vec<Entry>,
    tours: usize,
    ends: Vec<(Entry, Entry)>,
    /// For each floating stop, its servers' windows, sorted by server.
    served: Vec<Vec<(u32, Span)>>,
}

impl Arena {
    pub(super) fn new(problem: &Problem) -> Self {
        let mut arena = Self {
            windows: Vec::new(),
            entries: Vec::with_capacity(problem.stops.len() * problem.tours.len()),
            tours: problem.tours.len(),
            ends: Vec::new(),
            served: vec![Vec::new(); problem.stops.len()],
        };
        for (number, stop) in problem.stops.iter().enumerate() {
            for windows in &stop.windows {
                let windows = arena.keep(windows);
                arena.entries.push(Entry {
                    stop: number as u32,
                    serving: NONE,
                    location: stop.location as u32,
                    windows,
                    service: stop.service,
                    pad: stop.pad,
                    floating: stop.role == Role::Floating,
                    given: matches!(stop.role, Role::Fixed | Role::Floating),
                    start: 0,
                    depart: 0,
                    latest: 0,
                });
            }
            for (floating, windows) in &stop.serves {
                let span = arena.keep(windows);
                arena.served[*floating].push((number as u32, span));
            }
        }
        for tour in &problem.tours {
            let mut end = |location: usize, closes: i32| {
                let windows = arena.keep(&[Window { opens: tour.opens, closes }]);
                Entry {
                    stop: NONE,
                    serving: NONE,
                    location: location as u32,
                    windows,
                    service: 0,
                    pad: 0,
                    floating: false,
                    given: true,
                    start: tour.opens,
                    depart: tour.opens,
                    latest: closes,
                }
            };
            let ends = (end(tour.start, tour.opens), end(tour.end, tour.closes));
            arena.ends.push(ends);
        }
        arena
    }

    fn keep(&mut self, windows: &[Window]) -> Span {
        let at = self.windows.len() as u32;
        self.windows.extend_from_slice(windows);
        Span { at, end: self.windows.len() as u32 }
    }

    pub(super) fn entry(&self, stop: u32, tour: usize) -> &Entry {
        &self.entries[stop as usize * self.tours + tour]
    }

    pub(super) fn ends(&self, tour: usize) -> (Entry, Entry) {
        self.ends[tour]
    }

    /// The entry of a server in the place of a floating stop.
    pub(super) fn server(&self, server: u32, floating: &Entry, tour: usize) -> Option<Entry> {
        let served = &self.served[floating.stop as usize];
        let found = served.binary_search_by_key(&server, |(stop, _)| *stop).ok()?;
        let mut entry = *self.entry(server, tour);
        entry.serving = floating.stop;
        entry.windows = served[found].1;
        entry.service = floating.service;
        Some(entry)
    }

    /// The first moment at or after `arrival` that lies in a window.
    pub(super) fn earliest(&self, span: Span, arrival: i32) -> Option<i32> {
        self.windows[span.at as usize..span.end as usize]
            .iter()
            .find(|window| arrival <= window.closes)
            .map(|window| arrival.max(window.opens))
    }

    /// The last moment at or before `bound` that lies in a window.
    fn latest(&self, span: Span, bound: i32) -> Option<i32> {
        self.windows[span.at as usize..span.end as usize]
            .iter()
            .rev()
            .find(|window| window.opens <= bound)
            .map(|window| bound.min(window.closes))
    }

    pub(super) fn first_opening(&self, span: Span) -> i32 {
        if span.is_empty() { i32::MAX / 2 } else { self.windows[span.at as usize].opens }
    }

    pub(super) fn last_closing(&self, span: Span) -> i32 {
        if span.is_empty() { i32::MIN } else { self.windows[span.end as usize - 1].closes }
    }
}

/// What putting an entry into a tour changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Insertion {
    /// The entry goes after the entry with this index, or in its place when it serves.
    pub(super) after: usize,
    /// How much later the next stop with a location is reached.
    pub(super) shift: i32,
    pub(super) metres: i64,
}

/// A tour: its entries from start to end, and its sums.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) entries: Vec<Entry>,
    pub(super) metres: i64,
    pub(super) cost: i64,
    pub(super) score: i64,
    pub(super) counted: usize,
    /// The sum of the times between locations.
    pub(super) travel: i64,
    pub(super) categories: Vec<u16>,
}

impl Route {
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.entries.clone_from(&other.entries);
        self.categories.clone_from(&other.categories);
        self.metres = other.metres;
        self.cost = other.cost;
        self.score = other.score;
        self.counted = other.counted;
        self.travel = other.travel;
    }

    pub(super) fn empty(problem: &Problem, arena: &Arena, tour: usize) -> Self {
        let (start, end) = arena.ends(tour);
        Self {
            entries: vec![start, end],
            metres: 0,
            cost: 0,
            score: 0,
            counted: 0,
            travel: 0,
            categories: vec![0; problem.categories],
        }
    }

    /// The tour with nothing but what it is given, if that goes together.
    pub(super) fn given(problem: &Problem, arena: &Arena, tour: usize) -> Option<Self> {
        let mut route = Self::empty(problem, arena, tour);
        let limits = &problem.tours[tour];
        let given = limits.given.iter().map(|&stop| *arena.entry(stop as u32, tour));
        route.entries.splice(1..1, given);
        let possible = route.settle(problem, arena);
        route.count(problem);
        let within = route.metres <= limits.max_metres && route.cost <= limits.budget;
        (possible && within).then_some(route)
    }

    /// Works out all times and sums again; false when the tour cannot happen.
    pub(super) fn settle(&mut self, problem: &Problem, arena: &Arena) -> bool {
        let last = self.entries.len() - 1;
        self.metres = 0;
        self.travel = 0;
        for index in 1..=last {
            let previous = self.entries[index - 1];
            let entry = &mut self.entries[index];
            let mut arrival = previous.depart;
            if entry.floating {
                entry.location = previous.location;
            } else {
                let time = problem.time(previous.location, entry.location);
                if time >= UNREACHABLE {
                    return false;
                }
                self.travel += i64::from(time);
                arrival += time + entry.pad;
                self.metres += problem.walk(previous.location, entry.location);
            }
            let Some(start) = arena.earliest(entry.windows, arrival) else { return false };
            entry.start = start;
            entry.depart = start + entry.service;
        }
        let mut bound = i32::MAX / 2;
        for index in (0..=last).rev() {
            let entry = self.entries[index];
            if index < last {
                let next = self.entries[index + 1];
                bound = next.latest - entry.service;
                if !next.floating {
                    bound -= problem.time(entry.location, next.location) + next.pad;
                }
            }
            let Some(latest) = arena.latest(entry.windows, bound) else { return false };
            self.entries[index].latest = latest;
        }
        true
    }

    /// Adds up score, cost and counts again.
    pub(super) fn count(&mut self, problem: &Problem) {
        self.cost = 0;
        self.score = 0;
        self.counted = 0;
        self.categories.fill(0);
        for entry in &self.entries {
            let Some(stop) = problem.stops.get(entry.stop as usize) else { continue };
            self.cost += stop.cost;
            self.score += stop.score;
            if stop.counted {
                self.counted += 1;
                if let Some(category) = stop.category {
                    self.categories[category] += 1;
                }
            }
        }
    }

    /// Judges putting `new` between `after` and what follows, or in the place of what follows it when
    /// `new` serves; `None` when the tour could not happen.
    pub(super) fn judge(
        &self,
        problem: &Problem,
        arena: &Arena,
        new: &Entry,
        after: usize,
    ) -> Option<Insertion> {
        let previous = &self.entries[after];
        let there = problem.time(previous.location, new.location);
        // Unreachable, or past the last closing, ends up in no window.
        let start = arena.earliest(new.windows, previous.depart + there + new.pad)?;
        let mut depart = start + new.service;
        let mut before = previous.depart;
        let mut next = after + 1;
        let serving = new.serving != NONE;
        let mut skip = serving;
        while self.entries[next].floating {
            let entry = &self.entries[next];
            before = entry.depart;
            if skip {
                skip = false;
            } else {
                depart = arena.earliest(entry.windows, depart)? + entry.service;
            }
            next += 1;
        }
        let following = &self.entries[next];
        let onward = problem.time(new.location, following.location);
        let arrival = depart + onward + following.pad;
        if arrival > following.latest {
            return None;
        }
        let old = problem.time(previous.location, following.location);
        let metres = problem.walk(previous.location, new.location)
            + problem.walk(new.location, following.location)
            - problem.walk(previous.location, following.location);
        Some(Insertion { after, shift: arrival - (before + old + following.pad), metres })
    }

    /// Puts `new` where `insertion` says, without settling.
    pub(super) fn put(&mut self, new: Entry, insertion: Insertion) {
        if new.serving == NONE {
            self.entries.insert(insertion.after + 1, new);
        } else {
            self.entries[insertion.after + 1] = new;
        }
    }
}
