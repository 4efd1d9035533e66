use futures::TryStreamExt as _;
use jiff::Timestamp;
use mercurious_contracts::JobId;
use mongodb::{
    ClientSession,
    bson::{Bson, DateTime, Document, doc},
    error::Error,
};

use super::{
    connect::Collections,
    outbox,
    transaction::{End, is_duplicate, transact},
};
use crate::{
    job::{Change, JobRecord, StoredEvent},
    service::Retention,
    store::{
        AcceptOutcome, Committed, IdempotencyKey, StoreError,
        rows::{read, unreadable, write},
    },
};

/// How long a document outlives the time at which it should have been pruned.
const GRACE: i64 = 86_400_000;

/// A change's documents.
struct Written {
    job: Document,
    events: Vec<Document>,
    outbox: Vec<Document>,
    facts: Option<Document>,
    trip: Option<Document>,
}

impl Written {
    fn of(change: &Change, retention: Retention) -> Result<Self, StoreError> {
        let job = &change.job;
        let id = job.id.to_string();
        // Nothing of a job is of use to anybody so long after its deadline.
        let expires = expires(job.deadline, retention.jobs.as_millis());
        let mut events = Vec::new();
        for event in &change.events {
            events.push(doc! {
                "job": &id,
                "sequence": event.sequence as i64,
                "event": write("event", &event.event)?,
                "expires": expires,
            });
        }
        let ended = job.status.is_terminal();
        let finished =
            ended.then(|| job.updated_at.as_millisecond()).map_or(Bson::Null, Bson::Int64);
        let mut record = doc! {
            "_id": &id,
            "version": job.version as i64,
            "status": job.status.as_str(),
            "deadline": job.deadline.as_millisecond(),
            "finished": finished,
            "last_event": job.last_event as i64,
            "record": write("job", job)?,
        };
        if ended {
            record.insert("expires", expires);
        }
        let facts = match &change.facts {
            Some(facts) => {
                Some(doc! { "_id": &id, "body": write("facts", facts)?, "expires": expires })
            }
            None => None,
        };
        let trip = match &change.trip {
            Some(trip) => Some(doc! {
                "_id": &id, "version": 1_i64, "body": write("trip", trip)?, "expires": expires,
            }),
            None => None,
        };
        let outbox = outbox::documents(change)?;
        Ok(Self { job: record, events, outbox, facts, trip })
    }

    /// Stores what follows from the change of the job.
    async fn follow(
        &self,
        collections: &Collections,
        session: &mut ClientSession,
    ) -> Result<(), Error> {
        if !self.events.is_empty() {
            collections.of("events").insert_many(&self.events).session(&mut *session).await?;
        }
        if !self.outbox.is_empty() {
            collections.of("outbox").insert_many(&self.outbox).session(&mut *session).await?;
        }
        for (name, document) in [("facts", &self.facts), ("trips", &self.trip)] {
            if let Some(document) = document {
                let id = document.get("_id").cloned().unwrap_or(Bson::Null);
                let to = collections.of(name);
                to.replace_one(doc! { "_id": id }, document)
                    .upsert(true)
                    .session(&mut *session)
                    .await?;
            }
        }
        Ok(())
    }
}

/// When a document is of no use to anybody.
pub(super) fn expires(from: Timestamp, kept: u128) -> DateTime {
    let kept = i64::try_from(kept).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    DateTime::from_millis(from.as_millisecond().saturating_add(kept).saturating_add(GRACE))
}

pub(super) async fn accept(
    collections: &Collections,
    retention: Retention,
    change: &Change,
    key: Option<&IdempotencyKey>,
) -> Result<AcceptOutcome, StoreError> {
    let written = Written::of(change, retention)?;
    let key = key.map(|key| {
        let created = change.job.created_at;
        doc! {
            "_id": &key.key,
            "fingerprint": &key.fingerprint,
            "job": change.job.id.to_string(),
            "created": created.as_millisecond(),
            "expires": expires(created, retention.keys.as_millis()),
        }
    });
    let stored = transact(collections, async |session| {
        if let Some(key) = &key {
            collections.of("keys").insert_one(key).session(&mut *session).await?;
        }
        collections.of("jobs").insert_one(&written.job).session(&mut *session).await?;
        written.follow(collections, session).await?;
        Ok(End::Commit(()))
    })
    .await;
    match (stored, key) {
        (Ok(()), _) => Ok(AcceptOutcome::Stored),
        (Err(error), Some(key)) if is_duplicate(&error) => known(collections, &key).await,
        (Err(error), _) => Err(collections.failure(&error)),
    }
}

/// What a key that is there already stands for.
async fn known(collections: &Collections, key: &Document) -> Result<AcceptOutcome, StoreError> {
    let id = key.get("_id").cloned().unwrap_or(Bson::Null);
    let found = collections.of("keys").find_one(doc! { "_id": id }).await;
    let Some(found) = found.map_err(|error| collections.failure(&error))? else {
        // Pruned between the two: whoever asks again gets a job.
        let detail = "a key was forgotten this moment".to_owned();
        return Err(StoreError::Unavailable { store: "MongoDB", detail });
    };
    if found.get("fingerprint") != key.get("fingerprint") {
        return Ok(AcceptOutcome::OtherRequest);
    }
    let job = found.get_str("job").map_err(|error| unreadable("key", &error))?;
    Ok(AcceptOutcome::Known(id_of(job)?))
}

