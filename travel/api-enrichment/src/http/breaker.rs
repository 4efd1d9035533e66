//! A server that fails again and again is left alone for a while.

use std::time::Duration;

use tokio::time::Instant;

/// The state of one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Breaker {
    failures: u32,
    rests_until: Option<Instant>,
}

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) failures: u32,
    pub(super) rest: Duration,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { failures: 0, rests_until: None }
    }

    /// Whether the server may be asked; after its rest one question goes through before the others.
    pub(super) fn lets_through(&mut self, now: Instant, limit: Limit) -> bool {
        match self.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.rests_until = Some(now + limit.rest);
                true
            }
            None => true,
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::new();
    }

    pub(super) fn failed(&mut self, now: Instant, limit: Limit) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limit.failures {
            self.rests_until = Some(now + limit.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { failures: 3, rest: Duration::from_secs(60) };

    #[tokio::test(start_paused = true)]
    async fn after_its_rest_one_question_goes_through_and_decides() {
        let (mut breaker, start) = (Breaker::new(), Instant::now());
        for _ in 0..3 {
            assert!(breaker.lets_through(start, LIMIT));
            breaker.failed(start, LIMIT);
        }
        assert!(!breaker.lets_through(start, LIMIT));
        let later = start + Duration::from_secs(60);
        assert!(breaker.lets_through(later, LIMIT));
        assert!(!breaker.lets_through(later, LIMIT), "only one");
        breaker.succeeded();
        assert!(breaker.lets_through(later, LIMIT) && breaker.lets_through(later, LIMIT));
    }
}
