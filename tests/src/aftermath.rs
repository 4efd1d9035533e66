use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use mercurious_core::{image::Digest, rollout::Phase};
use mercurious_engine::{AuditEntry, AutoDeployView};
use tokio::time::{Instant, sleep};

use crate::{
    Home,
    home::{PATIENCE, PAUSE},
};

/// What lies below `state/`: every file with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(BTreeMap<PathBuf, Vec<u8>>);

/// Names of files that are being written; none is ever taken for state.
const UNFINISHED: &str = ".new-";

impl State {
    /// Reads it. A state file that does not parse is an error.
    pub fn read(home: &Home) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        gather(&home.data().join("state"), &mut files)?;
        for (path, bytes) in &files {
            let unfinished = name(path).starts_with(UNFINISHED);
            let extension = path.extension().and_then(|extension| extension.to_str());
            match extension {
                _ if unfinished => {}
                Some("json") => {
                    serde_json::from_slice::<serde_json::Value>(bytes).with_context(|| {
                        format!("{} was half written: {bytes:?}", path.display())
                    })?;
                }
                Some("jsonl") => {}
                _ => anyhow::bail!("{} is no state file", path.display()),
            }
        }
        Ok(Self(files))
    }

    /// Files that an engine was writing when it ended.
    pub fn unfinished(&self) -> Vec<&Path> {
        self.0
            .keys()
            .map(PathBuf::as_path)
            .filter(|path| name(path).starts_with(UNFINISHED))
            .collect()
    }

    /// Where this differs from an earlier one.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> Vec<&'a Path> {
        let both = self.0.keys().chain(before.0.keys());
        let mut changed: Vec<&Path> = both
            .filter(|path| self.0.get(*path) != before.0.get(*path))
            .map(PathBuf::as_path)
            .collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn gather(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else {
            // The engine may live, and take its own unfinished files away.
            let Ok(bytes) = fs::read(&path) else { continue };
            files.insert(path, bytes);
        }
    }
    Ok(())
}

impl Home {
    /// The audit history, oldest first. A decision that ended something and stands there twice is an error.
    pub async fn audit(&self) -> anyhow::Result<Vec<AuditEntry>> {
        let mut entries = self.client().audit(10_000).await?;
        entries.reverse();
        let mut known = BTreeMap::new();
        for entry in &entries {
            if entry.phase.is_some_and(Phase::is_end)
                && let Some(before) = known.insert(
                    (&entry.auto_deploy, entry.rollout, entry.reason),
                    entry.message.clone(),
                )
            {
                anyhow::bail!(
                    "{:?} of {:?} twice: {before} / {}",
                    entry.reason,
                    entry.rollout,
                    entry.message
                );
            }
        }
        for view in self.client().list().await? {
            let name = view.object.metadata.object_name();
            for attempt in view.object.status.iter().flat_map(|status| status.history.iter()) {
                let known = known
                    .keys()
                    .any(|(whose, rollout, _)| **whose == name && *rollout == Some(attempt.id));
                ensure!(known, "the end of rollout {} of {name} is in no audit entry", attempt.id);
            }
        }
        Ok(entries)
    }

    /// What a killed engine left half-done anywhere goes away with the next start, or is done by it.
    pub async fn nothing_half_done(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = self.half_done()?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "left behind: {left:?}");
            sleep(PAUSE).await;
        }
    }

    fn half_done(&self) -> anyhow::Result<Vec<PathBuf>> {
        let state = State::read(self)?;
        let mut left: Vec<PathBuf> = state.unfinished().into_iter().map(Path::to_owned).collect();
        for entry in fs::read_dir(self.data().join("downloads"))? {
            left.push(entry?.path());
        }
        for entry in fs::read_dir(self.data().join("images"))? {
            left.extend(Some(entry?.path()).filter(|path| name(path).starts_with('.')));
        }
        Ok(left)
    }
}

/// Whether a rollout of this release ended so.
pub fn ran(view: &AutoDeployView, digest: &Digest, phase: Phase) -> bool {
    let mut history = view.object.status.iter().flat_map(|status| status.history.iter());
    history.any(|attempt| attempt.release.digest == *digest && attempt.phase == phase)
}

/// Whether nothing is at work, the registry has been looked at, and all replicas serve.
pub fn settled(view: &AutoDeployView) -> bool {
    let idle = view.object.status.as_ref().is_some_and(|status| status.rollout.is_none());
    let workload = &view.workload;
    idle && view.repository.looked_at.is_some()
        && workload.total == workload.desired
        && workload.available == workload.desired
}
