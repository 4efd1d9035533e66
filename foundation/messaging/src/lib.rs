//! Messages that are delivered at least once and take effect once.
//!
//! - [`Producer`], [`Source`], [`Follower`]: what a broker must offer; [`memory`] and [`kafka`] do;
//! - [`Consumer`]: the loop that a group's members run, around a [`Handler`];
//! - [`Relay`]: publishes what a service stored together with its effect;
//! - [`header`], [`TraceContext`]: what travels beside a payload.

mod consumer;
mod delivery;
pub mod header;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "memory")]
pub mod memory;
mod message;
mod offsets;
mod outbox;
mod ports;
mod retry;
mod status;
mod together;
mod trace;

pub use consumer::{Consumer, Parts, Settings};
pub use message::{Headers, Incoming, Outgoing, Position};
pub use outbox::{Outbox, OutboxRow, Pass, Relay};
pub use ports::{
    Dedup, Event, Follower, Handler, LookError, NoDedup, Outcome, Partition, Producer,
    PublishError, Revocation, Source, SourceError, Standing, Standings, StoreError,
};
pub use retry::{RetryPolicy, Route};
pub use status::{Figures, Status};
pub use together::Together;
pub use trace::TraceContext;
