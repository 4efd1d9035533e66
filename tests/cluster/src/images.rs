use std::path::Path;

use anyhow::{Context as _, ensure};
use mercurious_core::image::Digest;
use mercurious_trials::{Image, Pattern, Program};
use tokio::sync::OnceCell;

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
    ) -> anyhow::Result<Digest> {
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
        Ok(answer["digest"].as_str().context("no digest")?.parse()?)
    }

    /// Pushes an image of the example server, made once with `mercurious publish`; its digest.
    pub async fn push(
        &self,
        program: &Program,
        repository: &str,
        image: Image,
    ) -> anyhow::Result<Digest> {
        let pattern = PATTERN.get_or_try_init(|| self.pattern(program)).await?;
        pattern.push(&self.pushed(repository), &image.with("EXAMPLE_ADDRESS", "0.0.0.0")).await
    }

    /// The `number`-th in time, with nothing left of its layer in the registry of a cluster of ours: who asks for the
    /// image finds it, and no node can pull it.
    pub async fn push_without_layer(
        &self,
        program: &Program,
        place: &Path,
        repository: &str,
        number: u32,
    ) -> anyhow::Result<Digest> {
        let blob = |digest: &str| {
            let hex = digest.trim_start_matches("sha256:");
            place.join("registry/blobs/sha256").join(&hex[..2]).join(hex)
        };
        let binary = tempfile::NamedTempFile::new()?;
        let mut content = std::fs::read("/bin/true")?;
        // A layer that no node has.
        content.extend_from_slice(format!("{repository} {number}").as_bytes());
        std::fs::write(binary.path(), content)?;
        let image = Image::good(number);
        let (commit, created) = (image.commit(), image.created().to_string());
        let flags = ["--commit", &commit, "--tag", "latest", "--created", &created];
        let pushed = self.publish(program, binary.path(), repository, &flags).await?;
        let manifest = std::fs::read_to_string(blob(&pushed.to_string()))?;
        let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
        let layer = manifest["layers"][0]["digest"].as_str().context("no layer")?;
        std::fs::remove_file(blob(layer))?;
        Ok(pushed)
    }

    async fn pattern(&self, program: &Program) -> anyhow::Result<Pattern> {
        const NAME: &str = "cluster/example";
        let flags = ["--arg", "example-server"];
        self.publish(program, program.path(), NAME, &flags).await?;
        Pattern::read(&self.pushed(NAME), "latest").await
    }

    /// A pattern of images that are small and never run.
    pub async fn small_pattern(&self, program: &Program) -> anyhow::Result<Pattern> {
        const NAME: &str = "cluster/small";
        self.publish(program, Path::new("/bin/true"), NAME, &[]).await?;
        Pattern::read(&self.pushed(NAME), "latest").await
    }
}

/// Making an image is the dearest part of a test: each test program does it once.
static PATTERN: OnceCell<Pattern> = OnceCell::const_new();
