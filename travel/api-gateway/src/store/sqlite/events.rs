use mercurious_contracts::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::worker::failure;
use crate::{
    job::StoredEvent,
    store::{
        StoreError,
        rows::{read, write},
    },
};

pub(super) fn append(
    connection: &Connection,
    job: JobId,
    events: &[StoredEvent],
) -> Result<(), StoreError> {
    for event in events {
        let body = write("event", &event.event)?;
        connection
            .prepare_cached("INSERT INTO events (job, sequence, event) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| {
                insert.execute(params![job.to_string(), event.sequence as i64, body])
            })
            .map_err(failure)?;
    }
    Ok(())
}

pub(super) fn after(
    connection: &Connection,
    job: JobId,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT sequence, event FROM events WHERE job = ?1 AND sequence > ?2
             ORDER BY sequence LIMIT ?3",
        )
        .and_then(|mut select| {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            select
                .query_map(params![job.to_string(), after, limit as i64], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
        })
        .map_err(failure)?;
    rows.into_iter()
        .map(|(sequence, event)| {
            Ok(StoredEvent { sequence: sequence as u64, event: read("event", &event)? })
        })
        .collect()
}

pub(super) fn heads(
    connection: &Connection,
    ids: &[JobId],
) -> Result<Vec<(JobId, u64)>, StoreError> {
    let run = || -> rusqlite::Result<Vec<(JobId, u64)>> {
        let mut select = connection.prepare_cached("SELECT last_event FROM jobs WHERE id = ?1")?;
        let mut heads = Vec::with_capacity(ids.len());
        for id in ids {
            let head: Option<i64> =
                select.query_row([id.to_string()], |row| row.get(0)).optional()?;
            heads.extend(head.map(|head| (*id, head as u64)));
        }
        Ok(heads)
    };
    run().map_err(failure)
}
