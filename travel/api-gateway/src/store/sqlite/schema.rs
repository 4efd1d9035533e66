use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::worker::failure;
use crate::store::StoreError;

/// The layout that this program writes.
const LAYOUT: i64 = 1;

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    finished INTEGER,
    last_event INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_open ON jobs (deadline) WHERE finished IS NULL;
CREATE INDEX jobs_finished ON jobs (finished) WHERE finished IS NOT NULL;
CREATE TABLE events (
    job TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    topic TEXT NOT NULL,
    headers TEXT NOT NULL,
    payload BLOB NOT NULL,
    claimed_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX outbox_by_key ON outbox (key, id);
CREATE INDEX outbox_by_claim ON outbox (claimed_until, id);
CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    topic TEXT NOT NULL,
    headers TEXT NOT NULL,
    payload BLOB NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX set_aside_by_key ON set_aside (key);
CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    job TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX keys_by_age ON keys (created);
CREATE TABLE facts (job TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE trips (job TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE shares (digest TEXT PRIMARY KEY, job TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE INDEX shares_by_job ON shares (job);
";

/// Opens a connection that writes, and makes the tables where there are none.
pub(super) fn open_writer(path: Option<&Path>) -> Result<Connection, StoreError> {
    let connection = match path {
        Some(path) => Connection::open(path),
        None => Connection::open_in_memory(),
    }
    .map_err(failure)?;
    prepare(&connection).map_err(failure)?;
    create(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failure)?;
    connection.busy_timeout(BUSY).map_err(failure)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Answers with the mode; in memory there is no WAL, and none is needed.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn create(connection: &Connection) -> Result<(), StoreError> {
    let run = || -> rusqlite::Result<i64> {
        // Two replicas may start at the same time: the second waits here and finds the tables.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found == 0 {
            connection.execute_batch(TABLES)?;
            connection.pragma_update(None, "user_version", LAYOUT)?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(found)
    };
    match run().map_err(failure)? {
        found if found > LAYOUT => Err(StoreError::Newer { store: "SQLite", found, known: LAYOUT }),
        _ => Ok(()),
    }
}
