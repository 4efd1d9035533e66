use jiff::Timestamp;
use mercurious_contracts::{JobId, facts::Facts};
use mongodb::bson::doc;

use super::{
    connect::Collections,
    jobs::{expires, id_of, text},
};
use crate::{
    service::Retention,
    store::{
        Committed, StoreError, StoredTrip,
        rows::{read, unreadable, write},
    },
};

pub(super) async fn facts(
    collections: &Collections,
    job: JobId,
) -> Result<Option<Facts>, StoreError> {
    let found = collections.of("facts").find_one(doc! { "_id": job.to_string() }).await;
    let found = found.map_err(|error| collections.failure(&error))?;
    found.map(|found| read("facts", text(&found, "body")?)).transpose()
}

pub(super) async fn trip(
    collections: &Collections,
    job: JobId,
) -> Result<Option<StoredTrip>, StoreError> {
    let found = collections.of("trips").find_one(doc! { "_id": job.to_string() }).await;
    let Some(found) = found.map_err(|error| collections.failure(&error))? else {
        return Ok(None);
    };
    let version = found.get_i64("version").map_err(|error| unreadable("trip", &error))?;
    let trip = read("trip", text(&found, "body")?)?;
    Ok(Some(StoredTrip { trip, version: version as u64 }))
}

pub(super) async fn save(
    collections: &Collections,
    trip: &StoredTrip,
) -> Result<Committed, StoreError> {
    let version = trip.version as i64;
    let filter = doc! { "_id": trip.trip.id.to_string(), "version": version - 1 };
    let body = write("trip", &trip.trip)?;
    let change = doc! { "$set": { "version": version, "body": body } };
    let saved = collections.of("trips").update_one(filter, change).await;
    let saved = saved.map_err(|error| collections.failure(&error))?;
    Ok(if saved.matched_count == 0 { Committed::Conflict } else { Committed::Stored })
}

pub(super) async fn share(
    collections: &Collections,
    retention: Retention,
    trip: JobId,
    digest: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let share = doc! {
        "_id": digest,
        "job": trip.to_string(),
        "created": now.as_millisecond(),
        "expires": expires(now, retention.jobs.as_millis()),
    };
    let stored = collections.of("shares").insert_one(share).await;
    stored.map(drop).map_err(|error| collections.failure(&error))
}

pub(super) async fn unshare(
    collections: &Collections,
    trip: JobId,
    digest: &str,
) -> Result<bool, StoreError> {
    let filter = doc! { "_id": digest, "job": trip.to_string() };
    let deleted = collections.of("shares").delete_one(filter).await;
    Ok(deleted.map_err(|error| collections.failure(&error))?.deleted_count > 0)
}

pub(super) async fn shared(
    collections: &Collections,
    digest: &str,
) -> Result<Option<JobId>, StoreError> {
    let found = collections.of("shares").find_one(doc! { "_id": digest }).await;
    let found = found.map_err(|error| collections.failure(&error))?;
    found.map(|found| id_of(text(&found, "job")?)).transpose()
}
