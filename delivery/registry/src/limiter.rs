//! One registry is asked by few at a time, not too often, and not at all while it asks for patience.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// How hard one host may be asked. All hosts have the same.
#[derive(Clone, Debug)]
pub struct HostLimits {
    /// Requests under way at a time.
    pub concurrency: usize,
    /// Requests started per second, on average over `burst`. Loopback hosts are not slowed.
    pub per_second: u32,
    /// Requests that may start at once after a quiet time.
    pub burst: u32,
    /// A wait that a registry asks for (`Retry-After`) is waited out if it is at most this; else the request fails.
    pub longest_wait: Duration,
}

impl Default for HostLimits {
    /// GHCR tells its limit as 44,000 reads a minute, Docker Hub as "thousands"; we stay far below either.
    fn default() -> Self {
        Self { concurrency: 16, per_second: 50, burst: 100, longest_wait: Duration::from_secs(30) }
    }
}

#[derive(Debug)]
pub(crate) struct Limiter {
    limits: HostLimits,
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Clone, Debug)]
struct Host {
    slots: Arc<Semaphore>,
    /// When the next request of a steady stream may start.
    next: Instant,
    /// The registry asked for patience until then.
    closed_until: Option<Instant>,
}

impl Limiter {
    pub(crate) fn new(limits: HostLimits) -> Self {
        Self { limits, hosts: Mutex::default() }
    }

    pub(crate) fn longest_wait(&self) -> Duration {
        self.limits.longest_wait
    }

    /// Waits for a turn. `Err` says how long the host is closed, where that is longer than one waits.
    pub(crate) async fn admit(
        &self,
        host: &str,
        steady: bool,
    ) -> Result<Option<OwnedSemaphorePermit>, Duration> {
        let slots = self.with(host, |entry| entry.slots.clone());
        // Nothing closes the semaphore.
        let permit = slots.acquire_owned().await.ok();
        loop {
            let start = self.turn(host, steady)?;
            if start <= Instant::now() {
                return Ok(permit);
            }
            tokio::time::sleep_until(start).await;
            if !self.is_closed(host) {
                return Ok(permit);
            }
        }
    }

    /// The registry asked to be left alone for a while: everybody waits, not only the one who was told.
    pub(crate) fn close(&self, host: &str, wait: Duration) {
        let until = Instant::now() + wait;
        self.with(host, |entry| entry.closed_until = entry.closed_until.max(Some(until)));
    }

    fn is_closed(&self, host: &str) -> bool {
        self.with(host, |entry| entry.closed_until.is_some_and(|until| until > Instant::now()))
    }

    fn turn(&self, host: &str, steady: bool) -> Result<Instant, Duration> {
        let now = Instant::now();
        let step = Duration::from_secs(1) / self.limits.per_second.max(1);
        let credit = step * self.limits.burst;
        let longest = self.limits.longest_wait;
        self.with(host, |entry| {
            if let Some(until) = entry.closed_until.filter(|until| *until > now) {
                let wait = until - now;
                return if wait > longest { Err(wait) } else { Ok(until) };
            }
            if !steady {
                return Ok(now);
            }
            entry.next = entry.next.max(now.checked_sub(credit).unwrap_or(now)) + step;
            Ok(entry.next.max(now))
        })
    }

    fn with<T>(&self, host: &str, act: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        act(hosts.entry(host.to_owned()).or_insert_with(|| Host {
            slots: Arc::new(Semaphore::new(self.limits.concurrency.max(1))),
            next: now.checked_sub(Duration::from_hours(1)).unwrap_or(now),
            closed_until: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(HostLimits { per_second, burst, ..HostLimits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_after_a_burst() {
        let limiter = limiter(10, 5);
        let start = Instant::now();
        for _ in 0..5 {
            limiter.admit("h", true).await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            limiter.admit("h", true).await.unwrap();
        }
        assert_eq!(start.elapsed().as_millis() / 100, 10);
        limiter.admit("other", true).await.unwrap();
        assert_eq!(start.elapsed().as_millis() / 100, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_host_is_waited_for_or_refused() {
        let limiter = limiter(1000, 1000);
        let start = Instant::now();
        limiter.close("h", Duration::from_secs(10));
        limiter.admit("h", false).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(10));
        limiter.close("h", Duration::from_secs(100));
        assert!(limiter.admit("h", true).await.unwrap_err() > Duration::from_secs(99));
    }

    #[tokio::test]
    async fn only_so_many_at_a_time() {
        let limiter = Limiter::new(HostLimits { concurrency: 1, ..HostLimits::default() });
        let first = limiter.admit("h", false).await.unwrap();
        let mut second = Box::pin(limiter.admit("h", false));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        second.await.unwrap();
    }
}
