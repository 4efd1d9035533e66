//! Doubles and helpers of the tests here.

mod clock;

pub(crate) use clock::TestClock;
