//! Team orienteering with time windows, in whole units of time.
//!
//! Given tours that each start and end somewhere at a given time, and stops with a score, a length and
//! windows in which they may begin, find tours of the highest total score. Tours may hold fixed stops that
//! are never dropped, and floating ones (a meal) that have a window but no location of their own and may be
//! taken over by a stop that serves them (a restaurant).
//!
//! **Method.** Iterated local search: ruin by removing strings of neighbouring stops, recreate by greedy
//! insertion with blinks (Christiaens and Vanden Berghe, "Slack Induction by String Removals for Vehicle
//! Routing Problems", Transportation Science 54(2), 2020), accepted under a falling threshold. An insertion
//! is judged in constant time from the earliest departure before it and the latest arrival after it, the
//! `Start`/`MaxShift` book-keeping of Vansteenwegen et al., "Iterated local search for the team orienteering
//! problem with time windows", Computers & Operations Research 36(12), 2009, here for several windows per
//! stop.
//!
//! **Guarantees.** The same problem, seed and effort give the same answer on every machine: integers only,
//! no clock, no hash order. Work is bounded by [`Settings::effort`], counted in positions looked at.

mod obstacle;
mod problem;
mod recreate;
mod route;
mod ruin;
mod search;
mod solution;

pub use obstacle::{Left, Obstacle};
pub use problem::{Problem, ProblemError, Role, Stop, StopId, Tour, UNREACHABLE, Window, limits};
pub use route::Timed;
pub use search::{Outcome, Progress, Settings, solve};

pub(crate) use search::holds;
