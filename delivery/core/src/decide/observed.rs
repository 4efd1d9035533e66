use std::collections::BTreeMap;

use crate::{
    image::{Digest, ImageReference, Release},
    rollout::Record,
};

/// What is: the workload, the answers of the checks, and what is remembered.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The workload as its home reports it.
    pub workload: WorkloadState,
    /// The answer of each check for the rollout at work; a check without an entry was not asked yet.
    pub checks: BTreeMap<String, CheckOutcome>,
    /// What is remembered.
    pub record: Record,
}

/// What was found where the workload should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadState {
    /// It is there.
    Present(Workload),
    /// It is not.
    Missing {
        /// `Deployment app/api-gateway`
        target: String,
    },
    /// It has no such container, or several that could be meant: never guessed, never added.
    NoContainer {
        /// What is wrong, with the containers that there are.
        message: String,
    },
    /// It could not be read.
    Unreadable {
        /// What failed.
        message: String,
    },
}

/// A workload as its home reports it, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The image field of the container, as written there.
    pub image: String,
    /// The image field, parsed, with its digest filled in where the home knows it.
    pub reference: Option<ImageReference>,
    /// The token of the last restart that was asked of it.
    pub restart: Option<String>,
    /// Whether its controller has seen the newest spec (generation ≤ observedGeneration).
    pub current: bool,
    /// Whether it is paused, so that nothing can roll.
    pub paused: bool,
    /// How many replicas are wanted.
    pub desired: u32,
    /// How many replicas run the newest spec.
    pub updated: u32,
    /// How many replicas of the newest spec are ready and have been for long enough.
    pub available: u32,
    /// How many replicas of any spec are ready: what serves now.
    pub ready: u32,
    /// How many replicas there are in all, old ones that are leaving included.
    pub total: u32,
    /// Container restarts of the replicas of the newest spec.
    pub restarts: u32,
    /// The home's own deadline has passed.
    pub deadline_exceeded: bool,
    /// What keeps the home itself from working, as a full disk: no release is to blame for it, and no time counts.
    pub home_fault: Option<String>,
    /// Definite signs that the newest spec cannot work.
    pub evidence: Vec<Evidence>,
    /// Others who write the same field, or changed it: named in the decision.
    pub foreign_writers: Vec<String>,
}

impl Workload {
    /// `kubectl rollout status`' rule: seen, all updated, none old left, all available.
    pub fn is_complete(&self) -> bool {
        self.current
            && self.updated >= self.desired
            && self.total <= self.updated
            && self.available >= self.updated
    }

    /// What the image field names: its own digest where it has one, else the one that the home knows.
    pub fn digest(&self) -> Option<Digest> {
        self.field()
            .and_then(|field| field.digest().cloned())
            .or_else(|| self.reference.as_ref().and_then(|reference| reference.digest().cloned()))
    }

    /// Whether the image field itself names a digest, so that no tag can move under it.
    pub fn is_pinned(&self) -> bool {
        self.field().is_some_and(|field| field.digest().is_some())
    }

    /// Whether the image field names this release by its digest.
    pub fn is_pinned_to(&self, release: &Release) -> bool {
        self.field().is_some_and(|field| field.digest() == Some(&release.digest))
    }

    /// The image field as a reference; what stands there need not parse.
    pub(super) fn field(&self) -> Option<ImageReference> {
        self.image.parse().ok()
    }
}

/// A definite sign that a release cannot work: no need to wait for a deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `CreateContainerConfigError`, …
    pub reason: String,
    /// What was seen, with the replica's name and last lines where there are any.
    pub message: String,
}

/// The answer of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// Yes.
    Passed,
    /// Definitely no.
    Failed {
        /// What was wrong.
        message: String,
    },
    /// Not known yet.
    Pending {
        /// What it waits for.
        message: String,
    },
}
