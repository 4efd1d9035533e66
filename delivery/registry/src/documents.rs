//! Manifests and configurations by digest: they never change, so they are kept.
//!
//! The repository is part of the key: that a digest exists in one place does not say that it does in another.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use lru::LruCache;
use mercurious_core::image::{Digest, Repository};

/// Bytes kept in memory; an index is about 2 KiB, a configuration 5 KiB.
pub(crate) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What a document takes beside its own bytes, about.
const KEY: usize = 384;
/// Files kept in the directory; the oldest tenth goes when there are more.
const MOST_FILES: usize = 20_000;

type Key = (Repository, Digest);

#[derive(Debug)]
pub(crate) struct Documents {
    memory: Mutex<Memory>,
    directory: Option<PathBuf>,
}

#[derive(Debug)]
struct Memory {
    kept: LruCache<Key, Bytes>,
    bytes: usize,
    most: usize,
    written: usize,
}

impl Documents {
    /// So many bytes stay in memory, at most.
    pub(crate) fn new(directory: Option<PathBuf>, most: usize) -> Self {
        let kept = LruCache::unbounded();
        let memory = Memory { kept, bytes: 0, most, written: 0 };
        Self { memory: Mutex::new(memory), directory }
    }

    /// A document that was read before. What the disk holds is believed only if its digest is right.
    pub(crate) async fn get(&self, repository: &Repository, digest: &Digest) -> Option<Bytes> {
        let key = (repository.clone(), digest.clone());
        let kept = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.kept.get(&key).cloned()
        };
        if kept.is_some() {
            return kept;
        }
        let path = path_of(self.directory.as_deref()?, &key);
        let bytes = Bytes::from(tokio::fs::read(&path).await.ok()?);
        if Digest::of(&bytes) != *digest {
            tracing::warn!(file.path = %path.display(), "cached document is damaged; asking again");
            let _ = tokio::fs::remove_file(&path).await;
            return None;
        }
        self.remember(key, bytes.clone());
        Some(bytes)
    }

    /// Keeps a document whose digest was verified.
    pub(crate) async fn put(&self, repository: &Repository, digest: &Digest, bytes: &Bytes) {
        let key = (repository.clone(), digest.clone());
        let path = self.directory.as_deref().map(|directory| path_of(directory, &key));
        let prune = self.remember(key, bytes.clone());
        let (Some(path), Some(directory)) = (path, self.directory.clone()) else { return };
        let bytes = bytes.clone();
        let written = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&directory)?;
            if prune {
                prune_directory(&directory)?;
            }
            let mut file = tempfile::NamedTempFile::new_in(&directory)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        })
        .await;
        if let Ok(Err(error)) = written {
            // A cache that cannot be written costs requests, not answers.
            tracing::warn!(error = %error, "registry documents cannot be cached on disk");
        }
    }

    /// Says whether the directory is due for a look at its size.
    fn remember(&self, key: Key, bytes: Bytes) -> bool {
        let mut guard = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = &mut *guard;
        memory.bytes += bytes.len() + KEY;
        if let Some((_, old)) = memory.kept.push(key, bytes) {
            memory.bytes -= old.len() + KEY;
        }
        while memory.bytes > memory.most {
            match memory.kept.pop_lru() {
                Some((_, old)) => memory.bytes -= old.len() + KEY,
                None => break,
            }
        }
        memory.written += 1;
        memory.written % 1024 == 1
    }
}

fn path_of(directory: &Path, (repository, digest): &Key) -> PathBuf {
    let name = Digest::of(format!("{repository}\n{digest}").as_bytes());
    directory.join(format!("{}.json", name.hex()))
}

fn prune_directory(directory: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push((entry.metadata()?.modified()?, path));
        }
    }
    if files.len() > MOST_FILES {
        files.sort();
        for (_, path) in files.iter().take(files.len() - MOST_FILES + MOST_FILES / 10) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restart_is_warm_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let repository: Repository = "h.io/a".parse().unwrap();
        let bytes = Bytes::from_static(b"{}");
        let digest = Digest::of(&bytes);
        let first = Documents::new(Some(directory.path().join("deep/cache")), MOST_BYTES);
        first.put(&repository, &digest, &bytes).await;
        let again = || Documents::new(Some(directory.path().join("deep/cache")), MOST_BYTES);
        assert_eq!(again().get(&repository, &digest).await, Some(bytes));
        assert_eq!(again().get(&"h.io/b".parse().unwrap(), &digest).await, None);
        let file = std::fs::read_dir(directory.path().join("deep/cache"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::write(&file, "{").unwrap();
        assert_eq!(again().get(&repository, &digest).await, None);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let documents = Documents::new(None, MOST_BYTES);
        let repository: Repository = "h.io/a".parse().unwrap();
        let big = |fill: u8| Bytes::from(vec![fill; MOST_BYTES / 2 - KEY]);
        for fill in 0..3 {
            documents.put(&repository, &Digest::of(&[fill]), &big(fill)).await;
        }
        assert!(documents.get(&repository, &Digest::of(&[0])).await.is_none());
        assert!(documents.get(&repository, &Digest::of(&[2])).await.is_some());
        assert!(documents.memory.lock().unwrap().bytes <= MOST_BYTES);
    }
}
