use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use mercurious_core::image::Digest;

use super::{
    Storage,
    files::{Context, StorageError, names, remove},
    repositories::Link,
};
use crate::{
    manifest::{MANIFEST_LIMIT, Manifest},
    name::RepositoryName,
};

/// What a garbage collection removed, and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs and manifests removed from disk.
    pub removed: usize,
    /// Their size, in bytes.
    pub bytes: u64,
    /// Blobs and manifests that stay.
    pub kept: usize,
    /// Links of repositories to blobs and manifests removed.
    pub links: usize,
    /// Uploads removed because nobody has sent to them for long.
    pub uploads: usize,
}

/// How many files are judged while requests wait.
const BATCH: usize = 64;

/// Everything that one manifest reaches directly.
type Graph = HashMap<Digest, Vec<Digest>>;

struct Candidate {
    path: PathBuf,
    digest: Digest,
}

impl Storage {
    /// Removes what neither a tag nor `keep` reaches and nobody has used within `grace`.
    ///
    /// Marking runs beside requests. What a request uses from the moment marking starts is noted, and removal, in
    /// short exclusive turns, spares what was noted; so nothing is lost to a race, whatever the grace.
    pub(crate) fn collect(
        &self,
        keep: &BTreeSet<Digest>,
        grace: Duration,
    ) -> Result<Collected, StorageError> {
        let before = {
            let _alone = self.alone();
            *self.used() = Some(HashSet::new());
            self.now().checked_sub(grace).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let collected = self.mark_and_sweep(keep, before);
        *self.used() = None;
        collected
    }

    fn mark_and_sweep(
        &self,
        keep: &BTreeSet<Digest>,
        before: SystemTime,
    ) -> Result<Collected, StorageError> {
        let mut collected = Collected::default();
        let mut graph = Graph::new();
        let mut marked = HashSet::new();
        self.mark(keep.iter().cloned().collect(), &mut graph, &mut marked)?;

        let repositories = self.all_repositories()?;
        for name in &repositories {
            let reached = self.mark_repository(name, keep, before, &mut graph)?;
            let mut candidates = Vec::new();
            for link in [Link::Blob, Link::Manifest] {
                let directory = self.repository(name).join(link.directory());
                for candidate in candidates_in(&directory)? {
                    if !reached.contains(&candidate.digest) {
                        candidates.push(candidate);
                    }
                }
            }
            let (swept, spared) = self.sweep(candidates, before)?;
            collected.links += swept.len();
            marked.extend(spared);
            marked.extend(reached);
        }

        let mut candidates = Vec::new();
        let content = self.root().join("blobs/sha256");
        for part in names(&content)? {
            for candidate in candidates_in(&content.join(part))? {
                if marked.contains(&candidate.digest) {
                    collected.kept += 1;
                } else {
                    candidates.push(candidate);
                }
            }
        }
        let (swept, spared) = self.sweep(candidates, before)?;
        collected.removed = swept.len();
        collected.bytes = swept.iter().sum();
        collected.kept += spared.len();
        for name in repositories.iter().rev() {
            self.tidy(name)?;
        }
        Ok(collected)
    }

    /// What this repository's tags, kept and recent manifests reach, and what refers to that.
    fn mark_repository(
        &self,
        name: &RepositoryName,
        keep: &BTreeSet<Digest>,
        before: SystemTime,
        graph: &mut Graph,
    ) -> Result<HashSet<Digest>, StorageError> {
        let mut reached = HashSet::new();
        let tagged = self.tags(name)?.into_values();
        let kept = keep.iter().filter(|one| self.link(name, Link::Manifest, one).exists());
        // An untagged manifest in its grace keeps its layers, however old they are.
        let mut roots: Vec<Digest> = tagged.chain(kept.cloned()).collect();
        for manifest in candidates_in(&self.repository(name).join(Link::Manifest.directory()))? {
            let found = fs::metadata(&manifest.path).and_then(|found| found.modified());
            if found.unless_missing("reading", &manifest.path)?.is_some_and(|time| time > before) {
                roots.push(manifest.digest);
            }
        }
        self.mark(roots, graph, &mut reached)?;

        let referrers = self.repository(name).join("_referrers");
        let mut subjects = Vec::new();
        for subject in candidates_in(&referrers)? {
            let about = candidates_in(&subject.path)?.into_iter().map(|one| one.digest);
            subjects.push((subject.digest, about.collect::<Vec<_>>()));
        }
        // A signature of a signature: until nothing is added.
        loop {
            let size = reached.len();
            for (subject, about) in &subjects {
                if reached.contains(subject) {
                    self.mark(about.clone(), graph, &mut reached)?;
                }
            }
            if reached.len() == size {
                return Ok(reached);
            }
        }
    }

    fn mark(
        &self,
        mut pending: Vec<Digest>,
        graph: &mut Graph,
        marked: &mut HashSet<Digest>,
    ) -> Result<(), StorageError> {
        while let Some(digest) = pending.pop() {
            if !marked.insert(digest.clone()) {
                continue;
            }
            if !graph.contains_key(&digest) {
                graph.insert(digest.clone(), self.reaches(&digest)?);
            }
            if let Some(reaches) = graph.get(&digest) {
                pending.extend(reaches.iter().cloned());
            }
        }
        Ok(())
    }

    /// What this names, if it is a manifest. A small blob that happens to read as one only keeps more.
    fn reaches(&self, digest: &Digest) -> Result<Vec<Digest>, StorageError> {
        let small = self.content_size(digest)?.is_some_and(|size| size <= MANIFEST_LIMIT as u64);
        let body = if small { self.content(digest)? } else { None };
        let manifest = body.and_then(|body| Manifest::parse(&body, None).ok());
        Ok(manifest.map_or_else(Vec::new, |manifest| {
            let named = manifest.references.into_iter().map(|one| one.digest);
            named.chain(manifest.subject).collect()
        }))
    }

    /// Removes the old and unused of these. Returns the sizes of what went, and what stays.
    fn sweep(
        &self,
        candidates: Vec<Candidate>,
        before: SystemTime,
    ) -> Result<(Vec<u64>, Vec<Digest>), StorageError> {
        let mut swept = Vec::new();
        let mut spared = Vec::new();
        let mut candidates = candidates.into_iter().peekable();
        while candidates.peek().is_some() {
            let _alone = self.alone();
            let used = self.used();
            for candidate in candidates.by_ref().take(BATCH) {
                let Some(found) =
                    fs::metadata(&candidate.path).unless_missing("reading", &candidate.path)?
                else {
                    continue;
                };
                let modified = found.modified().context("reading", &candidate.path)?;
                let in_use = used.as_ref().is_some_and(|used| used.contains(&candidate.digest));
                if in_use || modified > before {
                    spared.push(candidate.digest);
                } else if remove(&candidate.path)? {
                    swept.push(found.len());
                }
            }
        }
        Ok((swept, spared))
    }

    /// Removes a repository's directories that are empty, and referrers of manifests that are gone.
    fn tidy(&self, name: &RepositoryName) -> Result<(), StorageError> {
        let _alone = self.alone();
        let repository = self.repository(name);
        let referrers = repository.join("_referrers");
        for subject in candidates_in(&referrers)? {
            for referrer in candidates_in(&subject.path)? {
                if !self.link(name, Link::Manifest, &referrer.digest).exists() {
                    remove(&referrer.path)?;
                }
            }
            remove_if_empty(&subject.path);
        }
        for part in ["_blobs", "_manifests", "_tags", "_referrers"] {
            remove_if_empty(&repository.join(part));
        }
        remove_if_empty(&repository);
        Ok(())
    }
}

/// The entries of a directory whose names are the hex of a digest.
fn candidates_in(directory: &Path) -> Result<Vec<Candidate>, StorageError> {
    Ok(names(directory)?
        .into_iter()
        .filter_map(|hex| {
            let digest = format!("sha256:{hex}").parse().ok()?;
            Some(Candidate { path: directory.join(hex), digest })
        })
        .collect())
}

fn remove_if_empty(directory: &Path) {
    // The system refuses a directory that is not empty, which is what is asked.
    let _ = fs::remove_dir(directory);
}
