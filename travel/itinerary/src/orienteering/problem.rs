//! What is to be solved.

use thiserror::Error;

/// The time between two locations that no way joins.
pub const UNREACHABLE: i32 = i32::MAX / 8;

/// The largest problem that is accepted.
pub mod limits {
    /// Locations in the table of times.
    pub const LOCATIONS: usize = 3_000;
    /// Stops, candidates and given ones together.
    pub const STOPS: usize = 5_000;
    /// Tours.
    pub const TOURS: usize = 64;
    /// Windows of a stop in one tour.
    pub const WINDOWS: usize = 32;
    /// Any point in time, length or time between two locations.
    pub const TIME: i32 = 10_000_000;
    /// The score of one stop.
    pub const SCORE: i64 = 1_000_000_000;
    /// The cost of one stop.
    pub const COST: i64 = 1_000_000_000_000_000;
}

/// A stop's place in [`Problem::stops`].
pub type StopId = usize;

/// The first and the last moment at which a stop may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first moment.
    pub opens: i32,
    /// The last moment.
    pub closes: i32,
}

/// What part a stop plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May be taken, at most once in all tours.
    Candidate,
    /// May be taken at most once, in place of a floating stop that it serves (see [`Stop::serves`]).
    Server,
    /// Is part of the tour that lists it, at its own location.
    Fixed,
    /// Is part of the tour that lists it, wherever the tour is at that time.
    Floating,
}

/// Something to stop for.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The part it plays.
    pub role: Role,
    /// Its row in the table of times; without meaning for a floating stop.
    pub location: usize,
    /// How long it lasts.
    pub service: i32,
    /// Time to spare that must lie between the arrival and the beginning.
    pub pad: i32,
    /// What it is worth.
    pub score: i64,
    /// What it costs.
    pub cost: i64,
    /// Its category, for [`Problem::category_cap`].
    pub category: Option<usize>,
    /// Whether it counts towards [`Tour::max_stops`].
    pub counted: bool,
    /// For each tour, when it may begin, in order and apart. A floating or fixed stop needs windows for
    /// its own tour only.
    pub windows: Vec<Vec<Window>>,
    /// For a server: the floating stops that it may take the place of, and when it may begin as such.
    pub serves: Vec<(StopId, Vec<Window>)>,
}

/// One tour: a day.
#[derive(Debug, Clone)]
pub struct Tour {
    /// The location at which it starts.
    pub start: usize,
    /// The location at which it ends.
    pub end: usize,
    /// When it starts.
    pub opens: i32,
    /// When it must have ended.
    pub closes: i32,
    /// How many counted stops it may hold.
    pub max_stops: usize,
    /// How far one may walk in it.
    pub max_metres: i64,
    /// What its stops may cost together.
    pub budget: i64,
    /// The stops that it must hold, fixed and floating, in their order.
    pub given: Vec<StopId>,
}

/// A whole problem.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The number of locations.
    pub locations: usize,
    /// The time from each location to each other, row by row; [`UNREACHABLE`] where there is no way.
    pub times: Vec<i32>,
    /// The metres walked from each location to each other, row by row; empty where nobody counts.
    pub metres: Vec<i32>,
    /// The tours.
    pub tours: Vec<Tour>,
    /// The stops.
    pub stops: Vec<Stop>,
    /// What all stops may cost together.
    pub budget: i64,
    /// How many categories there are.
    pub categories: usize,
    /// How many counted stops of one category a tour may hold.
    pub category_cap: usize,
}

/// Why a problem cannot be solved as it stands.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProblemError {
    /// More than the documented limit.
    #[error("{what}: {count} are more than the limit of {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A table or list has the wrong length.
    #[error("{what}: {found} entries where {expected} are needed")]
    Length {
        /// Which table.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that it needs.
        expected: usize,
    },
    /// A number points at nothing.
    #[error("{what} {index} does not exist")]
    Index {
        /// What it should point at.
        what: &'static str,
        /// The number.
        index: usize,
    },
    /// A number lies outside its limits.
    #[error("{what}: {value} is out of bounds")]
    Range {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// A tour ends before it starts.
    #[error("tour {tour} ends before it starts")]
    EndsBeforeStart {
        /// The tour's number.
        tour: usize,
    },
    /// Windows overlap, are out of order or end before they start.
    #[error("stop {stop}: its windows are not in order")]
    Windows {
        /// The stop's number.
        stop: StopId,
    },
    /// The given stops of a tour cannot be kept in the given order.
    #[error("tour {tour} cannot hold its given stops")]
    Given {
        /// The tour's number.
        tour: usize,
    },
}

