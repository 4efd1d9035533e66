use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

/// The one directory that everything lies under.
///
/// # Guarantees
/// At most one process has it open; the lock ends with the process, however that ends.
#[derive(Debug)]
pub struct DataDirectory {
    root: PathBuf,
    _lock: Flock<File>,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DataDirectoryError {
    /// It could not be made or written.
    #[error("cannot use {path} as data directory; name another one with --data-dir")]
    Unusable {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another engine has it open.
    #[error("another `mercurious up`{} uses {root}; stop it, or name another directory with --data-dir", by(*.pid))]
    Locked {
        /// Which directory.
        root: PathBuf,
        /// The process that has it, where it said so.
        pid: Option<u32>,
    },
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl DataDirectory {
    /// Opens the directory, making it where it does not exist, readable by its owner alone.
    pub fn open(root: &Path) -> Result<Self, DataDirectoryError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirectoryError::Unusable { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(unusable(root))?;
        let root = root.canonicalize().map_err(unusable(root))?;
        let path = root.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(unusable(&path))?;
        let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, _)| {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            DataDirectoryError::Locked { root: root.clone(), pid }
        })?;
        lock.set_len(0).map_err(unusable(&path))?;
        writeln!(lock, "{}", std::process::id()).map_err(unusable(&path))?;
        Ok(Self { root, _lock: lock })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Records, requests, the audit history.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The embedded registry's blobs and tags.
    pub fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    /// Unpacked images.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// What replicas log.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The directories of PersistentVolumeClaims; nothing here is ever removed.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// Process files of the replicas that run.
    pub fn replicas(&self) -> PathBuf {
        self.root.join("replicas")
    }

    /// The token that changing API calls need.
    pub fn token_file(root: &Path) -> PathBuf {
        root.join("token")
    }

    /// The API's socket.
    pub fn socket(root: &Path) -> PathBuf {
        root.join("api.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_kept_out_and_told_by_whom() {
        let place = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(place.path()).unwrap();
        let refusal = DataDirectory::open(place.path()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(first);
        DataDirectory::open(place.path()).unwrap();
    }
}
