use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use mercurious_cluster::Namespace;
use mercurious_runtime::Tasks;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::stage::Scene;

/// `mercurious controller` as a process on this machine.
pub(crate) struct Controller {
    child: Child,
    said: watch::Receiver<String>,
}

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

impl Controller {
    /// One over these namespaces, auto-deploys and image objects alike; its Lease is in the first.
    pub(crate) async fn start(
        scene: &Scene,
        namespaces: &[&Namespace],
        flags: &[&str],
    ) -> anyhow::Result<Self> {
        let kubeconfig = scene.cluster().facts().kubeconfig.clone();
        let controller = Self::start_as(scene, namespaces, flags, &kubeconfig).await?;
        controller.says("leads").await?;
        Ok(controller)
    }

    /// The same as somebody else. It may stand by.
    pub(crate) async fn start_as(
        scene: &Scene,
        namespaces: &[&Namespace],
        flags: &[&str],
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let first = namespaces.first().context("no namespace")?.name();
        let mut command = Command::from(scene.engine.command());
        command
            .args(["controller", "--log", "info", "--listen", "127.0.0.1:0"])
            .args(["--lease-namespace", first, "--lease-seconds", "10"])
            .args(flags)
            .arg("--kubeconfig")
            .arg(kubeconfig);
        for namespace in namespaces {
            command.args(["--namespace", namespace.name(), "--image-namespace", namespace.name()]);
        }
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let log = child.stderr.take().context("no log")?;
        let (says, said) = watch::channel(String::new());
        let tasks = Tasks::new();
        tasks.spawn("log", async move {
            let mut lines = BufReader::new(log).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                says.send_modify(|said| *said += &format!("{line}\n"));
            }
        });
        let controller = Self { child, said };
        controller.says_any(&["leads", "stands by"]).await?;
        Ok(controller)
    }

    /// Waits until its log says this.
    pub(crate) async fn says(&self, what: &str) -> anyhow::Result<()> {
        self.says_any(&[what]).await
    }

    async fn says_any(&self, what: &[&str]) -> anyhow::Result<()> {
        let mut said = self.said.clone();
        let is_said = |said: &String| what.iter().any(|what| said.contains(what));
        let heard = timeout(PATIENCE, said.wait_for(is_said)).await;
        match heard {
            Ok(Ok(_)) => Ok(()),
            _ => bail!("the controller did not say {what:?}:\n{}", *self.said.borrow()),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// As a node that loses power would.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// As Kubernetes ends it; nothing it said may be an error.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let process = self.child.id().context("it has ended")?;
        kill(Pid::from_raw(process.try_into()?), Signal::SIGTERM)?;
        let ended = timeout(PATIENCE, self.child.wait()).await.context("it did not end")??;
        let said = self.said.borrow().clone();
        ensure!(ended.success(), "the controller ended with {ended}:\n{said}");
        // The level is the second word of a line; what a pod said may stand behind.
        let complains = said.lines().any(|line| line.split_whitespace().nth(1) == Some("ERROR"));
        ensure!(!complains, "the controller complained:\n{said}");
        Ok(())
    }
}
