use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use mercurious_contracts::{JobId, facts::Facts};
use mercurious_messaging::OutboxRow;
use rusqlite::Connection;

use super::{
    events, jobs, outbox, schema, trips,
    worker::{Lasts, Worker},
};
use crate::{
    job::{Change, JobRecord, StoredEvent},
    store::{AcceptOutcome, Committed, IdempotencyKey, Store, StoreError, StoredTrip},
};

/// How many threads read.
const READERS: usize = 2;

/// The store of one machine.
pub struct SqliteStore {
    writer: Worker,
    readers: Vec<Worker>,
    turn: AtomicUsize,
    place: Arc<str>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({})", self.place)
    }
}

impl SqliteStore {
    /// Opens a file, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Worker::start(schema::open_writer(Some(path))?, true)?;
        let readers = (0..READERS)
            .map(|_| Worker::start(schema::open_reader(path)?, false))
            .collect::<Result<_, _>>()?;
        let place = path.display().to_string().into();
        Ok(Self { writer, readers, turn: AtomicUsize::new(0), place })
    }

    /// A store that is gone with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        let writer = Worker::start(schema::open_writer(None)?, true)?;
        // A database in memory has one connection, so its writer reads too.
        Ok(Self { writer, readers: Vec::new(), turn: AtomicUsize::new(0), place: "memory".into() })
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let reader = match self.readers.len() {
            0 => &self.writer,
            count => &self.readers[turn % count],
        };
        reader.ask(work).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        change: Change,
        key: Option<IdempotencyKey>,
    ) -> Result<AcceptOutcome, StoreError> {
        self.writer.ask(move |connection| jobs::accept(connection, &change, key.as_ref())).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.read(move |connection| jobs::job(connection, id)).await
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let lasts = jobs::lasts(&change);
        self.writer.ask_for(lasts, move |connection| jobs::commit(connection, &change)).await
    }

    async fn events(
        &self,
        id: JobId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| events::after(connection, id, after, limit)).await
    }

    async fn heads(&self, ids: &[JobId]) -> Result<Vec<(JobId, u64)>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |connection| events::heads(connection, &ids)).await
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.read(move |connection| jobs::overdue(connection, now, limit)).await
    }

    async fn facts(&self, id: JobId) -> Result<Option<Facts>, StoreError> {
        self.read(move |connection| trips::facts(connection, id)).await
    }

    async fn trip(&self, id: JobId) -> Result<Option<StoredTrip>, StoreError> {
        self.read(move |connection| trips::trip(connection, id)).await
    }

    async fn save_trip(&self, trip: StoredTrip) -> Result<Committed, StoreError> {
        self.writer.ask(move |connection| trips::save(connection, &trip)).await
    }

    async fn share(&self, trip: JobId, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.writer.ask(move |connection| trips::share(connection, trip, &digest, now)).await
    }

    async fn unshare(&self, trip: JobId, digest: &str) -> Result<bool, StoreError> {
        let digest = digest.to_owned();
        self.writer.ask(move |connection| trips::unshare(connection, trip, &digest)).await
    }

    async fn shared(&self, digest: &str) -> Result<Option<JobId>, StoreError> {
        let digest = digest.to_owned();
        self.read(move |connection| trips::shared(connection, &digest)).await
    }

    async fn claim(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        // Nothing to send is the rule: then nothing is written either.
        if self.read(move |connection| outbox::nothing(connection, now)).await? {
            return Ok(Vec::new());
        }
        let claim = move |connection: &Connection| outbox::claim(connection, now, limit, lease);
        self.writer.ask_for(Lasts::UnlessPowerFails, claim).await
    }

    async fn sent(&self, rows: &[String]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        let sent = move |connection: &Connection| outbox::sent(connection, &rows);
        self.writer.ask_for(Lasts::UnlessPowerFails, sent).await
    }

    async fn release(&self, rows: &[String]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        let release = move |connection: &Connection| outbox::release(connection, &rows);
        self.writer.ask_for(Lasts::UnlessPowerFails, release).await
    }

    async fn set_aside(&self, row: &str, reason: &str) -> Result<Option<JobId>, StoreError> {
        let (row, reason) = (row.to_owned(), reason.to_owned());
        self.writer.ask(move |connection| outbox::set_aside(connection, &row, &reason)).await
    }

    async fn waiting(&self) -> Result<u64, StoreError> {
        self.read(outbox::waiting).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.read(jobs::check).await?;
        self.writer.ask(jobs::check).await
    }

    async fn prune(
        &self,
        jobs: Timestamp,
        keys: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        self.writer.ask(move |connection| jobs::prune(connection, jobs, keys, limit)).await
    }
}
