//! Rollouts: their phases, what is remembered of them, and what is held.
//!
//! A [`Record`] is all that one auto-deploy remembers. It is written before and after each side effect, so
//! that any process may die at any line and the next one goes on from it.

mod record;

pub(crate) use record::no_attempts;
pub use record::{
    Actor, Attempt, Deployed, Hold, Kind, Phase, Record, RequestId, Rollout, RolloutId, Trigger,
    proven,
};
