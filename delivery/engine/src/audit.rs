use jiff::Timestamp;
use mercurious_core::{
    decide::Reason,
    image::Digest,
    resources::ObjectName,
    rollout::{Phase, RolloutId},
};
use serde::{Deserialize, Serialize};

/// One line of the audit history: a decision that changed something, kept for good.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Which auto-deploy.
    pub auto_deploy: ObjectName,
    /// What was decided, as a code.
    pub reason: Reason,
    /// What was decided, in words.
    pub message: String,
    /// The rollout that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The phase after the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// What is to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// Who caused it.
    pub by: String,
}
