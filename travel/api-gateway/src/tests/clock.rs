use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use mercurious_runtime::Clock;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        let start: Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
        Self(AtomicI64::new(start.as_microsecond()))
    }
}

impl TestClock {
    /// Moves it on.
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}
