use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lru::LruCache;
use mercurious_runtime::Clock;

use super::{Limits, Rate, Verdict};

/// Of how many clients something is kept; a client that is forgotten has its burst again.
const CLIENTS: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// Limits of one process.
#[derive(Debug)]
pub struct LocalLimits {
    rate: Rate,
    clock: Arc<dyn Clock>,
    paid_off: Mutex<LruCache<String, i64>>,
}

impl LocalLimits {
    /// Nobody has asked yet.
    pub fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        let paid_off = Mutex::new(LruCache::unbounded());
        Self { rate, clock, paid_off }
    }

    /// A client asks for something.
    pub fn judge(&self, client: &str) -> Verdict {
        if self.rate.per_second <= 0.0 {
            return Verdict::Allowed;
        }
        let now = self.clock.now().as_microsecond();
        let mut paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        let known = paid_off.get(client).copied().unwrap_or(now);
        let then = known.max(now).saturating_add(self.rate.interval());
        let over = then - now - self.rate.tolerance();
        if over > 0 {
            return Verdict::Wait(Duration::from_micros(over.unsigned_abs()));
        }
        paid_off.put(client.to_owned(), then);
        if paid_off.len() > CLIENTS.get() {
            paid_off.pop_lru();
        }
        Verdict::Allowed
    }
}

#[async_trait]
impl Limits for LocalLimits {
    async fn take(&self, client: &str) -> Verdict {
        self.judge(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestClock;

    fn limits(per_second: f64, burst: u32) -> (LocalLimits, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        (LocalLimits::new(Rate { per_second, burst }, Arc::clone(&clock) as _), clock)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (limits, clock) = limits(100.0, 200);
        for _ in 0..200 {
            assert_eq!(limits.judge("a"), Verdict::Allowed);
        }
        assert_eq!(limits.judge("a"), Verdict::Wait(Duration::from_millis(10)));
        assert_eq!(limits.judge("b"), Verdict::Allowed, "another client has its own");
        clock.advance(Duration::from_millis(10));
        assert_eq!(limits.judge("a"), Verdict::Allowed);
        assert_eq!(limits.judge("a"), Verdict::Wait(Duration::from_millis(10)));
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let (limits, _) = limits(0.0, 1);
        for _ in 0..1000 {
            assert_eq!(limits.judge("a"), Verdict::Allowed);
        }
    }

    #[test]
    fn no_more_clients_are_kept_than_fit() {
        let (limits, _) = limits(1.0, 1);
        for client in 0..=CLIENTS.get() {
            limits.judge(&client.to_string());
        }
        assert_eq!(limits.paid_off.lock().unwrap().len(), CLIENTS.get());
    }
}
