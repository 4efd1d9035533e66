//! What stands in the gateway's store, read past the gateway.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use mercurious_contracts::job::JobStatus;
use mongodb::bson::{Document, doc};
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;

use super::Stored;

/// Every job of the store, and how many messages wait in it or were put aside.
pub type Kept = (Vec<Stored>, u64);

/// The part of a job's record that is looked at.
#[derive(Deserialize)]
struct Record {
    status: JobStatus,
}

/// Puts together what the tables say: records by id, and events as they come.
struct Rows(BTreeMap<String, Stored>);

impl Rows {
    fn job(&mut self, id: String, record: &str) -> anyhow::Result<()> {
        let Record { status } = serde_json::from_str(record).context("a job's record")?;
        let stored = Stored { id: id.clone(), status, events: Vec::new(), ends: 0 };
        self.0.insert(id, stored);
        Ok(())
    }

    fn event(&mut self, job: &str, number: u64, event: &str) -> anyhow::Result<()> {
        let stored = self.0.get_mut(job).with_context(|| format!("an event of {job}, no job"))?;
        let event: serde_json::Value = serde_json::from_str(event).context("an event")?;
        let name = event["event"].as_str().context("an event without a name")?;
        stored.events.push(number);
        stored.ends += usize::from(["completed", "failed", "cancelled"].contains(&name));
        Ok(())
    }

    fn all(self) -> Vec<Stored> {
        self.0.into_values().collect()
    }
}

/// Of a store in MongoDB.
pub async fn in_mongo(url: &str) -> anyhow::Result<Kept> {
    let client = mongodb::Client::with_uri_str(url).await.context("no MongoDB client")?;
    let database = client.default_database().context("no database is named")?;
    let all = async |name: &str| -> anyhow::Result<Vec<Document>> {
        let collection = database.collection::<Document>(name);
        let found = collection.find(doc! {}).sort(doc! { "job": 1, "sequence": 1 }).await?;
        Ok(found.try_collect().await?)
    };
    let mut rows = Rows(BTreeMap::new());
    for job in all("jobs").await? {
        rows.job(job.get_str("_id")?.to_owned(), job.get_str("record")?)?;
    }
    for event in all("events").await? {
        let number = event.get_i64("sequence")?;
        rows.event(event.get_str("job")?, number.try_into()?, event.get_str("event")?)?;
    }
    let mut left = 0;
    for name in ["outbox", "set_aside"] {
        left += database.collection::<Document>(name).count_documents(doc! {}).await?;
    }
    Ok((rows.all(), left))
}

/// Of a store in SQLite. Blocks.
pub fn in_sqlite(path: &Path) -> anyhow::Result<Kept> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let mut rows = Rows(BTreeMap::new());
    let mut select = connection.prepare("SELECT id, record FROM jobs")?;
    for job in select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))? {
        let (id, record) = job?;
        rows.job(id, &record)?;
    }
    let mut select =
        connection.prepare("SELECT job, sequence, event FROM events ORDER BY job, sequence")?;
    let three = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
    };
    for event in select.query_map([], three)? {
        let (job, number, event) = event?;
        rows.event(&job, number.try_into()?, &event)?;
    }
    let count = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM set_aside)";
    let left: i64 = connection.query_row(count, [], |row| row.get(0))?;
    Ok((rows.all(), left.try_into()?))
}
