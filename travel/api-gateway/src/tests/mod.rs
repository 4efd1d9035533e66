//! Doubles and helpers of the tests here.

pub(crate) mod bench;
mod chain;
mod clock;
pub(crate) mod fixtures;

#[cfg(any(feature = "mongodb", feature = "redis"))]
pub(crate) mod servers;

pub(crate) use clock::TestClock;
