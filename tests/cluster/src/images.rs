use std::path::Path;

use anyhow::{Context as _, ensure};
use mercurious_trials::Program;

use crate::cluster::Facts;

/// The registry that the cluster pulls from.
#[derive(Clone, Debug)]
pub struct Images {
    push: String,
    pull: String,
}

impl Images {
    pub(crate) fn of(facts: &Facts) -> Self {
        Self { push: facts.push.clone(), pull: facts.registry.clone() }
    }

    /// Where pods find this repository.
    pub fn pulled(&self, repository: &str) -> String {
        format!("{}/{repository}", self.pull)
    }

    /// Where it is pushed to from here.
    pub fn pushed(&self, repository: &str) -> String {
        format!("{}/{repository}", self.push)
    }

    /// Makes an image of this binary with `mercurious publish` and pushes it; its digest.
    pub async fn publish(
        &self,
        program: &Program,
        binary: &Path,
        repository: &str,
        flags: &[&str],
    ) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::from(program.command());
        command
            .args(["publish", "--output", "json", "--repository", &self.pushed(repository)])
            .arg("--binary")
            .arg(binary)
            .args(flags)
            .kill_on_drop(true);
        let output = command.output().await.context("cannot publish")?;
        ensure!(
            output.status.success(),
            "publishing {repository}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(answer["digest"].as_str().context("no digest")?.to_owned())
    }

    /// An image of the example server that answers this version, with variables of its own; its digest.
    pub async fn publish_example(
        &self,
        program: &Program,
        repository: &str,
        version: &str,
        variables: &[&str],
    ) -> anyhow::Result<String> {
        let version_variable = format!("EXAMPLE_VERSION={version}");
        let mut flags = vec!["--arg", "example-server", "--tag", version, "--tag", "latest"];
        for variable in [&version_variable, "EXAMPLE_ADDRESS=0.0.0.0"].iter().chain(variables) {
            flags.extend(["--env", variable]);
        }
        self.publish(program, program.path(), repository, &flags).await
    }
}
