use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    decide::Reason,
    image::{Commit, Digest, ImageReference, Tag},
    rollout::{Actor, Attempt, Kind, Phase, RolloutId},
};

/// What is: the objects that every `--output json` prints.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoDeployStatus {
    /// Ready, Progressing, Held, Stalled: kstatus-compatible.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<ReleaseStatus>,
    /// What ran last and passed everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<ReleaseStatus>,
    /// What the policy selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateStatus>,
    /// The hold that matters now: on the candidate, else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldStatus>,
    /// All holds, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldStatus>,
    /// The rollout at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Box<RolloutStatus>>,
    /// Rollouts that ended, newest first.
    #[serde(default, skip_serializing_if = "crate::rollout::no_attempts")]
    pub history: Arc<Vec<Attempt>>,
}

/// One observation about an object, as Kubernetes writes them.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// `Ready`, `Progressing`, `Held` or `Stalled`
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// A stable code: the decision's.
    pub reason: String,
    /// The reason in words.
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Timestamp,
}

/// Whether a condition holds.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

/// A release that serves or served.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseStatus {
    /// `repository[:tag]@digest`
    pub image: ImageReference,
    /// The digest alone.
    pub digest: Digest,
    /// The tag under which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The revision it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// When it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<Timestamp>,
    /// Since when it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What the policy selects.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CandidateStatus {
    /// `repository[:tag]@digest`
    pub image: ImageReference,
    /// The digest alone.
    pub digest: Digest,
    /// The tag under which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The revision it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// When it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<Timestamp>,
    /// By which order it was selected.
    pub order: String,
    /// Why this one.
    pub why: String,
}

/// A release that the engine must not deploy.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldStatus {
    /// Which.
    pub digest: Digest,
    /// The tag under which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub by: Actor,
}

/// The rollout at work.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutStatus {
    /// Its number.
    pub id: RolloutId,
    /// What it does.
    pub kind: Kind,
    /// Where it stands.
    pub phase: Phase,
    /// Where it goes.
    pub release: ReleaseStatus,
    /// Where it goes back to if it must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ReleaseStatus>,
    /// When it was written down.
    pub started_at: Timestamp,
    /// What it waits on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<String>,
    /// Why, as a code.
    pub reason: Reason,
}
