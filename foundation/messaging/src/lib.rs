//! Messages that are delivered at least once and take effect once.

pub mod header;
mod message;

pub use message::{Headers, Incoming, Outgoing, Position};
