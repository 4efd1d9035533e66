use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use mercurious_core::image::Digest;
use mercurious_runtime::Clock;

use super::files::{
    Context, OpenError, StorageError, make_directory, move_into_place, names, remove, write_whole,
};

/// A modification time younger than this is not renewed: polling should not write to the disk.
const FRESH: Duration = Duration::from_mins(1);

/// The registry's directory.
///
/// A file's modification time, taken from the clock, says when a push last saw or sent it; garbage collection
/// spares what is younger than its grace.
#[derive(Debug)]
pub(crate) struct Storage {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    /// Shared by whatever relies on content being there while it writes links to it; exclusive for removal.
    gate: RwLock<()>,
    /// While garbage is collected: what was used since the collection began.
    used: Mutex<Option<HashSet<Digest>>>,
    /// Held for as long as the directory is ours. A killed process releases it.
    _lock: File,
}

impl Storage {
    pub(crate) fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let prepare = || -> Result<File, StorageError> {
            for part in ["blobs/sha256", "repositories", "uploads", "temporary"] {
                make_directory(&root.join(part))?;
            }
            let path = root.join("lock");
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .context("opening", &path)
        };
        let lock = prepare().map_err(OpenError::Storage)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: root.to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("locking", root).map_err(OpenError::Storage);
            }
        }
        let temporary = root.join("temporary");
        for name in names(&temporary).map_err(OpenError::Storage)? {
            remove(&temporary.join(name)).map_err(OpenError::Storage)?;
        }
        Ok(Self {
            root: root.to_owned(),
            clock,
            gate: RwLock::new(()),
            used: Mutex::new(None),
            _lock: lock,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now().into()
    }

    /// While this is held nothing is removed.
    pub(crate) fn keep_all(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// While this is held nothing is added or used.
    pub(super) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn used(&self) -> std::sync::MutexGuard<'_, Option<HashSet<Digest>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where this content lies, if it is here.
    pub(crate) fn content_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex())
    }

    /// The content's size in bytes, if it is here.
    pub(crate) fn content_size(&self, digest: &Digest) -> Result<Option<u64>, StorageError> {
        let path = self.content_path(digest);
        Ok(fs::metadata(&path).unless_missing("reading", &path)?.map(|found| found.len()))
    }

    pub(crate) fn content(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StorageError> {
        let path = self.content_path(digest);
        fs::read(&path).unless_missing("reading", &path)
    }

    pub(super) fn write(&self, to: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        write_whole(&self.root.join("temporary"), to, bytes, self.now())
    }

    /// Stores bytes under their digest. The gate must be held.
    pub(super) fn add_content(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StorageError> {
        self.note_use(digest);
        if self.content_size(digest)?.is_some() {
            return self.renew(&self.content_path(digest));
        }
        self.write(&self.content_path(digest), bytes)
    }

    /// Stores a synced file whose digest was verified. The gate must be held.
    pub(super) fn adopt(&self, digest: &Digest, file: &Path) -> Result<(), StorageError> {
        self.note_use(digest);
        let path = self.content_path(digest);
        if self.content_size(digest)?.is_some() {
            remove(file)?;
            return self.renew(&path);
        }
        move_into_place(file, &path)
    }

    /// Tells a running garbage collection that this is in use. The gate must be held.
    pub(super) fn note_use(&self, digest: &Digest) {
        if let Some(used) = self.used().as_mut() {
            used.insert(digest.clone());
        }
    }

    /// Starts a file's grace anew.
    pub(super) fn renew(&self, path: &Path) -> Result<(), StorageError> {
        let now = self.now();
        let renew = || {
            let file = File::open(path)?;
            let fresh = now
                .duration_since(file.metadata()?.modified()?)
                // A file from the future has grace enough.
                .is_ok_and(|age| age >= FRESH);
            if fresh { file.set_modified(now) } else { Ok(()) }
        };
        renew().unless_missing("renewing", path)?;
        Ok(())
    }
}
