//! The decision: what to do next for one auto-deploy, or why nothing is done.
//!
//! [`decide`] is synchronous, total and deterministic. It never reads a clock, draws a number, or talks to
//! anything; the same function serves the controller, the one-shot run, `--dry-run` and the tests.

mod desired;
mod observed;
mod outcome;

pub use desired::{Ask, Candidate, Comparison, Desired, Request};
pub use observed::{CheckOutcome, Evidence, Observed, Workload, WorkloadState};
pub use outcome::{Decision, Effect, Reason};

use jiff::Timestamp;

/// What to do next, and why. See the module's documentation.
pub fn decide(desired: &Desired, observed: &Observed, now: Timestamp) -> Decision {
    let _ = (desired, now);
    Decision::nothing(Reason::UpToDate, "not decided yet", observed.record.clone())
}
