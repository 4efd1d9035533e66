use jiff::Timestamp;
use mercurious_core::{
    decide::{Decision, Reason, WorkloadState},
    image::Repository,
    resources::{AutoDeploy, ObjectName},
};
use serde::{Deserialize, Serialize};

use crate::Target;

/// An auto-deploy as people and programs see it: the object with its status, and the newest decision.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoDeployView {
    /// The object: spec as written, status as it is.
    #[serde(flatten)]
    pub object: AutoDeploy,
    /// Whether it is suspended, by the spec or by a person.
    pub suspended: bool,
    /// The newest decision.
    pub decision: DecisionView,
    /// The workload that it steers.
    pub workload: WorkloadView,
    /// Where it looks.
    pub repository: RepositoryView,
    /// What is odd about the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What was decided last, and when it first was.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// As a code.
    pub reason: Reason,
    /// In words.
    pub message: String,
    /// What it waits on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<String>,
    /// Since when the decision has been this one.
    pub since: Timestamp,
}

impl DecisionView {
    pub(crate) fn new(decision: &Decision, before: Option<&Self>, now: Timestamp) -> Self {
        let since = match before {
            Some(before) if before.reason == decision.reason => before.since,
            _ => now,
        };
        Self {
            reason: decision.reason,
            message: decision.message.clone(),
            waiting_on: decision.waiting_on.clone(),
            since,
        }
    }
}

/// The workload as it was seen last.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadView {
    /// `Deployment`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The image field as written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How many replicas are wanted.
    pub desired: u32,
    /// How many run the newest spec.
    pub updated: u32,
    /// How many of those are ready.
    pub available: u32,
    /// How many replicas of any spec are ready: what serves now.
    #[serde(default)]
    pub ready: u32,
    /// How many there are in all.
    pub total: u32,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl WorkloadView {
    /// The workload of an auto-deploy as it was observed.
    pub fn of(target: &Target, state: &WorkloadState) -> Self {
        Self::new(&target.kind, &target.workload.name, state)
    }

    /// A workload as it was observed.
    pub fn new(kind: &str, name: &str, state: &WorkloadState) -> Self {
        let mut view = Self { kind: kind.to_owned(), name: name.to_owned(), ..Self::default() };
        match state {
            WorkloadState::Present(workload) => {
                view.image = Some(workload.image.clone());
                view.desired = workload.desired;
                view.updated = workload.updated;
                view.available = workload.available;
                view.ready = workload.ready;
                view.total = workload.total;
                view.problems = workload
                    .evidence
                    .iter()
                    .map(|evidence| format!("{}: {}", evidence.reason, evidence.message))
                    .collect();
            }
            WorkloadState::Missing { target } => {
                view.problems.push(format!("{target} does not exist"));
            }
            WorkloadState::NoContainer { message } | WorkloadState::Unreadable { message } => {
                view.problems.push(message.clone());
            }
        }
        view
    }
}

/// A place that is looked at.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryView {
    /// The ImageRepository's name.
    pub name: ObjectName,
    /// Where.
    pub repository: Repository,
    /// How many tags there are, less the excluded ones.
    pub tags: usize,
    /// When the last look ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Why the last look failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The policy in words.
    pub policy: String,
}
