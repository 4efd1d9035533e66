use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

/// One receiver is heard so often at once, and then so often a second.
const BURST: f64 = 120.0;
const PER_SECOND: f64 = 4.0;
/// Wrong proofs are told apart from right ones so often, by all receivers together.
const WRONG_BURST: f64 = 60.0;
const WRONG_PER_SECOND: f64 = 1.0;

/// How often is heard.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    receivers: Mutex<BTreeMap<String, Bucket>>,
    wrong: Mutex<Option<Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(burst: f64) -> Self {
        Self { tokens: burst, at: Instant::now() }
    }

    /// Takes one, or says in how many seconds there is one.
    fn take(&mut self, burst: f64, per_second: f64) -> Result<(), u64> {
        let now = Instant::now();
        let gained = now.duration_since(self.at).as_secs_f64() * per_second;
        self.tokens = (self.tokens + gained).min(burst);
        self.at = now;
        if self.tokens < 1.0 {
            return Err(((1.0 - self.tokens) / per_second).ceil() as u64);
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

impl Limits {
    /// One more authentic delivery to this receiver. The error: seconds to wait.
    pub(crate) fn hear(&self, receiver: &str) -> Result<(), u64> {
        let mut receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = receivers.get_mut(receiver) {
            return bucket.take(BURST, PER_SECOND);
        }
        let bucket = receivers.entry(receiver.to_owned()).or_insert_with(|| Bucket::full(BURST));
        bucket.take(BURST, PER_SECOND)
    }

    /// One more wrong proof. It costs no receiver anything: who cannot prove itself can silence nobody.
    pub(crate) fn refuse(&self) -> Result<(), u64> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = wrong.get_or_insert_with(|| Bucket::full(WRONG_BURST));
        bucket.take(WRONG_BURST, WRONG_PER_SECOND)
    }

    /// Forgets receivers that are no more.
    pub(crate) fn keep_only(&self, names: &std::collections::BTreeSet<&str>) {
        let mut receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        receivers.retain(|name, _| names.contains(name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_heard_and_then_so_many_a_second() {
        let limits = Limits::default();
        for _ in 0..BURST as usize {
            limits.hear("a").unwrap();
        }
        assert_eq!(limits.hear("a"), Err(1));
        limits.hear("b").unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..PER_SECOND as usize {
            limits.hear("a").unwrap();
        }
        assert_eq!(limits.hear("a"), Err(1));
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_proofs_silence_no_receiver() {
        let limits = Limits::default();
        while limits.refuse().is_ok() {}
        limits.hear("a").unwrap();
    }
}
