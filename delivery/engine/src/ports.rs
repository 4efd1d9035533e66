//! What the engine needs from the world, by role.

use std::sync::Arc;

use async_trait::async_trait;
use mercurious_core::{
    decide::{Effect, Request, WorkloadState},
    image::{Digest, Release, Tag},
    resources::{AutoDeployStatus, CheckSpec, ObjectName},
    rollout::Record,
};
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use crate::{AuditEntry, Event, Place, Seen, Target};

/// Answers questions about one repository of a registry. Deadlines, retries and limits are its business.
#[async_trait]
pub trait ImageSource: Send + Sync + 'static {
    /// The digest that a tag or digest has now; `None` where the registry says that there is no such thing.
    async fn head(&self, place: &Place, reference: &str) -> Result<Option<Digest>, LookError>;

    /// All that is known of a digest, found under this tag. Refuses what does not run on this platform.
    async fn resolve(
        &self,
        place: &Place,
        digest: &Digest,
        tag: Option<&Tag>,
    ) -> Result<Release, LookError>;

    /// All tags. Half a list is an error.
    async fn tags(&self, place: &Place) -> Result<Vec<Tag>, LookError>;

    /// Waits until a repository of many unknown images may be learned: what is known of one while it is learned takes
    /// megabytes.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        None
    }
}

/// Why a look gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LookError {
    /// The registry did not answer, or not sensibly: the answer stays what it was.
    #[error("{message}")]
    Failed {
        /// What failed, where, and what to do.
        message: String,
        /// Whether trying again may help.
        retryable: bool,
    },
    /// What the question needs is not there, or cannot be used: a Secret, a certificate, a proxy. The registry was not
    /// asked, and may be as soon as somebody has put that right.
    #[error("{message}")]
    Unprepared {
        /// What is wrong, and with which object.
        message: String,
    },
    /// The image exists and cannot run here, for ever: nothing to retry.
    #[error("{message}")]
    Unusable {
        /// Why.
        message: String,
    },
    /// The digest is not there (any more).
    #[error("{message}")]
    Gone {
        /// What is not there.
        message: String,
    },
}

impl LookError {
    /// Whether the same question may be answered later: then nothing is concluded from this one.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { retryable: true, .. } | Self::Unprepared { .. })
    }
}

/// The home of workloads.
#[async_trait]
pub trait Workloads: Send + Sync + 'static {
    /// The workload as it is now.
    async fn observe(&self, target: &Target, attention: Attention) -> WorkloadState;

    /// Performs an effect; performing it again changes nothing.
    async fn apply(&self, target: &Target, effect: &Effect) -> Result<(), ApplyError>;

    /// Names each workload (namespace and name) of which something changed. A lagging receiver looks at all.
    fn changes(&self) -> broadcast::Receiver<ObjectName>;

    /// The newest lines that replicas of the newest spec logged, at most `limit`.
    async fn log_lines(&self, target: &Target, limit: usize) -> Vec<String>;

    /// The newest lines of all replicas, those that crashed or were replaced included, and those to come.
    async fn log_tail(&self, target: &Target, limit: usize) -> LogTail;
}

/// What replicas logged, and what they will log.
#[derive(Debug)]
pub struct LogTail {
    /// What is known already, oldest first.
    pub lines: Vec<String>,
    /// What comes after these, with nothing between; a slow reader loses the oldest.
    pub coming: broadcast::Receiver<String>,
}

/// How closely a workload is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nothing is at work: what the workload itself says is enough.
    Casual,
    /// A rollout is at work: each replica of the newest spec counts.
    Close,
}

/// Why an effect could not be performed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApplyError {
    /// What failed and what to do.
    pub message: String,
}

/// What survives a restart.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The record of an auto-deploy.
    async fn record(&self, name: &ObjectName) -> Result<Option<Arc<Record>>, StoreError>;

    /// The status as people saw it last, where the store keeps it: what did not change is not told again.
    async fn status(
        &self,
        _name: &ObjectName,
    ) -> Result<Option<Arc<AutoDeployStatus>>, StoreError> {
        Ok(None)
    }

    /// Writes a decision down; on return it is durable.
    async fn commit(&self, name: &ObjectName, commit: Commit<'_>) -> Result<(), StoreError>;

    /// Adds a line to the audit history that a kill kept out. Where a commit is one write, none is ever missing.
    async fn append(&self, _entry: &AuditEntry) -> Result<(), StoreError> {
        Ok(())
    }

    /// Shows a status whose record is written down already. A store that people do not read keeps none.
    async fn save_status(
        &self,
        _name: &ObjectName,
        _status: &Arc<AutoDeployStatus>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// So many of a repository's newest releases are enough to remember, for a home that has little room. With a number,
    /// the engine itself keeps no more in memory, where no policy reads the names of the others.
    fn room(&self) -> Option<usize> {
        None
    }

    /// What was seen of a repository.
    async fn seen(&self, name: &ObjectName) -> Result<Option<Arc<Seen>>, StoreError>;

    /// Writes what was seen of a repository, cut to the store's own room.
    async fn save_seen(&self, name: &ObjectName, seen: &Arc<Seen>) -> Result<(), StoreError>;

    /// Requests of people that are not obeyed yet, oldest first.
    async fn requests(&self, name: &ObjectName) -> Result<Vec<Request>, StoreError>;

    /// Adds a request; on return it is durable.
    async fn add_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError>;

    /// Forgets a request that was handled.
    async fn remove_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError>;

    /// Whether a person has suspended the auto-deploy; `None` where only the spec says so.
    async fn suspended(&self, name: &ObjectName) -> Result<Option<bool>, StoreError>;

    /// Remembers that a person suspended the auto-deploy, or resumed it.
    async fn set_suspended(&self, name: &ObjectName, suspended: bool) -> Result<(), StoreError>;

    /// The newest entries of the audit history, newest first.
    async fn audit(
        &self,
        name: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}

/// A decision that changed something, as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// What the engine remembers from here on.
    pub record: &'a Arc<Record>,
    /// What people see.
    pub status: &'a Arc<AutoDeployStatus>,
    /// The line of the audit history.
    pub entry: &'a AuditEntry,
}

/// Why state could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What failed, with the place.
    pub message: String,
}

/// Asks one check once. Deadlines are its business.
#[async_trait]
pub trait Checker: Send + Sync + 'static {
    /// `Ok` is yes; the error says what was wrong.
    async fn ask(
        &self,
        check: &CheckSpec,
        target: &Target,
        release: &Release,
    ) -> Result<(), String>;
}

/// Hears of each decision that changed something.
pub trait Notifier: Send + Sync + 'static {
    /// Must not block.
    fn notify(&self, event: &Event);
}
