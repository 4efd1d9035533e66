use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mercurious_core::{decide::Request, resources::ObjectName, rollout::Record};
use mercurious_engine::{
    AuditEntry, Seen,
    ports::{Commit, Store, StoreError},
};
use serde::{Serialize, de::DeserializeOwned};

/// State as JSON files in one directory.
///
/// # Flow
/// One file per record, repository and request; the audit history is one file with a line per entry.
///
/// # Guarantees
/// A file is either the old or the new one, whole: it is written beside, flushed to the disk, and renamed. What a
/// killed engine was writing is removed when the store is opened.
/// The audit history's last line may be cut by a crash; it is then left out on reading and ended on the next
/// write.
///
/// # Caveats
/// Only one process may use a directory at a time: [`crate::DataDirectory`] sees to that.
#[derive(Clone, Debug)]
pub struct FileStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    audit: Mutex<File>,
}

impl FileStore {
    /// Opens the store in this directory, making it where it does not exist.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for part in ["records", "seen", "requests", "suspended", "deployments", "services"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(failed("make", &path))?;
        }
        remove_unfinished(root)?;
        let path = root.join("audit.jsonl");
        let mut audit = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        // A line that a crash cut short is ended, so that the next one stands alone.
        let contents = fs::read(&path).map_err(failed("read", &path))?;
        if contents.last().is_some_and(|byte| *byte != b'\n') {
            audit.write_all(b"\n").map_err(failed("write", &path))?;
        }
        Ok(Self { inner: Arc::new(Inner { root: root.to_owned(), audit: Mutex::new(audit) }) })
    }

    /// Reads a file of another part of the home (`deployments`, `services`); `None` where there is none.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        part: &str,
        name: &ObjectName,
    ) -> Result<Option<T>, StoreError> {
        read(&self.path(part, name))
    }

    /// Writes a file of another part of the home.
    pub(crate) fn write<T: Serialize>(
        &self,
        part: &str,
        name: &ObjectName,
        value: &T,
    ) -> Result<(), StoreError> {
        write(&self.path(part, name), value)
    }

    fn path(&self, part: &str, name: &ObjectName) -> PathBuf {
        // Names of objects are lower-case letters, digits, `-` and `.`: none can leave the directory.
        self.inner.root.join(part).join(format!("{}_{}.json", name.namespace, name.name))
    }

    fn requests_of(&self, name: &ObjectName) -> PathBuf {
        self.inner.root.join("requests").join(format!("{}_{}", name.namespace, name.name))
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.unwrap_or_else(|error| {
            Err(StoreError { message: format!("state was not written: {error}") })
        })
    }
}

impl FileStore {
    /// Writes the record; on return it is durable.
    pub(crate) async fn save_record(
        &self,
        name: &ObjectName,
        record: &Record,
    ) -> Result<(), StoreError> {
        let (name, record) = (name.clone(), record.clone());
        self.on_thread(move |store| store.write("records", &name, &record)).await
    }

    /// Appends to the audit history.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        self.on_thread(move |store| {
            let path = store.inner.root.join("audit.jsonl");
            let mut line = serde_json::to_vec(&entry)
                .map_err(|error| StoreError { message: format!("audit entry: {error}") })?;
            line.push(b'\n');
            let mut file = store.inner.audit.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed("write", &path))
        })
        .await
    }
}

#[async_trait]
impl Store for FileStore {
    async fn record(&self, name: &ObjectName) -> Result<Option<Arc<Record>>, StoreError> {
        let name = name.clone();
        self.on_thread(move |store| store.read("records", &name)).await
    }

