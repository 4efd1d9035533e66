use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use mercurious_core::image::Digest;
use mercurious_trials::Image;
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{example::Example, stage::Scene};

/// The example with a policy and an auto-deploy, steered by `mercurious sync`.
pub(crate) struct Steered {
    pub(crate) example: Example,
    scene: Scene,
}

/// A pass takes no longer, whatever it finds.
const PATIENCE: Duration = Duration::from_mins(3);

impl Steered {
    /// One that runs this image, pinned by a first pass.
    pub(crate) async fn start(scene: &Scene, stem: &str, image: Image) -> anyhow::Result<Self> {
        Self::checked(scene, stem, image, "[]").await
    }

    /// The same with these checks, in YAML; `URL` in them is where it answers.
    pub(crate) async fn checked(
        scene: &Scene,
        stem: &str,
        image: Image,
        checks: &str,
    ) -> anyhow::Result<Self> {
        let version = image.version.clone();
        let example = Example::start(scene, stem, image).await?;
        let checks = checks.replace("URL", &example.url().await?);
        example.namespace.kubectl().apply(&wish(&example.repository(), &checks)).await?;
        let steered = Self { example, scene: scene.clone() };
        steered.pass().await?.expect_code(0)?;
        steered.example.settled().await?;
        steered.example.answers(&version).await?;
        Ok(steered)
    }

    /// The command of one pass, in its own scope, under a Lease of its own.
    pub(crate) fn command(&self) -> Command {
        self.command_as(&self.scene.cluster().facts().kubeconfig)
    }

    /// The same as somebody else.
    pub(crate) fn command_as(&self, kubeconfig: &Path) -> Command {
        let namespace = self.example.namespace.name();
        let mut command = Command::from(self.scene.engine.command());
        command
            .args(["sync", "--namespace", namespace, "--lease", namespace, "--kubeconfig"])
            .arg(kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// One pass to its end.
    pub(crate) async fn pass(&self) -> anyhow::Result<Pass> {
        let output = timeout(PATIENCE, self.command().output()).await;
        Ok(Pass(output.context("a pass did not end")?.context("cannot run mercurious sync")?))
    }

    /// Whether the Deployment names this digest.
    pub(crate) async fn runs(&self, digest: &Digest) -> anyhow::Result<()> {
        let image = self.example.image().await?;
        ensure!(image.ends_with(&format!("@{digest}")), "{image} in the place of {digest}");
        Ok(())
    }

    /// The auto-deploy's status.
    pub(crate) async fn status(&self) -> anyhow::Result<Value> {
        let wish = self.example.namespace.kubectl().json("get autodeploy example").await?;
        Ok(wish["status"].clone())
    }

    /// Whether a hold keeps this digest from being deployed again.
    pub(crate) async fn holds(&self, digest: &Digest) -> anyhow::Result<()> {
        let status = self.status().await?;
        let held = status.to_string().contains("\"holds\"");
        let holds = status["holds"].as_array().into_iter().flatten();
        let named = holds.into_iter().any(|hold| hold["digest"] == digest.to_string());
        ensure!(held && named, "{digest} is not held: {status}");
        Ok(())
    }

    /// How often the Deployment's wish has changed.
    pub(crate) async fn generation(&self) -> anyhow::Result<u64> {
        let deployment = self.example.namespace.kubectl().json("get deployment example").await?;
        deployment["metadata"]["generation"].as_u64().context("no generation")
    }
}

/// What a pass said, and how it ended.
pub(crate) struct Pass(Output);

impl Pass {
    pub(crate) fn expect_code(&self, code: i32) -> anyhow::Result<()> {
        let ended = self.0.status;
        ensure!(
            ended.code() == Some(code),
            "a pass ended with {ended}, not {code}: {}",
            self.said()
        );
        Ok(())
    }

    /// All that it printed.
    pub(crate) fn said(&self) -> String {
        let output = &self.0;
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said)).concat()
    }
}

fn wish(repository: &str, checks: &str) -> String {
    // A pod that is ending may still answer for a moment: what is asked is asked again.
    let bake = if checks == "[]" { "3s" } else { "10s" };
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: example }}
spec: {{ image: '{repository}', interval: 1m0s, insecure: true }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: example }}
spec:
  imageRepositoryRef: {{ name: example }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: example }}
spec:
  target: {{ kind: Deployment, name: example }}
  container: app
  policyRef: {{ name: example }}
  rollout: {{ timeout: 60s, bake: {bake} }}
  checks: {checks}
"
    )
}
