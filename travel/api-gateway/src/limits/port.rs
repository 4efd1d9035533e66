use std::{fmt, time::Duration};

use async_trait::async_trait;

/// So many requests in a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In a second; 0 is no limit.
    pub per_second: f64,
    /// At once.
    pub burst: u32,
}

impl Rate {
    /// How many microseconds one request costs.
    pub fn interval(&self) -> i64 {
        (1_000_000.0 / self.per_second).ceil() as i64
    }

    /// How many microseconds may be owed.
    pub fn tolerance(&self) -> i64 {
        self.interval().saturating_mul(i64::from(self.burst.max(1)))
    }
}

/// Whether a request is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// Not before so long.
    Wait(Duration),
}

/// Keeps the limits of all clients.
#[async_trait]
pub trait Limits: fmt::Debug + Send + Sync {
    /// A client asks for something.
    async fn take(&self, client: &str) -> Verdict;
}
