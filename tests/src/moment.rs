use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use mercurious_api::{Follow, Live};
use mercurious_core::rollout::Phase;
use mercurious_engine::EventKind;
use tokio::time::{Instant, sleep};

use crate::{Home, home::PATIENCE};

/// A point of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The push has just been taken: the engine has a hint and nothing else.
    Pushed,
    /// The engine has just said this phase.
    Phase(Phase),
    /// So many new replicas have been started, so many of them are ready.
    Replicas {
        /// Started.
        started: u32,
        /// Ready.
        ready: u32,
    },
    /// An image is being downloaded.
    Pulling,
    /// An image is being unpacked.
    Unpacking,
    /// A new replica's directory is there, its process perhaps not yet.
    Launching,
    /// An old replica has left the proxy and may finish what it does.
    Draining,
}

/// Whether a moment was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is now.
    Now,
    /// The rollout ended before it was seen.
    Passed,
}

/// Files and processes are looked at this often: moments are short.
const GLANCE: Duration = Duration::from_millis(2);

impl Home {
    /// The live stream of what happens, from a snapshot on. To be opened before the push whose moments are waited for.
    pub async fn follow(&self) -> anyhow::Result<Follow> {
        let mut follow = self.client().follow().await?;
        let first = follow.next().await?;
        ensure!(matches!(first, Some(Live::Snapshot(_))), "no snapshot first: {first:?}");
        Ok(follow)
    }

    /// Waits for a moment of the rollout that comes next on this stream.
    pub async fn reach(&self, moment: Moment, follow: &mut Follow) -> anyhow::Result<Seen> {
        let before = self.replica_names();
        let mut said = None;
        let until = Instant::now() + PATIENCE;
        loop {
            let now = match moment {
                Moment::Pushed => true,
                Moment::Phase(phase) => said == Some(phase),
                Moment::Pulling => any(self.data().join("downloads"), "pull-"),
                Moment::Unpacking => any(self.data().join("images"), ".unpack-"),
                Moment::Launching => self.replica_names().iter().any(|name| !before.contains(name)),
                Moment::Replicas { started, ready } => {
                    said.is_some()
                        && self.client().show(Self::NAME).await.is_ok_and(|view| {
                            let workload = view.workload;
                            workload.updated == started && workload.available == ready
                        })
                }
                Moment::Draining => {
                    said.is_some()
                        && self.client().show(Self::NAME).await.is_ok_and(|view| {
                            let workload = view.workload;
                            workload.available > 0
                                && workload.total > workload.desired
                                && workload.updated == workload.desired
                        })
                }
            };
            if now {
                return Ok(Seen::Now);
            }
            if said.is_some_and(Phase::is_end) {
                return Ok(Seen::Passed);
            }
            ensure!(Instant::now() < until, "waited in vain for {moment:?}\n{}", self.log());
            tokio::select! {
                live = follow.next() => {
                    if let Some(Live::Event(event)) = live?
                        && let EventKind::Decision { phase, .. } = event.kind
                    {
                        said = phase.or(said);
                    }
                }
                () = sleep(GLANCE) => {}
            }
        }
    }

    fn replica_names(&self) -> Vec<std::ffi::OsString> {
        let runs = std::fs::read_dir(self.data().join("replicas")).into_iter().flatten().flatten();
        let replicas = runs.flat_map(|run| std::fs::read_dir(run.path()).into_iter().flatten());
        replicas.flatten().map(|entry| entry.file_name()).collect()
    }
}

fn any(directory: PathBuf, prefix: &str) -> bool {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}
