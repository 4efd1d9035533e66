use std::collections::BTreeSet;

use mercurious_core::{image::Release, resources::ObjectName, rollout::proven};
use mercurious_engine::AutoDeployView;
use serde::Serialize;

use super::session::{Session, status_of};
use crate::output::{print, print_json, say, table};

/// A release that an auto-deploy could go back to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Return {
    auto_deploy: ObjectName,
    release: Release,
    deployed_at: jiff::Timestamp,
    held: bool,
}

impl Session<'_> {
    pub(super) async fn list_returns(&self, name: Option<&str>) -> anyhow::Result<()> {
        let views = match name {
            Some(name) => vec![self.client.show(name).await?],
            None => self.client.list().await?,
        };
        let returns: Vec<Return> = views.iter().flat_map(returns).collect();
        if self.json() {
            return print_json(&returns);
        }
        if returns.is_empty() {
            say("there is nothing to go back to yet");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = returns
            .iter()
            .map(|it| {
                vec![
                    it.auto_deploy.to_string(),
                    it.release.nickname(),
                    it.release.digest.short().to_owned(),
                    it.deployed_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                    if it.held { "held" } else { "" }.to_owned(),
                ]
            })
            .collect();
        print(&table(&["NAME", "RELEASE", "DIGEST", "DEPLOYED", ""], &rows))?;
        say("go back with `mercurious rollback NAME --to RELEASE`");
        Ok(())
    }
}

/// Everything that was good once and does not run now, newest first.
fn returns(view: &AutoDeployView) -> Vec<Return> {
    let status = status_of(view);
    let mut seen: BTreeSet<_> =
        status.running.iter().map(|running| running.digest.clone()).collect();
    let mut found = Vec::new();
    for (release, deployed_at) in proven(&status.history) {
        if seen.insert(release.digest.clone()) {
            found.push(Return {
                auto_deploy: view.object.metadata.object_name(),
                held: status.holds.iter().any(|hold| hold.digest == release.digest),
                release: release.clone(),
                deployed_at,
            });
        }
    }
    found
}
