//! A broker in memory that misbehaves as its seed says, for tests.
//!
//! It keeps what Kafka keeps: messages of one key in the order in which they were acknowledged, at-least-once, one owner
//! of a partition at a time. Within that it does its worst: [`Chaos`].

mod broker;
mod group;
mod member;

use std::time::Duration;

pub use broker::Broker;
pub use member::Member;

/// What goes wrong, as probabilities from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chaos {
    /// A message is stored twice.
    pub duplicate: f64,
    /// A message is held back, so that later ones of other keys overtake it.
    pub delay: f64,
    /// A message is stored and its sender told that it is not known to be.
    pub drop_ack: f64,
    /// A message is not stored, and its sender told so.
    pub drop_message: f64,
    /// A commit gets lost; a later one makes up for it.
    pub drop_commit: f64,
    /// A partition is moved, each time that a member asks for a message.
    pub rebalance: f64,
    /// A partition is taken away without notice, likewise.
    pub lose: f64,
}

impl Chaos {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        duplicate: 0.0,
        delay: 0.0,
        drop_ack: 0.0,
        drop_message: 0.0,
        drop_commit: 0.0,
        rebalance: 0.0,
        lose: 0.0,
    };

    /// A bad day.
    pub const BAD: Self = Self {
        duplicate: 0.1,
        delay: 0.3,
        drop_ack: 0.1,
        drop_message: 0.1,
        drop_commit: 0.2,
        rebalance: 0.03,
        lose: 0.01,
    };
}

/// How often an idle member looks again: what is held back comes in the end.
const LOOK: Duration = Duration::from_millis(5);
