use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::any};
use mercurious_core::image::{Digest, Tag};
use mercurious_runtime::{Clock, SystemClock};
use tokio::sync::{Semaphore, broadcast};

use crate::{
    endpoints,
    name::{Reference, RepositoryName},
    requests::{RequestCounter, Requests},
    settings::Settings,
    storage::{Collected, OpenError, Storage, StorageError, StoredManifest, Uploads},
};

/// How many pushes a slow receiver may fall behind before it misses some.
const PUSHES: usize = 1024;

/// The embedded registry. Clones share everything.
#[derive(Clone, Debug)]
pub struct Distribution {
    inner: Arc<Inner>,
}

/// A manifest that was taken in and is there to be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Where to.
    pub repository: RepositoryName,
    /// The tag, or the digest where it was pushed without one.
    pub reference: Reference,
    /// What it is.
    pub digest: Digest,
    /// Its media type: tells an index from an image.
    pub media_type: String,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) storage: Storage,
    pub(crate) uploads: Uploads,
    pub(crate) settings: Settings,
    pub(crate) requests: RequestCounter,
    pub(crate) pushes: broadcast::Sender<Push>,
    /// One for each body that is being received.
    pub(crate) receiving: Semaphore,
    /// Held by the one garbage collection at a time.
    collecting: std::sync::Mutex<()>,
}

impl Distribution {
    /// Opens the registry in this directory, which is made if it is missing, and removes uploads that expired.
    ///
    /// # Errors
    /// If another process has it open, or it cannot be read and written.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, OpenError> {
        Self::open_with_clock(directory, settings, Arc::new(SystemClock))
    }

    /// [`Distribution::open`] with another clock, which decides what is old.
    pub fn open_with_clock(
        directory: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let storage = Storage::open(directory, clock)?;
        let uploads = Uploads::open(&storage, settings.open_uploads).map_err(OpenError::Storage)?;
        uploads.expire(storage.now(), settings.upload_expiry).map_err(OpenError::Storage)?;
        let inner = Inner {
            storage,
            uploads,
            requests: RequestCounter::default(),
            pushes: broadcast::channel(PUSHES).0,
            receiving: Semaphore::new(settings.concurrent_uploads.max(1)),
            collecting: std::sync::Mutex::default(),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The HTTP side, everything below `/v2/`.
    pub fn router(&self) -> Router {
        let endpoint = any(endpoints::answer);
        Router::new()
            .route("/v2", endpoint.clone())
            .route("/v2/", endpoint.clone())
            .route("/v2/{*tail}", endpoint)
            .with_state(Arc::clone(&self.inner))
    }

    /// Manifests as they arrive. A receiver that falls far behind is told how many it missed.
    pub fn pushes(&self) -> broadcast::Receiver<Push> {
        self.inner.pushes.subscribe()
    }

    /// How many requests were answered since the registry was opened.
    pub fn requests(&self) -> Requests {
        self.inner.requests.snapshot()
    }

    /// The limits it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The file with this content, if it is here. It stays as long as a tag reaches it or it is kept.
    pub fn blob_path(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.inner.storage.content_path(digest);
        path.is_file().then_some(path)
    }

    /// The tags of a repository and what they name; none if there is no such repository. Reads from disk.
    pub fn tags(&self, name: &RepositoryName) -> Result<BTreeMap<Tag, Digest>, StorageError> {
        self.inner.storage.tags(name)
    }

    /// The repositories that have a manifest. Reads from disk.
    pub fn repositories(&self) -> Result<BTreeSet<RepositoryName>, StorageError> {
        self.inner.storage.repositories()
    }

    /// The manifest behind a tag or digest, if it is here. Reads from disk.
    pub fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, StorageError> {
        self.inner.storage.manifest(name, reference)
    }

    /// Removes what neither a tag nor `keep` reaches and nobody has pushed or used within `grace`; and uploads that
    /// expired. Runs beside requests, on a thread for blocking work; one collection at a time.
    ///
    /// `keep` names what must stay without a tag: what runs, the last good release, the history.
    ///
    /// # Errors
    /// If the disk fails. What was removed until then was garbage; the next collection goes on.
    pub async fn collect_garbage(
        &self,
        keep: &BTreeSet<Digest>,
        grace: Duration,
    ) -> Result<Collected, StorageError> {
        let inner = Arc::clone(&self.inner);
        let keep = keep.clone();
        let collection = tokio::task::spawn_blocking(move || {
            let _one = inner.collecting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let uploads =
                inner.uploads.expire(inner.storage.now(), inner.settings.upload_expiry)?;
            Ok(Collected { uploads, ..inner.storage.collect(&keep, grace)? })
        });
        match collection.await {
            Ok(collected) => collected,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only a runtime that is shutting down cancels blocking work that has not begun.
                Err(_) => Ok(Collected::default()),
            },
        }
    }
}
