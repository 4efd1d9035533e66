use std::time::Duration;

use tokio::time::Instant;

/// A circuit breaker: a server that fails again and again is left alone for a while.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker {
    failures: u32,
    rests_until: Option<Instant>,
}

/// When a [`Breaker`] opens and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerLimit {
    /// After how many failures in a row.
    pub failures: u32,
    /// How long the server is left alone.
    pub rest: Duration,
}

impl Breaker {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the server may be asked; after its rest one question goes through before the others.
    pub fn lets_through(&mut self, now: Instant, limit: BreakerLimit) -> bool {
        match self.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.rests_until = Some(now + limit.rest);
                true
            }
            None => true,
        }
    }

    /// The server answered.
    pub fn succeeded(&mut self) {
        *self = Self::new();
    }

    /// The server did not answer, or said that it cannot.
    pub fn failed(&mut self, now: Instant, limit: BreakerLimit) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limit.failures {
            self.rests_until = Some(now + limit.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: BreakerLimit = BreakerLimit { failures: 3, rest: Duration::from_mins(1) };

    #[tokio::test(start_paused = true)]
    async fn after_its_rest_one_question_goes_through_and_decides() {
        let (mut breaker, start) = (Breaker::new(), Instant::now());
        for _ in 0..3 {
            assert!(breaker.lets_through(start, LIMIT));
            breaker.failed(start, LIMIT);
        }
        assert!(!breaker.lets_through(start, LIMIT));
        let later = start + Duration::from_mins(1);
        assert!(breaker.lets_through(later, LIMIT));
        assert!(!breaker.lets_through(later, LIMIT), "only one");
        breaker.succeeded();
        assert!(breaker.lets_through(later, LIMIT) && breaker.lets_through(later, LIMIT));
    }
}
