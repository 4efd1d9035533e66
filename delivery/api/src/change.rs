//! What people ask of an engine.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::StatusCode,
};
use mercurious_core::{
    decide::{Ask, Reason},
    image::Release,
    resources::ObjectName,
    rollout::Actor,
};
use mercurious_engine::{AskError, AutoDeployView};

use crate::{
    Change, Problem, Verb,
    server::{Answer, ApiServer, PATIENCE},
    types::ChangePath,
};

/// Asks something of an auto-deploy, and waits until it was handled
///
/// A rollout that begins goes on after the answer. What the engine refuses is answered by 409.
#[utoipa::path(post, path = "/api/v1/auto-deploys/{namespace}/{name}/{verb}", params(ChangePath), request_body = Change, responses((status = 200, description = "The auto-deploy, with the decision about what was asked", body = AutoDeployView)))]
pub(crate) async fn change(
    State(api): State<ApiServer>,
    path: Result<Path<ChangePath>, PathRejection>,
    body: Result<Json<Change>, JsonRejection>,
) -> Answer<Arc<AutoDeployView>> {
    let Path(ChangePath { namespace, name, verb }) = path?;
    let change = match body {
        Ok(Json(change)) => change,
        Err(JsonRejection::MissingJsonContentType(_)) => Change::default(),
        Err(error) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "body", error.body_text()));
        }
    };
    let name = api.find(&namespace, &name)?;
    let by = change.by.clone();
    let view = match verb {
        Verb::Scan => api.handle.scan(&name).await?,
        Verb::Suspend => api.suspend(&name).await?,
        Verb::Resume => api.resume(&name, change).await?,
        Verb::Deploy => {
            let release = api.release_or_candidate(&name, change.release).await?;
            api.ask(&name, Ask::Deploy(release), by).await?
        }
        Verb::Restart => api.ask(&name, Ask::Restart, by).await?,
        Verb::Rollback => {
            let release = api.release(&name, change.release).await?;
            api.ask(&name, Ask::Rollback(release), by).await?
        }
        Verb::Hold => {
            let release = api.release(&name, change.release).await?;
            api.ask(&name, Ask::hold(release, change.reason.as_deref()), by).await?
        }
    };
    Ok(Json(view))
}

impl ApiServer {
    /// Asks, waits until it was handled, and tells how.
    async fn ask(
        &self,
        name: &ObjectName,
        ask: Ask,
        by: Option<String>,
    ) -> Result<Arc<AutoDeployView>, Problem> {
        let by = Actor(by.filter(|by| !by.is_empty()).unwrap_or_else(|| "a person".to_owned()));
        let (id, answered) = self.handle.ask(name, ask, by).await?;
        let decision = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(_)) => return Err(AskError::Stopping.into()),
            Err(_) => {
                let detail = format!(
                    "the request {} is written down and will be obeyed, but was not within {PATIENCE:?}",
                    id.0
                );
                return Err(Problem::late(detail));
            }
        };
        if decision.reason == Reason::Refused {
            return Err(Problem::new(StatusCode::CONFLICT, "refused", decision.message));
        }
        let mut view = (*self.handle.show(name).await?).clone();
        view.decision = decision;
        Ok(Arc::new(view))
    }

    async fn suspend(&self, name: &ObjectName) -> Result<Arc<AutoDeployView>, Problem> {
        self.handle.suspend(name, true).await?;
        self.until(name, PATIENCE, |view| view.suspended).await
    }

    async fn resume(
        &self,
        name: &ObjectName,
        change: Change,
    ) -> Result<Arc<AutoDeployView>, Problem> {
        if let Some(release) = self.release(name, change.release).await? {
            return self.ask(name, Ask::Resume(Some(release.digest)), change.by).await;
        }
        if !self.handle.show(name).await?.suspended {
            return self.ask(name, Ask::Resume(None), change.by).await;
        }
        // A suspension is for a while, a hold is for a release: ending the one does not try the other again.
        self.handle.suspend(name, false).await?;
        let mut view = (*self.until(name, PATIENCE, |view| !view.suspended).await?).clone();
        let holds = view.object.status.as_ref().map_or(0, |status| status.holds.len());
        view.decision.message = match holds {
            0 => "not suspended any more".to_owned(),
            held => format!("not suspended any more; {held} held, which `resume` again would lift"),
        };
        Ok(Arc::new(view))
    }

    async fn release(
        &self,
        name: &ObjectName,
        text: Option<String>,
    ) -> Result<Option<Box<Release>>, Problem> {
        match text {
            Some(text) => Ok(Some(Box::new(self.handle.release(name, &text).await?))),
            None => Ok(None),
        }
    }

    /// The release that is named, or what the policy selects now.
    async fn release_or_candidate(
        &self,
        name: &ObjectName,
        text: Option<String>,
    ) -> Result<Box<Release>, Problem> {
        if let Some(release) = self.release(name, text).await? {
            return Ok(release);
        }
        let view = self.handle.scan(name).await?;
        let status = view.object.status.as_ref();
        let Some(candidate) = status.and_then(|status| status.candidate.as_ref()) else {
            let detail = format!("there is nothing to deploy: {}", view.decision.message);
            return Err(Problem::new(StatusCode::CONFLICT, "no-candidate", detail));
        };
        Ok(Box::new(self.handle.release(name, &candidate.digest.to_string()).await?))
    }
}
