use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use mercurious_contracts::{JobId, facts::Facts};
use mercurious_messaging::OutboxRow;
use mongodb::bson::doc;
use tokio::time::timeout;

use super::{connect::Collections, jobs, outbox, trips};
use crate::{
    job::{Change, JobRecord, StoredEvent},
    service::Retention,
    settings::SecretUrl,
    store::{AcceptOutcome, Committed, IdempotencyKey, Store, StoreError, StoredTrip},
};

/// How long any one call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The store in MongoDB.
pub struct MongoStore {
    collections: Collections,
    retention: Retention,
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoStore({})", self.collections.url)
    }
}

impl MongoStore {
    /// Connects, and makes the indexes where there are none.
    pub async fn connect(url: &SecretUrl, retention: Retention) -> Result<Self, StoreError> {
        let collections = within(Collections::connect(url)).await?;
        Ok(Self { collections, retention })
    }
}

async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(PATIENCE, call).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", PATIENCE.as_secs());
        Err(StoreError::Unavailable { store: "MongoDB", detail })
    })
}

#[async_trait]
impl Store for MongoStore {
    async fn accept(
        &self,
        change: Change,
        key: Option<IdempotencyKey>,
    ) -> Result<AcceptOutcome, StoreError> {
        within(jobs::accept(&self.collections, self.retention, &change, key.as_ref())).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        within(jobs::job(&self.collections, id)).await
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        within(jobs::commit(&self.collections, self.retention, &change)).await
    }

    async fn events(
        &self,
        id: JobId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        within(jobs::events(&self.collections, id, after, limit)).await
    }

    async fn heads(&self, ids: &[JobId]) -> Result<Vec<(JobId, u64)>, StoreError> {
        within(jobs::heads(&self.collections, ids)).await
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        within(jobs::overdue(&self.collections, now, limit)).await
    }

    async fn facts(&self, id: JobId) -> Result<Option<Facts>, StoreError> {
        within(trips::facts(&self.collections, id)).await
    }

    async fn trip(&self, id: JobId) -> Result<Option<StoredTrip>, StoreError> {
        within(trips::trip(&self.collections, id)).await
    }

    async fn save_trip(&self, trip: StoredTrip) -> Result<Committed, StoreError> {
        within(trips::save(&self.collections, &trip)).await
    }

    async fn share(&self, trip: JobId, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        within(trips::share(&self.collections, self.retention, trip, digest, now)).await
    }

    async fn unshare(&self, trip: JobId, digest: &str) -> Result<bool, StoreError> {
        within(trips::unshare(&self.collections, trip, digest)).await
    }

    async fn shared(&self, digest: &str) -> Result<Option<JobId>, StoreError> {
        within(trips::shared(&self.collections, digest)).await
    }

    async fn claim(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        within(outbox::claim(&self.collections, now, limit, lease)).await
    }

    async fn sent(&self, rows: &[String]) -> Result<(), StoreError> {
        within(outbox::sent(&self.collections, rows)).await
    }

    async fn set_aside(&self, row: &str, reason: &str) -> Result<Option<JobId>, StoreError> {
        within(outbox::set_aside(&self.collections, row, reason)).await
    }

    async fn waiting(&self) -> Result<u64, StoreError> {
        within(outbox::waiting(&self.collections)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let ping = self.collections.database.run_command(doc! { "ping": 1 });
        within(async { ping.await.map(drop).map_err(|error| self.collections.failure(&error)) })
            .await
    }

    async fn prune(
        &self,
        jobs: Timestamp,
        keys: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        within(jobs::prune(&self.collections, jobs, keys, limit)).await
    }
}
