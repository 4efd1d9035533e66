use std::{collections::VecDeque, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, ImageReference, Release};

/// Where a rollout stands: `Pending → Progressing → Baking → Succeeded`, or from the middle two
/// `→ RollingBack → RolledBack`, or `Failed` when there is nothing to go back to.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Written down, not yet applied.
    Pending,
    /// Applied; new replicas are starting, old ones still serve.
    Progressing,
    /// All replicas are new and ready; checks run and everything must stay healthy.
    Baking,
    /// Complete, checked, baked. An end.
    Succeeded,
    /// The last good release is being applied again.
    RollingBack,
    /// The last good release serves again. An end.
    RolledBack,
    /// It did not work and there was nothing to go back to, or somebody else took over. An end.
    Failed,
}

impl Phase {
    /// Whether nothing more happens in this phase.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::RolledBack | Self::Failed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// What a rollout does.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Brings the workload to another release.
    Deploy,
    /// A person goes back to an earlier release.
    Rollback,
    /// New replicas of the same release.
    Restart,
}

/// Why a rollout began.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Trigger {
    /// A newer image was found.
    NewImage,
    /// A person asked.
    Person,
    /// The workload named a mutable tag, or nothing known; it is pinned to the digest.
    Pin,
}

/// Who did something: `engine`, or a person's name.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(pub String);

impl Actor {
    /// The engine itself.
    pub fn engine() -> Self {
        Self("engine".to_owned())
    }

    /// Somebody who changed the workload without asking the engine, and left no name.
    pub fn somebody() -> Self {
        Self("a person".to_owned())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The number of a rollout within its auto-deploy, counted from 1.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RolloutId(pub u64);

impl fmt::Display for RolloutId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Names one request of a person, so that it is obeyed once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

/// A release that serves or served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// Which.
    #[serde(flatten)]
    pub release: Release,
    /// Since when.
    pub since: Timestamp,
}

/// One attempt to bring a workload to a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Its number.
    pub id: RolloutId,
    /// What it does.
    pub kind: Kind,
    /// Where it stands.
    pub phase: Phase,
    /// Where it goes.
    pub release: Release,
    /// Where it goes back to if it must: the last good release when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Release>,
    /// When it was written down.
    pub started_at: Timestamp,
    /// When it entered its phase.
    pub phase_since: Timestamp,
    /// The image field when the rollout was written down: what its effect replaces. Anything else found there
    /// before the effect was seen is somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// What a restart asks of the home: the same token twice is one restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When the effect, or the effect of going back, was first seen in place: timeouts count from here, so that
    /// time in which no engine lived is nobody's fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// Since when everything has been healthy while baking; nothing while it is not. The bake counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Timestamp>,
    /// Container restarts of the new replicas that had been seen when baking began.
    #[serde(default)]
    pub restarts_at_bake: u32,
    /// Why it began.
    pub trigger: Trigger,
    /// Who began it.
    pub by: Actor,
    /// Why it goes back or failed; empty before that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
}

impl Rollout {
    /// The digest that was in the image field when the rollout was written down, where the field named one.
    pub fn replaced_digest(&self) -> Option<Digest> {
        self.replaces.as_ref()?.parse::<ImageReference>().ok()?.digest().cloned()
    }
}

/// A rollout that ended.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its number.
    pub id: RolloutId,
    /// What it did.
    pub kind: Kind,
    /// Its end: Succeeded, RolledBack or Failed.
    pub phase: Phase,
    /// Where it went.
    pub release: Release,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Release>,
    /// When it was written down.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it began.
    pub trigger: Trigger,
    /// Who began it.
    pub by: Actor,
    /// What happened, for people.
    pub message: String,
}

/// Whether a history is not worth writing.
pub(crate) fn no_attempts(history: &Arc<Vec<Attempt>>) -> bool {
    history.is_empty()
}

/// What a history shows to have been good, newest first, each with the time at which it was deployed: what
/// succeeded, and what a rollout that succeeded came from (trusted without a rollout of its own, perhaps).
/// A release may come more than once.
pub fn proven(history: &[Attempt]) -> impl Iterator<Item = (&Release, Timestamp)> {
    let succeeded = || history.iter().filter(|attempt| attempt.phase == Phase::Succeeded);
    succeeded().flat_map(move |attempt| {
        let deployed_at = |previous: &Release| {
            succeeded()
                .filter(|other| other.ended_at <= attempt.started_at)
                .find(|other| other.release.digest == previous.digest)
                .map_or(attempt.started_at, |other| other.ended_at)
        };
        let before = attempt.previous.as_ref().map(|previous| (previous, deployed_at(previous)));
        std::iter::once((&attempt.release, attempt.ended_at)).chain(before)
    })
}

/// A release that must not be deployed again by the engine, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Which.
    pub digest: Digest,
    /// All that is known of it, so that a candidate can be compared with it.
    pub release: Release,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub by: Actor,
}

/// All that one auto-deploy remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What runs, once it has been seen complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Deployed>,
    /// What ran last and passed everything: where automatic rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Deployed>,
    /// Releases that the engine must not deploy, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The rollout at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Box<Rollout>>,
    /// Rollouts that ended, newest first, at most `historyLimit`. The status shares them.
    #[serde(default, skip_serializing_if = "no_attempts")]
    pub history: Arc<Vec<Attempt>>,
    /// How many rollouts there have been.
    #[serde(default)]
    pub rollouts: u64,
    /// The digest that the engine wrote last, until somebody else writes another: what tells a person's change
    /// from our own, and a tag that was put back over our digest from one that never had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Digest>,
    /// Requests of people that have been obeyed or refused already: the newest 50, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub handled: VecDeque<RequestId>,
}

impl Record {
    /// The rollout at work, which is at work no more until it is put back.
    pub(crate) fn take_rollout(&mut self) -> Option<Rollout> {
        self.rollout.take().map(|rollout| *rollout)
    }

    /// Starts the clocks of the rollout at work anew. To be called once by a home whose replicas died with the
    /// engine and start from nothing with it: they are owed their whole time again.
    pub fn home_started(&mut self, now: Timestamp) {
        if let Some(rollout) = &mut self.rollout {
            rollout.phase_since = now;
            rollout.applied_at = rollout.applied_at.map(|_| now);
            rollout.healthy_since = None;
            rollout.restarts_at_bake = 0;
        }
    }

    /// The hold on this digest, if there is one.
    pub fn hold_on(&self, digest: &Digest) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.digest == *digest)
    }
}
