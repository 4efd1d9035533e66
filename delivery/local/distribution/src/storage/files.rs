use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A file operation of the registry that failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} {} failed", path.display())]
pub struct StorageError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Why a registry's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the registry's directory {} is in use by another process", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// It cannot be read or prepared.
    #[error("the registry's directory cannot be prepared")]
    Storage(#[source] StorageError),
}

impl StorageError {
    /// What clients are told: the kind of fault, without paths.
    pub(crate) fn summary(&self) -> String {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "no space left on its disk".to_owned()
            }
            kind => kind.to_string(),
        }
    }
}

/// Gives an `io::Error` the operation and path it came from.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StorageError>;
    /// The same, with "not found" as an answer rather than a fault.
    fn unless_missing(self, action: &'static str, path: &Path) -> Result<Option<T>, StorageError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StorageError> {
        self.map_err(|source| StorageError { action, path: path.to_owned(), source })
    }

    fn unless_missing(self, action: &'static str, path: &Path) -> Result<Option<T>, StorageError> {
        match self {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            other => other.context(action, path).map(Some),
        }
    }
}

/// Makes a directory and its parents, each of them on disk before this returns.
pub(crate) fn make_directory(path: &Path) -> Result<(), StorageError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directory(parent)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.context("making", path)?,
        }
        return sync_directory(parent);
    }
    fs::create_dir(path).context("making", path)
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), StorageError> {
    File::open(path).and_then(|directory| directory.sync_all()).context("syncing", path)
}

/// Moves a whole, synced file to its place, over what may be there.
pub(crate) fn move_into_place(from: &Path, to: &Path) -> Result<(), StorageError> {
    let parent = to.parent().unwrap_or(to);
    make_directory(parent)?;
    fs::rename(from, to).context("moving into place", to)?;
    sync_directory(parent)
}

/// Writes a file so that it is there whole or not at all, whatever happens to the process or the machine.
pub(crate) fn write_whole(
    temporary: &Path,
    to: &Path,
    bytes: &[u8],
    now: SystemTime,
) -> Result<(), StorageError> {
    let path = temporary.join(format!("{:032x}", fastrand::u128(..)));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.set_modified(now)?;
        file.sync_all()
    });
    let placed = written.context("writing", &path).and_then(|()| move_into_place(&path, to));
    if placed.is_err() {
        // Frees the space at once; what cannot be removed now is removed on the next open.
        let _ = fs::remove_file(&path);
    }
    placed
}

/// The names in a directory, none if it is missing. Names that are not UTF-8 are not ours.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, StorageError> {
    let Some(entries) = fs::read_dir(directory).unless_missing("listing", directory)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.context("listing", directory)?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a file. Returns whether it was there.
pub(crate) fn remove(path: &Path) -> Result<bool, StorageError> {
    Ok(fs::remove_file(path).unless_missing("removing", path)?.is_some())
}
