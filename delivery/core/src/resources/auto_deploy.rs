use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AutoDeployStatus, CheckSpec, ImageRepositoryRef, Metadata};
use crate::duration::Span;

/// The wish that a workload follow a policy (`mercurious.dev/v1alpha1`).
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoDeploy {
    /// `mercurious.dev/v1alpha1`
    pub api_version: String,
    /// `AutoDeploy`
    pub kind: String,
    /// Name and namespace.
    pub metadata: Arc<Metadata>,
    /// The wish.
    pub spec: Arc<AutoDeploySpec>,
    /// What is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Arc<AutoDeployStatus>>,
}

/// The wish.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoDeploySpec {
    /// The workload, in the auto-deploy's namespace.
    pub target: TargetRef,
    /// The container; may be left out where just one container runs this repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The ImagePolicy that says which image is the newest.
    pub policy_ref: ImageRepositoryRef,
    /// Nothing moves by itself while this is true.
    #[serde(default)]
    pub suspend: bool,
    /// Time limits.
    #[serde(default)]
    pub rollout: RolloutSpec,
    /// Questions whose answers a rollout needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// Going back.
    #[serde(default)]
    pub rollback: RollbackSpec,
    /// How many ended rollouts are remembered.
    #[serde(default = "twenty")]
    pub history_limit: usize,
}

fn twenty() -> usize {
    20
}

/// A workload in the same namespace.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRef {
    /// `Deployment`
    #[serde(default = "deployment")]
    pub kind: String,
    /// Its name.
    pub name: String,
}

fn deployment() -> String {
    "Deployment".to_owned()
}

/// Time limits of a rollout.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSpec {
    /// From patch to complete, whatever the workload's own deadline says.
    pub timeout: Span,
    /// How long everything must stay healthy before success is announced.
    pub bake: Span,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self { timeout: Span::seconds(300), bake: Span::seconds(30) }
    }
}

/// Going back.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RollbackSpec {
    /// Whether a failed rollout goes back by itself.
    pub automatic: bool,
}

impl Default for RollbackSpec {
    fn default() -> Self {
        Self { automatic: true }
    }
}
