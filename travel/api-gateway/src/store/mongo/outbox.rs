use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use mercurious_contracts::JobId;
use mercurious_messaging::OutboxRow;
use mongodb::{
    ClientSession,
    bson::{Binary, Bson, Document, doc, spec::BinarySubtype},
    error::Error,
};

use super::{
    connect::Collections,
    jobs::text,
    transaction::{End, Work, transact},
};
use crate::{
    job::Change,
    random::random,
    store::{
        StoreError,
        rows::{message, unreadable, write_headers},
    },
};

/// A change's messages. Their ids sort as they are to be sent.
pub(super) fn documents(change: &Change) -> Result<Vec<Document>, StoreError> {
    let (job, version) = (change.job.id, change.job.version);
    let document = |(number, message): (usize, &mercurious_messaging::Outgoing)| {
        let payload = Binary { subtype: BinarySubtype::Generic, bytes: message.payload.to_vec() };
        Ok(doc! {
            "_id": format!("{job}/{version:010}/{number:03}"),
            "key": &message.key,
            "topic": &message.topic,
            "headers": write_headers(&message.headers)?,
            "payload": payload,
            "claimed_until": 0_i64,
            "claim": "",
        })
    };
    change.outbox.iter().enumerate().map(document).collect()
}

pub(super) async fn claim(
    collections: &Collections,
    now: Timestamp,
    limit: usize,
    lease: Duration,
) -> Result<Vec<OutboxRow>, StoreError> {
    let claimed = take(collections, now.as_millisecond(), limit, lease).await;
    let claimed = claimed.map_err(|error| collections.failure(&error))?;
    claimed.into_iter().map(row).collect()
}

async fn take(
    collections: &Collections,
    now: i64,
    limit: usize,
    lease: Duration,
) -> Result<Vec<Document>, Error> {
    let outbox = collections.of("outbox");
    let candidates: Vec<Document> = outbox
        .find(doc! { "claimed_until": { "$lte": now } })
        .sort(doc! { "_id": 1 })
        .limit(limit as i64)
        .projection(doc! { "key": 1 })
        .await?
        .try_collect()
        .await?;
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<Bson> = candidates.iter().filter_map(|row| row.get("_id").cloned()).collect();
    // What somebody else is about to send goes first.
    let keys: Vec<&Bson> = candidates.iter().filter_map(|row| row.get("key")).collect();
    let earlier: Vec<Document> = outbox
        .find(doc! { "key": { "$in": keys }, "claimed_until": { "$gt": now } })
        .projection(doc! { "key": 1 })
        .await?
        .try_collect()
        .await?;
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for row in &earlier {
        if let (Ok(key), Ok(id)) = (row.get_str("key"), row.get_str("_id")) {
            let first = first.entry(key.to_owned()).or_insert_with(|| id.to_owned());
            if id < first.as_str() {
                id.clone_into(first);
            }
        }
    }
    if !first.is_empty() {
        ids = candidates
            .iter()
            .filter(|row| {
                let key = row.get_str("key").ok().and_then(|key| first.get(key));
                let id = row.get_str("_id").unwrap_or_default();
                key.is_none_or(|first| id < first.as_str())
            })
            .filter_map(|row| row.get("_id").cloned())
            .collect();
    }
    let token: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
    let free = doc! { "_id": { "$in": ids }, "claimed_until": { "$lte": now } };
    let mine = doc! { "$set": { "claimed_until": until, "claim": &token } };
    outbox.update_many(free, mine).await?;
    let claimed: Vec<Document> =
        outbox.find(doc! { "claim": &token }).sort(doc! { "_id": 1 }).await?.try_collect().await?;
    give_back(collections, now, claimed).await
}