    async fn commit(&self, name: &ObjectName, commit: Commit<'_>) -> Result<(), StoreError> {
        self.save_record(name, commit.record).await?;
        self.append(commit.entry).await
    }

    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        Self::append(self, entry).await
    }

    async fn seen(&self, name: &ObjectName) -> Result<Option<Arc<Seen>>, StoreError> {
        let name = name.clone();
        self.on_thread(move |store| store.read("seen", &name)).await
    }

    async fn save_seen(&self, name: &ObjectName, seen: &Arc<Seen>) -> Result<(), StoreError> {
        let (name, seen) = (name.clone(), Arc::clone(seen));
        self.on_thread(move |store| store.write("seen", &name, &*seen)).await
    }

    async fn requests(&self, name: &ObjectName) -> Result<Vec<Request>, StoreError> {
        let name = name.clone();
        self.on_thread(move |store| {
            let directory = store.requests_of(&name);
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(failed("read", &directory)(error)),
            };
            let mut requests: Vec<Request> = Vec::new();
            for entry in entries {
                let path = entry.map_err(failed("read", &directory))?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    requests.extend(read::<Request>(&path)?);
                }
            }
            requests.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
            Ok(requests)
        })
        .await
    }

    async fn add_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        let (name, request) = (name.clone(), request.clone());
        self.on_thread(move |store| {
            let directory = store.requests_of(&name);
            fs::create_dir_all(&directory).map_err(failed("make", &directory))?;
            write(&directory.join(format!("{}.json", request.id.0)), &request)
        })
        .await
    }

    async fn remove_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        let (name, id) = (name.clone(), request.id.clone());
        self.on_thread(move |store| {
            let path = store.requests_of(&name).join(format!("{}.json", id.0));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(failed("remove", &path)(error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    async fn suspended(&self, name: &ObjectName) -> Result<Option<bool>, StoreError> {
        let name = name.clone();
        self.on_thread(move |store| store.read("suspended", &name)).await
    }

    async fn set_suspended(&self, name: &ObjectName, suspended: bool) -> Result<(), StoreError> {
        let name = name.clone();
        self.on_thread(move |store| store.write("suspended", &name, &suspended)).await
    }

    async fn audit(
        &self,
        name: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let name = name.cloned();
        self.on_thread(move |store| {
            let path = store.inner.root.join("audit.jsonl");
            let file = File::open(&path).map_err(failed("open", &path))?;
            let mut newest: std::collections::VecDeque<AuditEntry> =
                std::collections::VecDeque::new();
            for line in BufReader::new(file).lines() {
                let line = line.map_err(failed("read", &path))?;
                // A line that a crash cut short says nothing that the record does not say.
                let Ok(entry) = serde_json::from_str::<AuditEntry>(&line) else { continue };
                if name.as_ref().is_none_or(|name| *name == entry.auto_deploy) {
                    newest.push_front(entry);
                    newest.truncate(limit);
                }
            }
            Ok(newest.into())
        })
        .await
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError {
        message: format!("{} is damaged ({error}); move it away to start anew", path.display()),
    })
}

/// What is being written is named so until it is whole.
const UNFINISHED: &str = ".new-";

/// Removes what a killed engine was writing.
fn remove_unfinished(directory: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(directory).map_err(failed("read", directory))? {
        let entry = entry.map_err(failed("read", directory))?;
        let path = entry.path();
        if entry.file_type().map_err(failed("read", &path))?.is_dir() {
            remove_unfinished(&path)?;
        } else if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(failed("write", path))
}

fn failed<'a>(
    verb: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> StoreError + use<'a> {
    move |error| StoreError { message: format!("cannot {verb} {}: {error}", path.display()) }
}

#[cfg(test)]
mod tests {
    use mercurious_core::{
        decide::{Ask, Reason},
        rollout::{Actor, RequestId},
    };

    use super::*;

    fn name() -> ObjectName {
        ObjectName::new("app", "api-gateway")
    }

    fn request(id: &str, second: i64) -> Request {
        Request {
            id: RequestId(id.to_owned()),
            ask: Ask::Restart,
            by: Actor("ada".to_owned()),
            at: jiff::Timestamp::from_second(second).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let record = Record { rollouts: 7, ..Record::default() };
        {
            let store = FileStore::open(place.path()).unwrap();
            assert_eq!(store.record(&name()).await.unwrap(), None);
            store.save_record(&name(), &record).await.unwrap();
            store.set_suspended(&name(), true).await.unwrap();
            store.add_request(&name(), &request("b", 2)).await.unwrap();
            store.add_request(&name(), &request("a", 1)).await.unwrap();
        }
        let store = FileStore::open(place.path()).unwrap();
        assert_eq!(store.record(&name()).await.unwrap().as_deref(), Some(&record));
        assert_eq!(store.suspended(&name()).await.unwrap(), Some(true));
        let requests = store.requests(&name()).await.unwrap();
        assert_eq!(requests, [request("a", 1), request("b", 2)]);
        store.remove_request(&name(), &requests[0]).await.unwrap();
        store.remove_request(&name(), &requests[0]).await.unwrap();
        assert_eq!(store.requests(&name()).await.unwrap(), [request("b", 2)]);
    }

    #[tokio::test]
    async fn r21_the_audit_history_survives_a_line_cut_by_a_crash() {
        let place = tempfile::tempdir().unwrap();
        let entry = |message: &str| AuditEntry {
            at: jiff::Timestamp::UNIX_EPOCH,
            auto_deploy: name(),
            reason: Reason::Succeeded,
            message: message.to_owned(),
            rollout: None,
            phase: None,
            from: None,
            to: None,
            by: "engine".to_owned(),
        };
        FileStore::open(place.path()).unwrap().append(&entry("first")).await.unwrap();
        let mut file =
            OpenOptions::new().append(true).open(place.path().join("audit.jsonl")).unwrap();
        file.write_all(b"{\"at\":\"20").unwrap();
        let store = FileStore::open(place.path()).unwrap();
        store.append(&entry("second")).await.unwrap();
        let messages: Vec<String> =
            store.audit(None, 10).await.unwrap().into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["second", "first"]);
        assert_eq!(store.audit(Some(&ObjectName::new("app", "other")), 10).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_a_killed_engine_was_writing_is_removed_and_never_read() {
        let place = tempfile::tempdir().unwrap();
        FileStore::open(place.path())
            .unwrap()
            .add_request(&name(), &request("a", 1))
            .await
            .unwrap();
        let parts = ["records", "requests/app_api-gateway"];
        for part in parts {
            fs::write(place.path().join(part).join(".new-a1b2c3"), "{").unwrap();
        }
        let store = FileStore::open(place.path()).unwrap();
        for part in parts {
            assert!(!place.path().join(part).join(".new-a1b2c3").exists(), "{part}");
        }
        assert_eq!(store.requests(&name()).await.unwrap(), [request("a", 1)]);
    }

    #[tokio::test]
    async fn a_damaged_record_is_an_error_and_not_an_empty_one() {
        let place = tempfile::tempdir().unwrap();
        let store = FileStore::open(place.path()).unwrap();
        fs::write(place.path().join("records/app_api-gateway.json"), "{").unwrap();
        let error = store.record(&name()).await.unwrap_err().to_string();
        assert!(error.contains("app_api-gateway.json is damaged"), "{error}");
    }
}
