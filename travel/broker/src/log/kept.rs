use std::{collections::BTreeMap, sync::Arc};

use mercurious_runtime::Clock;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::{
    batch::{Batch, Stamp},
    producers::{Producers, Verdict},
    view::{PartitionView, Topics},
    writer::{AppendError, Appended, Commit, Limits, Order},
};

/// How many of the newest batches of a partition are looked at for its producers when the log is opened.
const LOOKED_AT: u32 = 500;
/// How many batches one pruning takes away of a partition at most, so that it does not hold up the others.
const PRUNED: u32 = 1000;
/// How many free pages one pruning gives back to the file system.
const PAGES: u32 = 4096;

/// What the writer knows of the log, and its connection.
pub(super) struct Kept {
    connection: Connection,
    topics: Arc<Topics>,
    partitions: BTreeMap<i64, Partition>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

struct Partition {
    view: Arc<PartitionView>,
    next: i64,
    first: i64,
    bytes: u64,
    producers: Producers,
}

/// An answer that is given once the transaction is on the disk.
enum Answer {
    Append(oneshot::Sender<Result<Appended, AppendError>>, Result<Appended, AppendError>),
    Commit(oneshot::Sender<Result<(), AppendError>>),
    Producer(oneshot::Sender<Result<i64, AppendError>>, i64),
}

impl Kept {
    pub(super) fn load(
        connection: Connection,
        topics: Arc<Topics>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> rusqlite::Result<Self> {
        let mut kept = Self { connection, topics, partitions: BTreeMap::new(), limits, clock };
        kept.reload()?;
        Ok(kept)
    }

    /// Carries out all orders in one transaction, and answers them all.
    pub(super) fn carry_out(&mut self, orders: Vec<Order>) {
        let mut answers = Vec::with_capacity(orders.len());
        let before: u64 = self.partitions.values().map(|partition| partition.next as u64).sum();
        let now = self.clock.now().as_millisecond();
        let limits = self.limits;
        let partitions = &mut self.partitions;
        let written = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                for order in orders {
                    match order {
                        Order::Append { partition, batch, answer } => {
                            let appended = append(&transaction, partitions, partition, &batch, now);
                            answers.push(Answer::Append(answer, appended.inner()?));
                        }
                        Order::Commit { group, commits, answer } => {
                            answers.push(Answer::Commit(answer));
                            commit(&transaction, &group, &commits)?;
                        }
                        Order::Producer { answer } => {
                            answers.push(Answer::Producer(answer, producer(&transaction)?));
                        }
                        Order::Prune => prune(&transaction, partitions, limits, now)?,
                    }
                }
                transaction.commit()
            });
        if let Err(error) = &written {
            tracing::error!(error = %error, "the log cannot be written");
            // What was not written is to be forgotten.
            if let Err(error) = self.reload() {
                tracing::error!(error = %error, "the log cannot be read");
            }
        }
        let mut after = 0;
        for partition in self.partitions.values() {
            after += partition.next as u64;
            partition.view.set(partition.first, partition.next);
        }
        if after > before {
            self.topics.announce(after - before);
        }
        for answer in answers {
            answer.give(written.is_ok());
        }
    }

    /// Reads again what the file holds.
    fn reload(&mut self) -> rusqlite::Result<()> {
        self.partitions.clear();
        let mut statement =
            self.connection.prepare("SELECT first, next, bytes FROM partition WHERE id = ?1")?;
        let mut newest = self.connection.prepare(
            "SELECT base_offset, producer, epoch, first_sequence, last_sequence FROM batch
             WHERE partition = ?1 ORDER BY last_offset DESC LIMIT ?2",
        )?;
        for (_, views) in self.topics.iter() {
            for view in views {
                let mut producers = Producers::default();
                let mut stamps = Vec::new();
                let mut rows = newest.query(params![view.id, LOOKED_AT])?;
                while let Some(row) = rows.next()? {
                    let Some(id) = row.get(1)? else { continue };
                    let stamp =
                        Stamp { id, epoch: row.get(2)?, first: row.get(3)?, last: row.get(4)? };
                    stamps.push((stamp, row.get(0)?));
                }
                for (stamp, offset) in stamps.into_iter().rev() {
                    producers.appended(stamp, offset);
                }
                let partition = statement.query_row([view.id], |row| {
                    Ok(Partition {
                        view: Arc::clone(view),
                        first: row.get(0)?,
                        next: row.get(1)?,
                        bytes: row.get::<_, i64>(2)? as u64,
                        producers,
                    })
                })?;
                self.partitions.insert(view.id, partition);
            }
        }
        Ok(())
    }
}

