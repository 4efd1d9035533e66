use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// A delivery that comes again within this is the same one.
const REMEMBERED: Duration = Duration::from_mins(10);
/// So many are remembered; the oldest are forgotten first.
const MOST: usize = 8192;

/// The deliveries of late.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: BTreeSet<[u8; 32]>,
    by_age: VecDeque<(Instant, [u8; 32])>,
}

impl Deliveries {
    /// Remembers a delivery; `false` where it was known already.
    pub(crate) fn is_first(&self, receiver: &str, id: &str) -> bool {
        let hash = Sha256::new().chain_update(receiver).chain_update([0]).chain_update(id);
        let key: [u8; 32] = hash.finalize().into();
        let now = Instant::now();
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(at, oldest)) = inner.by_age.front()
            && (inner.by_age.len() >= MOST || now.duration_since(at) >= REMEMBERED)
        {
            inner.by_age.pop_front();
            inner.known.remove(&oldest);
        }
        let first = inner.known.insert(key);
        if first {
            inner.by_age.push_back((now, key));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_delivery_is_remembered_for_a_while_and_for_its_receiver_alone() {
        let deliveries = Deliveries::default();
        assert!(deliveries.is_first("a", "1"));
        assert!(!deliveries.is_first("a", "1"));
        assert!(deliveries.is_first("b", "1"));
        tokio::time::advance(REMEMBERED).await;
        assert!(deliveries.is_first("a", "1"));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let deliveries = Deliveries::default();
        for number in 0..3 * MOST {
            assert!(deliveries.is_first("a", &number.to_string()));
        }
        let inner = deliveries.0.lock().unwrap();
        assert_eq!((inner.known.len(), inner.by_age.len()), (MOST, MOST));
    }
}
