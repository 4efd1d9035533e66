//! A job's life, as a pure state machine.
//!
//! **Guarantees.** `queued < enriching < generating <` one of the ends: a job never goes back and ends once. The
//! same input twice changes nothing the second time, so that messages may come more than once, late, or after
//! the end. Each finished day is told once, and all of them before the end.

mod change;
mod machine;
mod record;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use machine::{Ignored, Input, Step, Verdict, accept, apply};
pub use record::{JobRecord, NewJob, StoredEvent};