impl Answer {
    fn give(self, written: bool) {
        // Nobody may be waiting any more: then there is nobody to tell.
        match self {
            Self::Append(to, appended) => {
                let _ = to.send(if written { appended } else { Err(AppendError::Unwritten) });
            }
            Self::Commit(to) => {
                let _ = to.send(if written { Ok(()) } else { Err(AppendError::Unwritten) });
            }
            Self::Producer(to, id) => {
                let _ = to.send(if written { Ok(id) } else { Err(AppendError::Unwritten) });
            }
        }
    }
}

/// A refusal of one batch, or a failure of the whole transaction.
enum Failure {
    Refused(AppendError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

trait Inner<T> {
    /// A failure of the transaction outside, a refusal inside.
    fn inner(self) -> rusqlite::Result<Result<T, AppendError>>;
}

impl<T> Inner<T> for Result<T, Failure> {
    fn inner(self) -> rusqlite::Result<Result<T, AppendError>> {
        match self {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Refused(error)) => Ok(Err(error)),
            Err(Failure::Sqlite(error)) => Err(error),
        }
    }
}

fn append(
    transaction: &Transaction<'_>,
    partitions: &mut BTreeMap<i64, Partition>,
    id: i64,
    batch: &Batch,
    now: i64,
) -> Result<Appended, Failure> {
    let partition = partitions.get_mut(&id).ok_or(Failure::Refused(AppendError::Unwritten))?;
    if let Some(stamp) = batch.producer {
        let verdict = partition
            .producers
            .judge(stamp)
            .map_err(|error| Failure::Refused(AppendError::Sequence(error)))?;
        if let Verdict::Duplicate(base_offset) = verdict {
            return Ok(Appended { base_offset });
        }
    }
    let base_offset = partition.next;
    let next = base_offset + i64::from(batch.records);
    transaction
        .prepare_cached(
            "INSERT INTO batch (partition, base_offset, last_offset, max_timestamp, appended,
                producer, epoch, first_sequence, last_sequence, records)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id,
            base_offset,
            next - 1,
            batch.max_timestamp,
            now,
            batch.producer.map(|stamp| stamp.id),
            batch.producer.map(|stamp| stamp.epoch),
            batch.producer.map(|stamp| stamp.first),
            batch.producer.map(|stamp| stamp.last),
            &batch.placed(base_offset)[..],
        ])?;
    transaction
        .prepare_cached("UPDATE partition SET next = ?2, bytes = bytes + ?3 WHERE id = ?1")?
        .execute(params![id, next, batch.bytes.len() as i64])?;
    partition.next = next;
    partition.bytes += batch.bytes.len() as u64;
    if let Some(stamp) = batch.producer {
        partition.producers.appended(stamp, base_offset);
    }
    Ok(Appended { base_offset })
}

fn commit(transaction: &Transaction<'_>, group: &str, commits: &[Commit]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO committed
            (consumer_group, topic, partition, offset, leader_epoch, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for Commit { topic, partition, committed } in commits {
        statement.execute(params![
            group,
            topic,
            partition,
            committed.offset,
            committed.leader_epoch,
            committed.metadata,
        ])?;
    }
    Ok(())
}

fn producer(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction.query_row(
        "INSERT INTO fact (name, value) VALUES ('producer', '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1
         RETURNING CAST(value AS INTEGER)",
        [],
        |row| row.get(0),
    )
}

fn prune(
    transaction: &Transaction<'_>,
    partitions: &mut BTreeMap<i64, Partition>,
    limits: Limits,
    now: i64,
) -> rusqlite::Result<()> {
    let oldest =
        now.saturating_sub(i64::try_from(limits.retention.as_millis()).unwrap_or(i64::MAX));
    let mut batches = transaction.prepare_cached(
        "SELECT last_offset, appended, length(records) FROM batch
         WHERE partition = ?1 ORDER BY last_offset LIMIT ?2",
    )?;
    for (id, partition) in partitions {
        let mut first = partition.first;
        let mut bytes = partition.bytes;
        let mut rows = batches.query(params![id, PRUNED])?;
        while let Some(row) = rows.next()? {
            let appended: i64 = row.get(1)?;
            if appended >= oldest && bytes <= limits.partition_bytes {
                break;
            }
            first = row.get::<_, i64>(0)? + 1;
            bytes = bytes.saturating_sub(row.get::<_, i64>(2)? as u64);
        }
        drop(rows);
        if first == partition.first {
            continue;
        }
        transaction.execute(
            "DELETE FROM batch WHERE partition = ?1 AND last_offset < ?2",
            params![id, first],
        )?;
        transaction.execute(
            "UPDATE partition SET first = ?2, bytes = ?3 WHERE id = ?1",
            params![id, first, bytes as i64],
        )?;
        partition.first = first;
        partition.bytes = bytes;
    }
    transaction.pragma_update(None, "incremental_vacuum", PAGES)
}