pub(super) async fn commit(
    collections: &Collections,
    retention: Retention,
    change: &Change,
) -> Result<Committed, StoreError> {
    let written = Written::of(change, retention)?;
    let filter = doc! {
        "_id": change.job.id.to_string(),
        "version": change.job.version as i64 - 1,
    };
    let committed = transact(collections, async |session| {
        let jobs = collections.of("jobs");
        let replaced =
            jobs.replace_one(filter.clone(), &written.job).session(&mut *session).await?;
        if replaced.matched_count == 0 {
            return Ok(End::Abort(Committed::Conflict));
        }
        written.follow(collections, session).await?;
        Ok(End::Commit(Committed::Stored))
    })
    .await;
    committed.map_err(|error| collections.failure(&error))
}

pub(super) async fn job(
    collections: &Collections,
    id: JobId,
) -> Result<Option<JobRecord>, StoreError> {
    let found = collections.of("jobs").find_one(doc! { "_id": id.to_string() }).await;
    let found = found.map_err(|error| collections.failure(&error))?;
    found.map(|found| read("job", text(&found, "record")?)).transpose()
}

pub(super) async fn events(
    collections: &Collections,
    id: JobId,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let filter = doc! { "job": id.to_string(), "sequence": { "$gt": after } };
    let found = collections
        .of("events")
        .find(filter)
        .sort(doc! { "sequence": 1 })
        .limit(limit as i64)
        .await;
    let found: Result<Vec<Document>, Error> = match found {
        Ok(cursor) => cursor.try_collect().await,
        Err(error) => Err(error),
    };
    let event = |found: &Document| {
        let sequence = found.get_i64("sequence").map_err(|error| unreadable("event", &error))?;
        let event = read("event", text(found, "event")?)?;
        Ok(StoredEvent { sequence: sequence as u64, event })
    };
    found.map_err(|error| collections.failure(&error))?.iter().map(event).collect()
}

pub(super) async fn heads(
    collections: &Collections,
    ids: &[JobId],
) -> Result<Vec<(JobId, u64)>, StoreError> {
    let ids: Vec<String> = ids.iter().map(JobId::to_string).collect();
    let found = collections
        .of("jobs")
        .find(doc! { "_id": { "$in": ids } })
        .projection(doc! { "last_event": 1 })
        .await;
    let found: Result<Vec<Document>, Error> = match found {
        Ok(cursor) => cursor.try_collect().await,
        Err(error) => Err(error),
    };
    let head = |found: &Document| {
        let head = found.get_i64("last_event").map_err(|error| unreadable("job", &error))?;
        Ok((id_of(text(found, "_id")?)?, head as u64))
    };
    found.map_err(|error| collections.failure(&error))?.iter().map(head).collect()
}

pub(super) async fn overdue(
    collections: &Collections,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let filter = doc! { "finished": null, "deadline": { "$lte": now.as_millisecond() } };
    ids(collections, filter, doc! { "deadline": 1 }, limit).await
}

/// The ids of jobs.
async fn ids(
    collections: &Collections,
    filter: Document,
    order: Document,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let found = collections
        .of("jobs")
        .find(filter)
        .sort(order)
        .limit(limit as i64)
        .projection(doc! { "_id": 1 })
        .await;
    let found: Result<Vec<Document>, Error> = match found {
        Ok(cursor) => cursor.try_collect().await,
        Err(error) => Err(error),
    };
    let found = found.map_err(|error| collections.failure(&error))?;
    found.iter().map(|found| id_of(text(found, "_id")?)).collect()
}

pub(super) async fn prune(
    collections: &Collections,
    jobs: Timestamp,
    keys: Timestamp,
    limit: usize,
) -> Result<u64, StoreError> {
    let filter = doc! { "finished": { "$ne": null, "$lte": jobs.as_millisecond() } };
    let old = ids(collections, filter, doc! { "finished": 1 }, limit).await?;
    let old: Vec<String> = old.iter().map(JobId::to_string).collect();
    let run = async {
        if !old.is_empty() {
            // The job last: whoever dies before it begins again.
            for (name, field) in [
                ("events", "job"),
                ("facts", "_id"),
                ("trips", "_id"),
                ("shares", "job"),
                ("set_aside", "key"),
                ("jobs", "_id"),
            ] {
                collections.of(name).delete_many(doc! { field: { "$in": &old } }).await?;
            }
        }
        let filter = doc! { "created": { "$lte": keys.as_millisecond() } };
        collections.of("keys").delete_many(filter).await
    };
    run.await.map_err(|error: Error| collections.failure(&error))?;
    Ok(old.len() as u64)
}

pub(super) fn text<'a>(document: &'a Document, name: &'static str) -> Result<&'a str, StoreError> {
    document.get_str(name).map_err(|error| unreadable("document", &error))
}

pub(super) fn id_of(text: &str) -> Result<JobId, StoreError> {
    text.parse().map_err(|error| unreadable("job id", &error))
}
