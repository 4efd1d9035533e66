use std::{collections::BTreeMap, path::PathBuf, sync::Mutex, time::Duration};

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

/// How many idle connections are kept; more are opened while they are needed.
const KEPT: usize = 2;

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the log cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the reader of the log ended early")]
    Ended(#[source] tokio::task::JoinError),
}

/// What is wanted of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The partition's key.
    pub(crate) partition: i64,
    /// The first offset that is wanted.
    pub(crate) offset: i64,
    /// Where to stop: the offset after the last one that may be given.
    pub(crate) end: i64,
    pub(crate) max_bytes: usize,
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Option<String>,
}

/// Reads the log beside its writer.
#[derive(Debug)]
pub(crate) struct Reader {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, idle: Mutex::new(Vec::new()) }
    }

    /// The batches that hold the wanted offsets, in the order of `wanted`. No more than `max_bytes` in all and
    /// each one's `max_bytes`, except that the very first batch is given whatever its size, so that a reader
    /// can always go on.
    pub(crate) fn batches(
        &self,
        wanted: &[Wanted],
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, ReadError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT base_offset, records FROM batch
                 WHERE partition = ?1 AND last_offset >= ?2 ORDER BY last_offset",
            )?;
            let mut left = max_bytes;
            let mut nothing_yet = true;
            let mut found = Vec::with_capacity(wanted.len());
            for one in wanted {
                let mut bytes = BytesMut::new();
                let mut rows = statement.query(params![one.partition, one.offset])?;
                while let Some(row) = rows.next()? {
                    let base_offset: i64 = row.get(0)?;
                    let records = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                    let fits =
                        records.len() <= left && bytes.len() + records.len() <= one.max_bytes;
                    if base_offset >= one.end || !(fits || nothing_yet) {
                        break;
                    }
                    nothing_yet = false;
                    bytes.extend_from_slice(records);
                    left = left.saturating_sub(records.len());
                    if !fits {
                        break;
                    }
                }
                found.push(bytes.freeze());
            }
            Ok(found)
        })
    }

    /// The first batch with a record at least as new as `timestamp`: its offset and its newest timestamp.
    pub(crate) fn since(
        &self,
        partition: i64,
        timestamp: i64,
    ) -> Result<Option<(i64, i64)>, ReadError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT base_offset, max_timestamp FROM batch
                     WHERE partition = ?1 AND max_timestamp >= ?2 ORDER BY last_offset LIMIT 1",
                )?
                .query_row(params![partition, timestamp], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    /// Everything that a group has committed, by topic and partition.
    pub(crate) fn committed(
        &self,
        group: &str,
    ) -> Result<BTreeMap<(String, i32), Committed>, ReadError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT topic, partition, offset, leader_epoch, metadata FROM committed
                     WHERE consumer_group = ?1",
                )?
                .query_map([group], |row| {
                    let committed = Committed {
                        offset: row.get(2)?,
                        leader_epoch: row.get(3)?,
                        metadata: row.get(4)?,
                    };
                    Ok(((row.get(0)?, row.get(1)?), committed))
                })?
                .collect()
        })
    }

    /// Every group that has committed anything.
    pub(crate) fn groups(&self) -> Result<Vec<String>, ReadError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT DISTINCT consumer_group FROM committed ORDER BY 1")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let kept = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let found = read(&connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        Ok(found)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "cache_size", -512)?;
        Ok(connection)
    }
}
