//! The decision: what to do next for one auto-deploy, or why nothing is done.
//!
//! [`decide`] is synchronous, total and deterministic. It never reads a clock, draws a number, or talks to
//! anything; the same function serves the controller, the one-shot run, `--dry-run` and the tests.
//!
//! # Flow
//! Whoever runs it observes, decides, writes [`Decision::record`] down where it differs, performs
//! [`Decision::effect`], and observes again, until nothing changes. One call makes one step, and asks in this
//! order: did somebody else change the workload, what does a person ask, how does the rollout at work go on,
//! is there something to start.
//!
//! # Guarantees
//! - What is to be done is written down first: `Pending` and `RollingBack` repeat their effect until it is seen.
//! - After its own effects it does nothing; from any state it comes to an end in a bounded number of steps.
//! - What is written is in the policy's own repository and names a digest.
//! - A held release is not started, nor an older one, nor anything while a rollout is at work.
//!
//! # Assumptions
//! - Effects are idempotent, and a candidate's manifest was seen to exist.
//! - A home that takes up a change later says so (`Workload::current`): until then its evidence, restarts and
//!   deadlines are of the spec before, and count for nothing.
//!
//! # Caveats
//! - The image field alone tells who wrote it. Somebody who writes what the engine had written before looks
//!   like the engine; the release is the same, so that nothing is lost.
//! - A workload that was deleted and made anew is seen for the first time: its image is adopted, nothing is held.
//! - A release that a person set becomes the last good one when the bake has passed and it is complete: no
//!   checks are asked, because there is no rollout that they could end.

mod case;
mod desired;
mod going_back;
mod observed;
mod outcome;
mod person;
mod progress;
mod requests;
mod start;
mod status;
mod wording;

#[cfg(test)]
mod tests;

pub use case::decide;
pub use desired::{Ask, Candidate, Comparison, Desired, Request};
pub use observed::{CheckOutcome, Evidence, Observed, Workload, WorkloadState};
pub use outcome::{Decision, Effect, Reason};
pub use status::auto_deploy_status;