impl Problem {
    pub(super) fn time(&self, from: u32, to: u32) -> i32 {
        self.times[from as usize * self.locations + to as usize]
    }

    pub(super) fn walk(&self, from: u32, to: u32) -> i64 {
        if self.metres.is_empty() {
            return 0;
        }
        i64::from(self.metres[from as usize * self.locations + to as usize])
    }

    /// Checks sizes, indexes and ranges; says the first fault.
    ///
    /// Whether each tour can hold what it is given is found out by [`super::solve`].
    pub fn check(&self) -> Result<(), ProblemError> {
        at_most("locations", self.locations, limits::LOCATIONS)?;
        at_most("stops", self.stops.len(), limits::STOPS)?;
        at_most("tours", self.tours.len(), limits::TOURS)?;
        let square = self.locations * self.locations;
        length("times", self.times.len(), square)?;
        if !self.metres.is_empty() {
            length("metres", self.metres.len(), square)?;
        }
        for &time in &self.times {
            if time != UNREACHABLE {
                range("a time between locations", i64::from(time), i64::from(limits::TIME))?;
            }
        }
        for &metres in &self.metres {
            range("a distance", i64::from(metres), i64::from(i32::MAX))?;
        }
        for (number, tour) in self.tours.iter().enumerate() {
            self.check_tour(number, tour)?;
        }
        for (number, stop) in self.stops.iter().enumerate() {
            self.check_stop(number, stop)?;
        }
        Ok(())
    }

    fn check_tour(&self, number: usize, tour: &Tour) -> Result<(), ProblemError> {
        index("location", tour.start, self.locations)?;
        index("location", tour.end, self.locations)?;
        range("a tour's start", i64::from(tour.opens), i64::from(limits::TIME))?;
        range("a tour's end", i64::from(tour.closes), i64::from(limits::TIME))?;
        if tour.closes < tour.opens {
            return Err(ProblemError::EndsBeforeStart { tour: number });
        }
        for &stop in &tour.given {
            index("stop", stop, self.stops.len())?;
            if !matches!(self.stops[stop].role, Role::Fixed | Role::Floating) {
                return Err(ProblemError::Given { tour: number });
            }
        }
        Ok(())
    }

    fn check_stop(&self, number: StopId, stop: &Stop) -> Result<(), ProblemError> {
        if stop.role != Role::Floating {
            index("location", stop.location, self.locations)?;
        }
        if let Some(category) = stop.category {
            index("category", category, self.categories)?;
        }
        range("a stop's length", i64::from(stop.service), i64::from(limits::TIME))?;
        range("a stop's time to spare", i64::from(stop.pad), i64::from(limits::TIME))?;
        range("a score", stop.score, limits::SCORE)?;
        range("a cost", stop.cost, limits::COST)?;
        length("windows by tour", stop.windows.len(), self.tours.len())?;
        for windows in &stop.windows {
            in_order(number, windows)?;
        }
        for (floating, windows) in &stop.serves {
            index("stop", *floating, self.stops.len())?;
            in_order(number, windows)?;
        }
        Ok(())
    }
}

fn in_order(stop: StopId, windows: &[Window]) -> Result<(), ProblemError> {
    at_most("windows", windows.len(), limits::WINDOWS)?;
    for window in windows {
        range("a window's opening", i64::from(window.opens), i64::from(limits::TIME))?;
        range("a window's closing", i64::from(window.closes), i64::from(limits::TIME))?;
    }
    let each = windows.iter().all(|window| window.opens <= window.closes);
    let apart = windows.windows(2).all(|pair| pair[0].closes < pair[1].opens);
    if each && apart { Ok(()) } else { Err(ProblemError::Windows { stop }) }
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), ProblemError> {
    if count <= limit { Ok(()) } else { Err(ProblemError::TooMany { what, count, limit }) }
}

fn length(what: &'static str, found: usize, expected: usize) -> Result<(), ProblemError> {
    if found == expected { Ok(()) } else { Err(ProblemError::Length { what, found, expected }) }
}

fn index(what: &'static str, index: usize, count: usize) -> Result<(), ProblemError> {
    if index < count { Ok(()) } else { Err(ProblemError::Index { what, index }) }
}

fn range(what: &'static str, value: i64, limit: i64) -> Result<(), ProblemError> {
    if (0..=limit).contains(&value) { Ok(()) } else { Err(ProblemError::Range { what, value }) }
}
