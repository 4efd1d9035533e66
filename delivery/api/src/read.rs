//! What can be read of an engine.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
};
use mercurious_core::{resources::ObjectName, rollout::Attempt};
use mercurious_engine::{AuditEntry, AutoDeployView, Verification};

use crate::{
    Explanation, ManifestWarning, Problem,
    server::{Answer, ApiServer},
    types::{Limit, MOST, NamePath},
};

pub(crate) type Name = Result<Path<NamePath>, PathRejection>;

impl ApiServer {
    /// The auto-deploy that a path means.
    pub(crate) fn named(&self, path: Name) -> Result<ObjectName, Problem> {
        let Path(NamePath { namespace, name }) = path?;
        self.find(&namespace, &name)
    }

    pub(crate) fn find(&self, namespace: &str, name: &str) -> Result<ObjectName, Problem> {
        // `-` for the namespace means the one that has this name.
        let text = if namespace == "-" { name.to_owned() } else { format!("{namespace}/{name}") };
        self.handle.find(&text).map_err(|error| self.not_steered(namespace, name, error))
    }
}

/// All auto-deploys
#[utoipa::path(get, path = "/api/v1/auto-deploys", responses((status = 200, description = "Each as it is now", body = Vec<AutoDeployView>)))]
pub(crate) async fn list(State(api): State<ApiServer>) -> Answer<Vec<Arc<AutoDeployView>>> {
    Ok(Json(api.handle.list().await?))
}

/// One auto-deploy
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}", params(NamePath), responses((status = 200, description = "As it is now", body = AutoDeployView)))]
pub(crate) async fn show(State(api): State<ApiServer>, path: Name) -> Answer<Arc<AutoDeployView>> {
    let name = api.named(path)?;
    Ok(Json(api.handle.show(&name).await?))
}

/// Why it did, or did not, deploy
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/explain", params(NamePath), responses((status = 200, description = "The decision, and every tag with its reason", body = Explanation)))]
pub(crate) async fn explain(State(api): State<ApiServer>, path: Name) -> Answer<Explanation> {
    let name = api.named(path)?;
    let view = api.handle.show(&name).await?;
    Ok(Json(Explanation { auto_deploy: (*view).clone(), tags: api.handle.tag_choices(&name)? }))
}

/// Rollouts that ended
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/history", params(NamePath), responses((status = 200, description = "Newest first", body = Vec<Attempt>)))]
pub(crate) async fn history(State(api): State<ApiServer>, path: Name) -> Answer<Arc<Vec<Attempt>>> {
    let name = api.named(path)?;
    let view = api.handle.show(&name).await?;
    let status = view.object.status.as_ref();
    Ok(Json(status.map(|status| Arc::clone(&status.history)).unwrap_or_default()))
}

/// The checklist of a deployment, from evidence that is gathered now
///
/// The registry is asked for the tag, the checks are asked, and the new replicas' logs are read.
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/verify", params(NamePath), responses((status = 200, description = "Six boxes, each with its evidence", body = Verification)))]
pub(crate) async fn verify(State(api): State<ApiServer>, path: Name) -> Answer<Verification> {
    let name = api.named(path)?;
    Ok(Json(api.handle.verify(&name).await?))
}

/// Decisions that changed something
#[utoipa::path(get, path = "/api/v1/audit", params(Limit), responses((status = 200, description = "Newest first", body = Vec<AuditEntry>)))]
pub(crate) async fn audit(
    State(api): State<ApiServer>,
    query: Result<Query<Limit>, QueryRejection>,
) -> Answer<Vec<AuditEntry>> {
    let Query(query) = query?;
    Ok(Json(api.handle.audit(None, query.limit.min(MOST)).await?))
}

/// What is odd about the manifests
#[utoipa::path(get, path = "/api/v1/warnings", responses((status = 200, description = "In the order of the files", body = Vec<ManifestWarning>)))]
pub(crate) async fn warnings(State(api): State<ApiServer>) -> Json<Vec<ManifestWarning>> {
    Json(api.warnings.to_vec())
}
