use std::time::Duration;

use jiff::Timestamp;
use mercurious_contracts::JobId;
use mercurious_messaging::{OutboxRow, Outgoing};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::worker::failure;
use crate::store::{
    StoreError,
    rows::{message, write_headers},
};

pub(super) fn append(connection: &Connection, messages: &[Outgoing]) -> Result<(), StoreError> {
    for message in messages {
        let headers = write_headers(&message.headers)?;
        connection
            .prepare_cached(
                "INSERT INTO outbox (key, topic, headers, payload) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| {
                insert.execute(params![message.key, message.topic, headers, &message.payload[..]])
            })
            .map_err(failure)?;
    }
    Ok(())
}

pub(super) fn nothing(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT 1 FROM outbox WHERE claimed_until <= ?1 LIMIT 1")
        .and_then(|mut select| select.exists([now.as_millisecond()]))
        .map(|some| !some)
        .map_err(failure)
}

pub(super) fn claim(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
    lease: Duration,
) -> Result<Vec<OutboxRow>, StoreError> {
    let now = now.as_millisecond();
    let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
    let mut rows: Vec<(i64, String, String, String, Vec<u8>)> = connection
        .prepare_cached(
            "UPDATE outbox SET claimed_until = ?2 WHERE id IN (
                SELECT id FROM outbox AS row WHERE claimed_until <= ?1 AND NOT EXISTS (
                    SELECT 1 FROM outbox AS earlier
                    WHERE earlier.key = row.key AND earlier.id < row.id AND earlier.claimed_until > ?1)
                ORDER BY id LIMIT ?3)
             RETURNING id, topic, key, headers, payload",
        )
        .and_then(|mut update| {
            update
                .query_map(params![now, until, limit as i64], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })?
                .collect()
        })
        .map_err(failure)?;
    rows.sort_by_key(|row| row.0);
    rows.into_iter()
        .map(|(id, topic, key, headers, payload)| {
            let message = message(topic, key, &headers, payload)?;
            Ok(OutboxRow { id: id.to_string(), message })
        })
        .collect()
}

pub(super) fn sent(connection: &Connection, rows: &[String]) -> Result<(), StoreError> {
    for row in rows {
        connection
            .prepare_cached("DELETE FROM outbox WHERE id = ?1")
            .and_then(|mut delete| delete.execute([row]))
            .map_err(failure)?;
    }
    Ok(())
}

pub(super) fn set_aside(
    connection: &Connection,
    row: &str,
    reason: &str,
) -> Result<Option<JobId>, StoreError> {
    let run = || -> rusqlite::Result<Option<String>> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO set_aside (id, key, topic, headers, payload, reason)
                 SELECT id, key, topic, headers, payload, ?2 FROM outbox WHERE id = ?1",
            )?
            .execute([row, reason])?;
        connection
            .prepare_cached("DELETE FROM outbox WHERE id = ?1 RETURNING key")?
            .query_row([row], |row| row.get(0))
            .optional()
    };
    let key = run().map_err(failure)?;
    Ok(key.and_then(|key| key.parse().ok()))
}

pub(super) fn waiting(connection: &Connection) -> Result<u64, StoreError> {
    connection
        .query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0))
        .map(|count| count as u64)
        .map_err(failure)
}
