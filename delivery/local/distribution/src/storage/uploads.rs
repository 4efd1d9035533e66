use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use mercurious_core::image::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    Storage,
    files::{Context, StorageError, names, remove},
};
use crate::{name::RepositoryName, refusal::Refusal};

/// The name of an upload: 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UploadId(String);

/// The text is not one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UploadIdError;

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text.to_owned())) } else { Err(UploadIdError) }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One upload: a file, how much of it counts, and the hash of that much.
#[derive(Debug)]
pub(crate) struct Session {
    path: PathBuf,
    size: u64,
    /// Missing after a restart: the file is read again at the end.
    hash: Option<Sha256>,
    /// Ended or cancelled while someone waited for it.
    over: bool,
}

type Shared = Arc<tokio::sync::Mutex<Session>>;

/// The open uploads. Files of an earlier process are taken over, as far as they got.
#[derive(Debug)]
pub(crate) struct Uploads {
    directory: PathBuf,
    limit: usize,
    sessions: Mutex<HashMap<String, Shared>>,
}

/// An upload is bound to its repository by its file's name, so that no second file can disagree with it.
fn file_name(repository: &RepositoryName, id: &UploadId) -> String {
    format!("{id}.{}", &Digest::of(repository.as_str().as_bytes()).hex()[..16])
}

impl Uploads {
    pub(crate) fn open(storage: &Storage, limit: usize) -> Result<Self, StorageError> {
        let directory = storage.root().join("uploads");
        let mut sessions = HashMap::new();
        for name in names(&directory)? {
            let path = directory.join(&name);
            let size = fs::metadata(&path).context("reading", &path)?.len();
            let session = Session { path, size, hash: None, over: false };
            sessions.insert(name, Arc::new(tokio::sync::Mutex::new(session)));
        }
        Ok(Self { directory, limit, sessions: Mutex::new(sessions) })
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Shared>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(
        &self,
        repository: &RepositoryName,
        now: SystemTime,
    ) -> Result<(UploadId, Shared), Refusal> {
        let id = UploadId(format!("{:032x}", fastrand::u128(..)));
        let name = file_name(repository, &id);
        let path = self.directory.join(&name);
        let mut sessions = self.sessions();
        if sessions.len() >= self.limit {
            return Err(Refusal::TooManyUploads);
        }
        File::create_new(&path).and_then(|file| file.set_modified(now)).context("making", &path)?;
        let session = Session { path, size: 0, hash: Some(Sha256::new()), over: false };
        let session = Arc::new(tokio::sync::Mutex::new(session));
        sessions.insert(name, Arc::clone(&session));
        Ok((id, session))
    }

    pub(crate) fn find(&self, repository: &RepositoryName, id: &UploadId) -> Option<Shared> {
        self.sessions().get(&file_name(repository, id)).cloned()
    }

    /// Ends an upload, good or bad: its file goes, if it is still there.
    pub(crate) fn end(&self, session: &mut Session) -> Result<(), StorageError> {
        session.over = true;
        if let Some(name) = session.path.file_name().and_then(|name| name.to_str()) {
            self.sessions().remove(name);
        }
        remove(&session.path).map(drop)
    }

    /// Removes uploads that nobody has sent to for so long. Returns how many.
    pub(crate) fn expire(&self, now: SystemTime, age: Duration) -> Result<usize, StorageError> {
        let sessions: Vec<Shared> = self.sessions().values().cloned().collect();
        let mut expired = 0;
        for session in sessions {
            // One that is locked is being sent to.
            let Ok(mut session) = session.try_lock() else { continue };
            let modified = fs::metadata(&session.path).and_then(|found| found.modified());
            let Some(modified) = modified.unless_missing("reading", &session.path)? else {
                self.end(&mut session)?;
                continue;
            };
            if now.duration_since(modified).is_ok_and(|since| since >= age) {
                self.end(&mut session)?;
                expired += 1;
            }
        }
        Ok(expired)
    }
}

impl Session {
    /// How many bytes count.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Adds bytes at the end. What was written of a failed addition does not count, and is written over.
    pub(crate) fn append(&mut self, bytes: &[u8], now: SystemTime) -> Result<(), StorageError> {
        File::options()
            .write(true)
            .open(&self.path)
            .and_then(|file| {
                file.write_all_at(bytes, self.size)?;
                file.set_modified(now)
            })
            .context("writing", &self.path)?;
        self.size += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        Ok(())
    }

    /// Verifies the whole and syncs it, so that it can be adopted.
    pub(crate) fn seal(&mut self, expected: &Digest, now: SystemTime) -> Result<(), Refusal> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .context("opening", &self.path)?;
        file.set_len(self.size).context("cutting", &self.path)?;
        let hash = match self.hash.clone() {
            Some(hash) => hash,
            None => hash_of(&file).context("reading", &self.path)?,
        };
        let actual = Digest::from_sha256(&hash.finalize().into());
        if actual != *expected {
            return Err(Refusal::DigestMismatch { expected: expected.clone(), actual });
        }
        file.set_modified(now).and_then(|()| file.sync_all()).context("syncing", &self.path)?;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn hash_of(mut file: &File) -> std::io::Result<Sha256> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash),
            count => hash.update(&buffer[..count]),
        }
    }
}

impl Storage {
    /// Verifies an upload and gives it to the repository. The session is over either way.
    pub(crate) fn finish(
        &self,
        uploads: &Uploads,
        repository: &RepositoryName,
        session: &mut Session,
        expected: &Digest,
    ) -> Result<(), Refusal> {
        let finished = session.seal(expected, self.now()).and_then(|()| {
            self.add_blob(repository, expected, session.path()).map_err(Refusal::Storage)
        });
        let ended = uploads.end(session);
        finished?;
        Ok(ended?)
    }
}
