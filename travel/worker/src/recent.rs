//! Messages that were handled lately.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use lru::LruCache;
use mercurious_messaging::{Dedup, StoreError};

/// Remembers the last messages, in memory. It spares work and decides nothing: who reads the ends of jobs knows
/// duplicates by their ids.
#[derive(Debug)]
pub struct Recent(Mutex<LruCache<String, ()>>);

const KEPT: usize = 10_000;

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN))))
    }
}

#[async_trait]
impl Dedup for Recent {
    async fn seen(&self, _: &str, message_id: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(message_id).is_some())
    }

    async fn record(&self, _: &str, message_id: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(message_id.to_owned(), ());
        Ok(())
    }
}
