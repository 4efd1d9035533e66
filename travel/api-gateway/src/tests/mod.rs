//! Doubles and helpers of the tests here.

pub(crate) mod bench;
mod chain;
mod clock;
pub(crate) mod fixtures;

pub(crate) use clock::TestClock;