/// Somebody else may have claimed at the same time: who has a later row of a key gives it back.
async fn give_back(
    collections: &Collections,
    now: i64,
    mut claimed: Vec<Document>,
) -> Result<Vec<Document>, Error> {
    let Some(token) = claimed.first().and_then(|row| row.get("claim").cloned()) else {
        return Ok(claimed);
    };
    let outbox = collections.of("outbox");
    let keys: Vec<&Bson> = claimed.iter().filter_map(|row| row.get("key")).collect();
    let filter = doc! {
        "key": { "$in": keys }, "claim": { "$ne": token }, "claimed_until": { "$gt": now },
    };
    let others: Vec<Document> =
        outbox.find(filter).projection(doc! { "key": 1 }).await?.try_collect().await?;
    if others.is_empty() {
        return Ok(claimed);
    }
    let is_later = |row: &Document| {
        let text = |row: &'_ Document, name| row.get_str(name).unwrap_or_default().to_owned();
        let (key, id) = (text(row, "key"), text(row, "_id"));
        others.iter().any(|other| text(other, "key") == key && text(other, "_id") < id)
    };
    let later: Vec<Bson> = claimed
        .iter()
        .filter(|row| is_later(row))
        .filter_map(|row| row.get("_id").cloned())
        .collect();
    let free = doc! { "$set": { "claimed_until": 0_i64, "claim": "" } };
    outbox.update_many(doc! { "_id": { "$in": later } }, free).await?;
    claimed.retain(|row| !is_later(row));
    Ok(claimed)
}

#[expect(clippy::needless_pass_by_value, reason = "rows are taken as they come")]
fn row(row: Document) -> Result<OutboxRow, StoreError> {
    let id = text(&row, "_id")?.to_owned();
    let payload =
        row.get_binary_generic("payload").map_err(|error| unreadable("message", &error))?.clone();
    let (topic, key) = (text(&row, "topic")?.to_owned(), text(&row, "key")?.to_owned());
    Ok(OutboxRow { id, message: message(topic, key, text(&row, "headers")?, payload)? })
}

pub(super) async fn sent(collections: &Collections, rows: &[String]) -> Result<(), StoreError> {
    let sent = collections.of("outbox").delete_many(doc! { "_id": { "$in": rows } }).await;
    sent.map(drop).map_err(|error| collections.failure(&error))
}

pub(super) async fn release(collections: &Collections, rows: &[String]) -> Result<(), StoreError> {
    let free = doc! { "$set": { "claimed_until": 0_i64, "claim": "" } };
    let released =
        collections.of("outbox").update_many(doc! { "_id": { "$in": rows } }, free).await;
    released.map(drop).map_err(|error| collections.failure(&error))
}

pub(super) async fn set_aside(
    collections: &Collections,
    row: &str,
    reason: &str,
) -> Result<Option<JobId>, StoreError> {
    let (row, reason) = (row.to_owned(), reason.to_owned());
    let moved = transact(collections, &SettingAside { row, reason }).await;
    let key = moved.map_err(|error| collections.failure(&error))?;
    Ok(key.and_then(|key| key.parse().ok()))
}

/// Moves a message to where refused ones are kept.
struct SettingAside {
    row: String,
    reason: String,
}

#[async_trait]
impl Work for SettingAside {
    type Result = Option<String>;

    async fn run(
        &self,
        collections: &Collections,
        session: &mut ClientSession,
    ) -> Result<End<Option<String>>, Error> {
        let from = collections.of("outbox");
        let taken = from.find_one_and_delete(doc! { "_id": &self.row });
        let Some(mut taken) = taken.session(&mut *session).await? else {
            return Ok(End::Abort(None));
        };
        taken.insert("reason", &self.reason);
        collections.of("set_aside").insert_one(&taken).session(&mut *session).await?;
        Ok(End::Commit(taken.get_str("key").ok().map(str::to_owned)))
    }
}

pub(super) async fn waiting(collections: &Collections) -> Result<u64, StoreError> {
    let count = collections.of("outbox").count_documents(doc! {}).await;
    count.map_err(|error| collections.failure(&error))
}
