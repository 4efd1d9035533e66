use jiff::Timestamp;
use mercurious_contracts::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    events, outbox, trips,
    worker::{Lasts, failure},
};
use crate::{
    job::{Change, JobRecord},
    store::{
        AcceptOutcome, Committed, IdempotencyKey, StoreError,
        rows::{read, unreadable, write},
    },
};

pub(super) fn accept(
    connection: &Connection,
    change: &Change,
    key: Option<&IdempotencyKey>,
) -> Result<AcceptOutcome, StoreError> {
    let job = &change.job;
    if let Some(key) = key {
        let known = connection
            .prepare_cached("SELECT fingerprint, job FROM keys WHERE key = ?1")
            .and_then(|mut select| {
                let pair = |row: &rusqlite::Row<'_>| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                };
                select.query_row([&key.key], pair).optional()
            })
            .map_err(failure)?;
        match known {
            Some((fingerprint, _)) if fingerprint != key.fingerprint => {
                return Ok(AcceptOutcome::OtherRequest);
            }
            Some((_, job)) => return Ok(AcceptOutcome::Known(id(&job)?)),
            None => {}
        }
        connection
            .prepare_cached(
                "INSERT INTO keys (key, fingerprint, job, created) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| {
                let created = job.created_at.as_millisecond();
                insert.execute(params![key.key, key.fingerprint, job.id.to_string(), created])
            })
            .map_err(failure)?;
    }
    let record = write("job", job)?;
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, version, deadline, finished, last_event, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                job.id.to_string(),
                job.version as i64,
                job.deadline.as_millisecond(),
                finished(job),
                job.last_event as i64,
                record,
            ])
        })
        .map_err(failure)?;
    follow(connection, change)?;
    Ok(AcceptOutcome::Stored)
}

/// Progress may be lost with the power: it is told again, and nothing waits for it.
pub(super) fn lasts(change: &Change) -> Lasts {
    let told_only = !change.job.status.is_terminal()
        && change.outbox.is_empty()
        && change.facts.is_none()
        && change.trip.is_none();
    if told_only { Lasts::UnlessPowerFails } else { Lasts::Always }
}

pub(super) fn commit(connection: &Connection, change: &Change) -> Result<Committed, StoreError> {
    let job = &change.job;
    let record = write("job", job)?;
    let changed = connection
        .prepare_cached(
            "UPDATE jobs SET version = ?2, deadline = ?3, finished = ?4, last_event = ?5, record = ?6
             WHERE id = ?1 AND version = ?2 - 1",
        )
        .and_then(|mut update| {
            update.execute(params![
                job.id.to_string(),
                job.version as i64,
                job.deadline.as_millisecond(),
                finished(job),
                job.last_event as i64,
                record,
            ])
        })
        .map_err(failure)?;
    if changed == 0 {
        return Ok(Committed::Conflict);
    }
    follow(connection, change)?;
    Ok(Committed::Stored)
}

/// Stores what follows from a change of the job.
fn follow(connection: &Connection, change: &Change) -> Result<(), StoreError> {
    events::append(connection, change.job.id, &change.events)?;
    outbox::append(connection, &change.outbox)?;
    if let Some(facts) = &change.facts {
        trips::put_facts(connection, change.job.id, facts)?;
    }
    if let Some(trip) = &change.trip {
        trips::put(connection, trip)?;
    }
    Ok(())
}

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<JobRecord>, StoreError> {
    let record: Option<String> = connection
        .prepare_cached("SELECT record FROM jobs WHERE id = ?1")
        .and_then(|mut select| select.query_row([id.to_string()], |row| row.get(0)).optional())
        .map_err(failure)?;
    record.map(|record| read("job", &record)).transpose()
}

pub(super) fn overdue(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let ids: Vec<String> = connection
        .prepare_cached(
            "SELECT id FROM jobs WHERE finished IS NULL AND deadline <= ?1 ORDER BY deadline LIMIT ?2",
        )
        .and_then(|mut select| {
            select
                .query_map(params![now.as_millisecond(), limit as i64], |row| row.get(0))?
                .collect()
        })
        .map_err(failure)?;
    ids.iter().map(|text| id(text)).collect()
}

pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    connection
        .query_row("SELECT count(*) FROM (SELECT 1 FROM jobs LIMIT 1)", [], |_| Ok(()))
        .map_err(failure)
}

pub(super) fn prune(
    connection: &Connection,
    jobs: Timestamp,
    keys: Timestamp,
    limit: usize,
) -> Result<u64, StoreError> {
    let run = || -> rusqlite::Result<u64> {
        let limit = limit as i64;
        let old: Vec<String> = connection
            .prepare_cached("SELECT id FROM jobs WHERE finished <= ?1 ORDER BY finished LIMIT ?2")?
            .query_map(params![jobs.as_millisecond(), limit], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in &old {
            for statement in [
                "DELETE FROM events WHERE job = ?1",
                "DELETE FROM facts WHERE job = ?1",
                "DELETE FROM trips WHERE job = ?1",
                "DELETE FROM shares WHERE job = ?1",
                "DELETE FROM set_aside WHERE key = ?1",
                "DELETE FROM jobs WHERE id = ?1",
            ] {
                connection.prepare_cached(statement)?.execute([id])?;
            }
        }
        connection
            .prepare_cached(
                "DELETE FROM keys WHERE key IN
                 (SELECT key FROM keys WHERE created <= ?1 ORDER BY created LIMIT ?2)",
            )?
            .execute(params![keys.as_millisecond(), limit])?;
        Ok(old.len() as u64)
    };
    run().map_err(failure)
}

/// When a job ended, if it has.
fn finished(job: &JobRecord) -> Option<i64> {
    job.status.is_terminal().then(|| job.updated_at.as_millisecond())
}

pub(super) fn id(text: &str) -> Result<JobId, StoreError> {
    text.parse().map_err(|error| unreadable("job id", &error))
}
