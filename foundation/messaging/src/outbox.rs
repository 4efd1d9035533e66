//! The relay of a transactional outbox.
//!
//! **Flow.** A service stores its effect and the messages that follow from it in one transaction. The relay claims
//! rows, publishes them and marks them as sent.
//!
//! **Guarantees.** Each row is published at least once, rows of one key in their order. Claims of a relay that died
//! end by themselves, and another relay goes on.
//!
//! **Caveats.** A crash between publishing and marking publishes a second time, with the same message id.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt as _;
use mercurious_runtime::CancellationToken;
use tokio::sync::Notify;

use crate::{Outgoing, Producer, StoreError};

/// A row: a message that waits to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// What the store knows it by.
    pub id: String,
    /// The message.
    pub message: Outgoing,
}

/// The rows of a service's store.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims at most `limit` of the oldest rows that nobody holds a claim on, for as long as `lease`; in order.
    /// A row whose key has an earlier row under another's claim is not given out.
    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<OutboxRow>, StoreError>;

    /// They were published, and are needed no more.
    async fn sent(&self, ids: &[String]) -> Result<(), StoreError>;

    /// The broker will never take it. It is put aside, with what it belongs to told.
    async fn refused(&self, id: &str, reason: &str) -> Result<(), StoreError>;
}

/// Publishes the rows of an outbox.
pub struct Relay {
    outbox: Arc<dyn Outbox>,
    producer: Arc<dyn Producer>,
    wake: Arc<Notify>,
    /// How often to look when nobody wakes it.
    pub interval: Duration,
    /// How many rows to claim at once.
    pub batch: usize,
    /// How long a claim holds; longer than publishing a batch can take.
    pub lease: Duration,
}

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// How many keys are published at the same time.
const AT_ONCE: usize = 64;

impl Relay {
    /// A relay that looks each half second, and at once when it is woken.
    pub fn new(outbox: Arc<dyn Outbox>, producer: Arc<dyn Producer>) -> Self {
        Self {
            outbox,
            producer,
            wake: Arc::new(Notify::new()),
            interval: Duration::from_millis(500),
            batch: 200,
            lease: Duration::from_mins(1),
        }
    }

    /// What to notify after a transaction that left rows.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Runs until `stop`. What was claimed is finished first.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.pass().await {
                Ok(Pass { claimed, all_sent: true }) if claimed >= self.batch => continue,
                Ok(Pass { all_sent: true, .. }) => self.interval,
                Ok(Pass { all_sent: false, .. }) => PAUSE,
                Err(error) => {
                    tracing::warn!(error = %error, "the outbox does not answer");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One pass: claims a batch and publishes it.
    pub async fn pass(&self) -> Result<Pass, StoreError> {
        let rows = self.outbox.claim(self.batch, self.lease).await?;
        let claimed = rows.len();
        let mut keys: BTreeMap<String, Vec<OutboxRow>> = BTreeMap::new();
        for row in rows {
            keys.entry(row.message.key.clone()).or_default().push(row);
        }
        let results: Vec<(Vec<String>, bool)> = futures::stream::iter(keys.into_values())
            .map(|rows| self.publish(rows))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let all_sent = results.iter().all(|(_, all)| *all);
        let sent: Vec<String> = results.into_iter().flat_map(|(sent, _)| sent).collect();
        if !sent.is_empty() {
            self.outbox.sent(&sent).await?;
        }
        Ok(Pass { claimed, all_sent })
    }

    /// Publishes the rows of one key in their order, up to the first that does not work.
    async fn publish(&self, rows: Vec<OutboxRow>) -> (Vec<String>, bool) {
        let mut sent = Vec::new();
        for row in rows {
            match self.producer.publish(row.message).await {
                Ok(()) => sent.push(row.id),
                Err(error) if error.is_retryable() => {
                    tracing::warn!(error = %error, outbox.row = row.id, "not published; trying again");
                    return (sent, false);
                }
                Err(error) => {
                    tracing::error!(error = %error, outbox.row = row.id, "the broker refuses a message");
                    if let Err(error) = self.outbox.refused(&row.id, &error.to_string()).await {
                        tracing::warn!(error = %error, "the outbox does not answer");
                        return (sent, false);
                    }
                }
            }
        }
        (sent, true)
    }
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// How many rows were claimed.
    pub claimed: usize,
    /// Whether all of them are done with.
    pub all_sent: bool,
}
