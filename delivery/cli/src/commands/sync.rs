use std::{collections::BTreeMap, time::Duration};

use mercurious_api::Verb;
use mercurious_core::{
    decide::Reason,
    rollout::{Actor, Phase},
};
use mercurious_engine::AutoDeployView;

use super::session::{Session, by, name_of, status_of};
use crate::{
    failure::Failure,
    output::{print, print_json, say},
};

impl Session<'_> {
    pub(super) async fn sync(&self, names: &[String], timeout: Duration) -> anyhow::Result<()> {
        let before: BTreeMap<String, Option<u64>> = self
            .client
            .list()
            .await?
            .iter()
            .map(|view| (name_of(view), newest_attempt(view)))
            .collect();
        let views = self.client.sync(names, timeout).await?;
        if self.json() {
            print_json(&views)?;
        }
        let mut failed = Vec::new();
        for view in &views {
            let (name, message) = (name_of(view), &view.decision.message);
            // Nothing to say where nothing changed.
            let changed = before.get(&name) != Some(&newest_attempt(view));
            if changed && !self.json() {
                print(&format!("{name}: {message}\n"))?;
            }
            let last = status_of(view).history.first().cloned();
            let fell_back = changed && last.is_some_and(|last| last.phase != Phase::Succeeded);
            if fell_back || is_trouble(view) {
                failed.push(format!("{name}: {message}"));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(Failure::no(failed.join("\n"))) }
    }

    /// One after the other: the next begins when the one before has succeeded.
    pub(super) async fn restart_all(&self, timeout: Duration) -> anyhow::Result<()> {
        let mut ended = Vec::new();
        for view in self.client.list().await? {
            let name = name_of(&view);
            say(format!("restarting {name}"));
            self.client.change(&name, Verb::Restart, &by()).await?;
            let view = self.client.settled(&name, timeout).await?;
            let last = status_of(&view).history.first().cloned();
            if last.is_some_and(|attempt| attempt.phase != Phase::Succeeded) {
                return Err(Failure::no(format!(
                    "{name}: {}; the rest was not restarted",
                    view.decision.message
                )));
            }
            ended.push(view);
        }
        if self.json() { print_json(&ended) } else { Ok(()) }
    }
}

/// Whether somebody must come to its help. A person's own hold is as the person wants it; that the newest release was
/// taken back is trouble however long ago that was.
fn is_trouble(view: &AutoDeployView) -> bool {
    let status = status_of(view);
    let taken_back = status.candidate.as_ref().is_some_and(|candidate| {
        status
            .holds
            .iter()
            .any(|hold| hold.digest == candidate.digest && hold.by == Actor::engine())
    });
    taken_back
        || !view.workload.problems.is_empty()
        || matches!(
            view.decision.reason,
            Reason::LookFailed
                | Reason::ImageUnusable
                | Reason::PolicyEmpty
                | Reason::Degraded
                | Reason::Failed
                | Reason::RolledBack
                | Reason::WorkloadMissing
                | Reason::ContainerMissing
                | Reason::ForeignRepository
        )
}

fn newest_attempt(view: &AutoDeployView) -> Option<u64> {
    status_of(view).history.first().map(|attempt| attempt.id.0)
}
