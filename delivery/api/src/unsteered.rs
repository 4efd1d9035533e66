//! Workloads of this home that no auto-deploy steers.

use axum::{Json, extract::State};
use mercurious_core::resources::ObjectName;
use mercurious_engine::{AskError, WorkloadView, ports::LogTail};
use serde::{Deserialize, Serialize};

use crate::{Problem, server::ApiServer};

/// A workload that runs what its manifest says: no auto-deploy names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsteeredWorkload {
    /// Its namespace.
    pub namespace: String,
    /// As it is now.
    #[serde(flatten)]
    pub workload: WorkloadView,
}

/// Where a home tells of such workloads.
pub trait UnsteeredWorkloads: Send + Sync {
    /// Each as it is now.
    fn list(&self) -> Vec<UnsteeredWorkload>;

    /// What the replicas of one print; nothing where there is none of that name.
    fn log_tail(&self, name: &ObjectName, limit: usize) -> Option<LogTail>;
}

impl ApiServer {
    /// The log of an auto-deploy's workload, or of a workload without one.
    pub(crate) async fn log_tail(
        &self,
        namespace: &str,
        name: &str,
        limit: usize,
    ) -> Result<LogTail, Problem> {
        match self.find(namespace, name) {
            Ok(found) => Ok(self.handle.log_tail(&found, limit).await?),
            Err(problem) => self
                .unsteered_name(namespace, name)
                .and_then(|name| self.unsteered.log_tail(&name, limit))
                .ok_or(problem),
        }
    }

    /// The one workload without an auto-deploy that this can mean.
    fn unsteered_name(&self, namespace: &str, name: &str) -> Option<ObjectName> {
        let fits = |it: &UnsteeredWorkload| {
            it.workload.name == name && (namespace == "-" || it.namespace == namespace)
        };
        let mut found = self.unsteered.list().into_iter().filter(fits);
        let one = found.next()?;
        found.next().is_none().then(|| ObjectName::new(&one.namespace, name))
    }

    /// Why an auto-deploy was not found: where there is a workload of that name, the missing AutoDeploy is what
    /// the person needs to hear of.
    pub(crate) fn not_steered(&self, namespace: &str, name: &str, error: AskError) -> Problem {
        let problem = Problem::from(error);
        match self.unsteered_name(namespace, name) {
            Some(found) if problem.code == "no-auto-deploy" => Problem {
                detail: format!(
                    "no AutoDeploy steers Deployment {found}: it runs what its manifest says; write an AutoDeploy \
                     whose spec.target names it"
                ),
                ..problem
            },
            _ => problem,
        }
    }
}

/// Workloads that no auto-deploy steers
#[utoipa::path(get, path = "/api/v1/unsteered-workloads", responses((status = 200, description = "Each as it is now", body = Vec<UnsteeredWorkload>)))]
pub(crate) async fn list(State(api): State<ApiServer>) -> Json<Vec<UnsteeredWorkload>> {
    Json(api.unsteered.list())
}
