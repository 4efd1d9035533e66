use std::{sync::Arc, time::Duration};

use kafka_protocol::ResponseError;
use mercurious_runtime::Clock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    batch::Batch, kept::Kept, producers::SequenceError, reader::Committed, schema::OpenError,
    view::Topics,
};

/// How many orders may wait; further ones wait for room.
const QUEUE: usize = 1024;
/// How many orders go into one transaction, and how many bytes of records.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: usize = 8 * 1024 * 1024;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For how long records are kept.
    pub(crate) retention: Duration,
    /// How many bytes of records a partition keeps; the oldest batches go first.
    pub(crate) partition_bytes: u64,
}

/// Where a batch has come to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error("the log cannot be written")]
    Unwritten,
}

impl AppendError {
    /// What the producer is told.
    pub(crate) fn answer(&self) -> ResponseError {
        match self {
            Self::Sequence(error) => error.answer(),
            Self::Unwritten => ResponseError::KafkaStorageError,
        }
    }
}

/// How far a group has come.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) committed: Committed,
}

pub(super) enum Order {
    Append { partition: i64, batch: Batch, answer: oneshot::Sender<Result<Appended, AppendError>> },
    Commit { group: String, commits: Vec<Commit>, answer: oneshot::Sender<Result<(), AppendError>> },
    Producer { answer: oneshot::Sender<Result<i64, AppendError>> },
    Prune,
}

/// The one writer of the log, on a thread of its own. Clones share it; it ends when the last is gone.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        topics: Arc<Topics>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let mut kept = Kept::load(connection, topics, limits, clock)?;
        let (orders, mut waiting) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || {
                while let Some(first) = waiting.blocking_recv() {
                    let mut bytes = size(&first);
                    let mut together = vec![first];
                    while together.len() < TOGETHER && bytes < TOGETHER_BYTES {
                        let Ok(next) = waiting.try_recv() else { break };
                        bytes += size(&next);
                        together.push(next);
                    }
                    kept.carry_out(together);
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { orders })
    }

    /// Appends a batch; done when it is on the disk.
    pub(crate) async fn append(
        &self,
        partition: i64,
        batch: Batch,
    ) -> Result<Appended, AppendError> {
        self.order(|answer| Order::Append { partition, batch, answer }).await
    }

    /// Commits offsets of a group; done when they are on the disk.
    pub(crate) async fn commit(
        &self,
        group: String,
        commits: Vec<Commit>,
    ) -> Result<(), AppendError> {
        self.order(|answer| Order::Commit { group, commits, answer }).await
    }

    /// A number for a producer that none had before.
    pub(crate) async fn producer(&self) -> Result<i64, AppendError> {
        self.order(|answer| Order::Producer { answer }).await
    }

    /// Takes away what is too old or too much.
    pub(crate) async fn prune(&self) {
        // The writer lives as long as this does, or has panicked, which the next append tells.
        let _ = self.orders.send(Order::Prune).await;
    }

    /// Whether the thread lives.
    pub(crate) fn lives(&self) -> bool {
        !self.orders.is_closed()
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, AppendError>>) -> Order,
    ) -> Result<T, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| AppendError::Unwritten)?;
        answered.await.map_err(|_| AppendError::Unwritten)?
    }
}

fn size(order: &Order) -> usize {
    match order {
        Order::Append { batch, .. } => batch.bytes.len(),
        _ => 0,
    }
}
