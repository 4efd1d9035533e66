use jiff::Timestamp;
use mercurious_contracts::{JobId, facts::Facts, trip::Trip};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{jobs::id, worker::failure};
use crate::store::{
    Committed, StoreError, StoredTrip,
    rows::{read, write},
};

pub(super) fn put_facts(
    connection: &Connection,
    job: JobId,
    facts: &Facts,
) -> Result<(), StoreError> {
    let body = write("facts", facts)?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO facts (job, body) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![job.to_string(), body]))
        .map(drop)
        .map_err(failure)
}

pub(super) fn facts(connection: &Connection, job: JobId) -> Result<Option<Facts>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM facts WHERE job = ?1")
        .and_then(|mut select| select.query_row([job.to_string()], |row| row.get(0)).optional())
        .map_err(failure)?;
    body.map(|body| read("facts", &body)).transpose()
}

pub(super) fn put(connection: &Connection, trip: &Trip) -> Result<(), StoreError> {
    let body = write("trip", trip)?;
    connection
        .prepare_cached("INSERT INTO trips (job, version, body) VALUES (?1, 1, ?2)")
        .and_then(|mut insert| insert.execute(params![trip.id.to_string(), body]))
        .map(drop)
        .map_err(failure)
}

pub(super) fn trip(connection: &Connection, job: JobId) -> Result<Option<StoredTrip>, StoreError> {
    let row: Option<(i64, String)> = connection
        .prepare_cached("SELECT version, body FROM trips WHERE job = ?1")
        .and_then(|mut select| {
            select.query_row([job.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failure)?;
    row.map(|(version, body)| {
        Ok(StoredTrip { trip: read("trip", &body)?, version: version as u64 })
    })
    .transpose()
}

pub(super) fn save(connection: &Connection, trip: &StoredTrip) -> Result<Committed, StoreError> {
    let body = write("trip", &trip.trip)?;
    let changed = connection
        .prepare_cached(
            "UPDATE trips SET version = ?2, body = ?3 WHERE job = ?1 AND version = ?2 - 1",
        )
        .and_then(|mut update| {
            update.execute(params![trip.trip.id.to_string(), trip.version as i64, body])
        })
        .map_err(failure)?;
    Ok(if changed == 0 { Committed::Conflict } else { Committed::Stored })
}

pub(super) fn share(
    connection: &Connection,
    trip: JobId,
    digest: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO shares (digest, job, created) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| {
            insert.execute(params![digest, trip.to_string(), now.as_millisecond()])
        })
        .map(drop)
        .map_err(failure)
}

pub(super) fn unshare(
    connection: &Connection,
    trip: JobId,
    digest: &str,
) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM shares WHERE digest = ?1 AND job = ?2")
        .and_then(|mut delete| delete.execute([digest, &trip.to_string()]))
        .map(|count| count > 0)
        .map_err(failure)
}

pub(super) fn shared(connection: &Connection, digest: &str) -> Result<Option<JobId>, StoreError> {
    let job: Option<String> = connection
        .prepare_cached("SELECT job FROM shares WHERE digest = ?1")
        .and_then(|mut select| select.query_row([digest], |row| row.get(0)).optional())
        .map_err(failure)?;
    job.map(|job| id(&job)).transpose()
}
