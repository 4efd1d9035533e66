//! The front proxy before real servers and clients on loopback.

#![expect(clippy::unwrap_used, reason = "what stands around the tests is test code too")]

mod drains;
mod passing;
mod protocol;
mod retries;
mod routing;
mod stage;
mod stops;
mod streams;
mod swaps;
