use std::{fs::File, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_cluster::{Cluster, Namespace};
use mercurious_core::image::Digest;
use mercurious_trials::{Program, ToldReceiver};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// `mercurious controller` over one namespace, which is told of pushes into one repository.
pub(crate) struct ToldController {
    receiver: ToldReceiver,
    place: TempDir,
    _process: Child,
}

impl ToldController {
    pub(crate) fn start(
        program: &Program,
        cluster: &Cluster,
        namespace: &Namespace,
        repository: &str,
    ) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let receiver = ToldReceiver::write(place.path(), repository)?;
        let process = Command::from(program.command())
            .args(["controller", "--listen", "127.0.0.1:0"])
            .args(receiver.arguments())
            .args(["--namespace", namespace.name(), "--image-namespace", namespace.name()])
            .arg("--kubeconfig")
            .arg(&cluster.facts().kubeconfig)
            .stdin(Stdio::null())
            .stderr(File::create(place.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { receiver, place, _process: process })
    }

    /// All that it said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    /// Tells it that something was pushed.
    pub(crate) async fn notify(&self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        // It may not listen yet.
        while let Err(error) = TcpStream::connect(self.receiver.address()).await {
            ensure!(Instant::now() < end, "no receiver: {error}");
            sleep(PAUSE).await;
        }
        self.receiver.notify().await.map(drop)
    }

    /// Waits until the rollout of this release has ended; how it did.
    pub(crate) async fn ended(
        &self,
        namespace: &Namespace,
        digest: &Digest,
    ) -> anyhow::Result<String> {
        const LAST: &str = "get autodeploy example \
            --output=jsonpath={.status.history[0].release.digest},{.status.history[0].phase}";
        let wanted = format!("{digest},");
        let said = namespace
            .until("the rollout's end", LAST, |said| said.starts_with(&wanted))
            .await
            .with_context(|| self.log())?;
        Ok(said[wanted.len()..].to_owned())
    }
}
