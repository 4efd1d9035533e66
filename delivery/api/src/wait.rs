//! Waiting for rollouts to end.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use mercurious_core::{duration::Span, resources::ObjectName};
use mercurious_engine::{AskError, AutoDeployView};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    Problem,
    read::Name,
    server::{Answer, ApiServer},
    types::NamePath,
};

/// How long to wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Patience {
    /// How long at most, as `90s` or `15m`
    #[serde(default = "quarter")]
    timeout: Span,
}

/// Which, and how long to wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SyncQuery {
    /// How long at most, as `90s` or `15m`
    #[serde(default = "quarter")]
    timeout: Span,
    /// Only these, separated by commas: a name alone where it is unambiguous, or `namespace/name`
    #[serde(default)]
    names: String,
}

fn quarter() -> Span {
    Span::seconds(15 * 60)
}

/// Nobody waits longer, whatever is asked.
const LONGEST: Duration = Duration::from_hours(24);

/// Waits until no rollout of this auto-deploy is at work
#[utoipa::path(get, path = "/api/v1/auto-deploys/{namespace}/{name}/settled", params(NamePath, Patience), responses((status = 200, description = "The auto-deploy with no rollout at work", body = AutoDeployView)))]
pub(crate) async fn settled(
    State(api): State<ApiServer>,
    path: Name,
    query: Result<Query<Patience>, QueryRejection>,
) -> Answer<Arc<AutoDeployView>> {
    let Query(Patience { timeout }) = query?;
    let name = api.named(path)?;
    Ok(Json(api.until(&name, timeout.0.min(LONGEST), is_settled).await?))
}

/// Looks at repositories, then waits until no rollout is at work
#[utoipa::path(post, path = "/api/v1/sync", params(SyncQuery), responses((status = 200, description = "The auto-deploys with no rollout at work", body = Vec<AutoDeployView>)))]
pub(crate) async fn sync(
    State(api): State<ApiServer>,
    query: Result<Query<SyncQuery>, QueryRejection>,
) -> Answer<Vec<Arc<AutoDeployView>>> {
    let Query(SyncQuery { timeout, names: asked }) = query?;
    let timeout = timeout.0.min(LONGEST);
    let deadline = Instant::now() + timeout;
    let mut names = asked
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| api.handle.find(name))
        .collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        names = api.handle.names();
    }
    let scans = futures::future::try_join_all(names.iter().map(|name| api.handle.scan(name)));
    let Ok(scans) = tokio::time::timeout_at(deadline, scans).await else {
        let detail = format!("not every registry had answered after {}", Span(timeout));
        return Err(Problem::late(detail));
    };
    scans?;
    let mut views = Vec::with_capacity(names.len());
    for name in &names {
        let left = deadline.saturating_duration_since(Instant::now());
        views.push(api.until(name, left, is_settled).await?);
    }
    Ok(Json(views))
}

fn is_settled(view: &AutoDeployView) -> bool {
    view.object.status.as_ref().is_none_or(|status| status.rollout.is_none())
}

impl ApiServer {
    /// Waits, within bounds, for an auto-deploy to be as wanted.
    pub(crate) async fn until(
        &self,
        name: &ObjectName,
        patience: Duration,
        wanted: impl Fn(&AutoDeployView) -> bool,
    ) -> Result<Arc<AutoDeployView>, Problem> {
        let mut view = self.handle.follow(name)?;
        let found = view.wait_for(|view| view.as_ref().is_some_and(|view| wanted(view)));
        let late = match tokio::time::timeout(patience, found).await {
            Ok(Ok(view)) => return Ok(view.clone().ok_or(AskError::Stopping)?),
            Ok(Err(_)) => return Err(AskError::Stopping.into()),
            Err(_) => Span(patience),
        };
        let now = view.borrow().clone();
        let message = now.map(|view| view.decision.message.clone()).unwrap_or_default();
        Err(Problem::late(format!("{name} is still at work after {late}: {message}; it goes on")))
    }
}
