use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::view::{PartitionView, Topics};
use crate::settings::Topic;

/// The version of the tables below, in SQLite's `user_version`.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE partition (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    number INTEGER NOT NULL,
    -- The first offset that is kept, and the one that comes next.
    first INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    -- How many bytes of records are kept.
    bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL REFERENCES partition (id),
    base_offset INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    max_timestamp INTEGER NOT NULL,
    -- When it was appended, in milliseconds since 1970.
    appended INTEGER NOT NULL,
    producer INTEGER,
    epoch INTEGER,
    first_sequence INTEGER,
    last_sequence INTEGER,
    records BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX batch_by_offset ON batch (partition, last_offset);
CREATE TABLE committed (
    consumer_group TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL,
    metadata TEXT,
    PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
";

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot make or lock the data directory {directory}")]
    Directory { directory: String, source: std::io::Error },
    #[error("the data directory {directory} is in use by another broker: stop that one first")]
    InUse { directory: String },
    #[error(
        "the log {file} was written by a newer version ({found}; this one knows {VERSION}): use that version"
    )]
    Newer { file: String, found: i64 },
    #[error(
        "topic {topic} has {kept} partitions and is to have {wanted}: partitions cannot be taken away"
    )]
    FewerPartitions { topic: String, kept: u32, wanted: u32 },
    #[error("cannot start the log's writer")]
    Thread(#[source] std::io::Error),
    #[error("the log cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
}

/// Makes the directory and takes it for this process; the system gives it free when the process ends, however.
pub(super) fn lock(directory: &Path) -> Result<File, OpenError> {
    let name = || directory.display().to_string();
    let lock = std::fs::create_dir_all(directory)
        .and_then(|()| File::create(directory.join("lock")))
        .map_err(|source| OpenError::Directory { directory: name(), source })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: name() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Directory { directory: name(), source }),
    }
}

/// Opens the file for writing and makes the tables where there are none.
pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(OpenError::Newer { file: file.display().to_string(), found });
    }
    if found == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(connection)
}

/// The log's own name, made at its first start.
pub(super) fn cluster(connection: &Connection) -> Result<String, OpenError> {
    let known: Option<String> = connection
        .query_row("SELECT value FROM fact WHERE name = 'cluster'", [], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let made = format!("mercurious-{:016x}", fastrand::u64(..));
    connection.execute("INSERT INTO fact VALUES ('cluster', ?1)", [&made])?;
    Ok(made)
}

/// Makes the topics that are not there, and the partitions that a topic lacks. What is there stays.
pub(super) fn ensure_topics(
    connection: &mut Connection,
    topics: &[Topic],
) -> Result<(), OpenError> {
    let transaction = connection.transaction()?;
    for topic in topics {
        let kept: u32 = transaction.query_row(
            "SELECT count(*) FROM partition WHERE topic = ?1",
            [&topic.name],
            |row| row.get(0),
        )?;
        if kept > topic.partitions {
            return Err(OpenError::FewerPartitions {
                topic: topic.name.clone(),
                kept,
                wanted: topic.partitions,
            });
        }
        for number in kept..topic.partitions {
            transaction.execute(
                "INSERT INTO partition (topic, number) VALUES (?1, ?2)",
                params![topic.name, number],
            )?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Every topic that the log has.
pub(super) fn topics(connection: &Connection) -> Result<Topics, OpenError> {
    let mut statement = connection
        .prepare("SELECT id, topic, number, first, next FROM partition ORDER BY topic, number")?;
    let mut rows = statement.query([])?;
    let mut topics: BTreeMap<String, Vec<PartitionView>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let view = PartitionView::new(row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
        topics.entry(row.get(1)?).or_default().push(view);
    }
    Ok(Topics::new(topics))
}
