use std::{fs::File, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_cluster::{Cluster, Namespace};
use mercurious_core::image::Digest;
use mercurious_trials::{Program, free_address};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

const TOKEN: &str = "a-token-for-measurements-0123";
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// `mercurious controller` over one namespace, which is told of pushes into one repository.
pub(crate) struct ToldController {
    repository: String,
    hooks: String,
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
        let (token, receivers) = (place.path().join("token"), place.path().join("receivers.yaml"));
        std::fs::write(&token, TOKEN)?;
        let receiver = format!(
            "receivers: [{{ name: it, type: generic, proof: path, secret: {{ file: {} }}, repositories: ['{repository}'] }}]",
            token.display()
        );
        std::fs::write(&receivers, receiver)?;
        let hooks = free_address()?.to_string();
        let process = Command::from(program.command())
            .args(["controller", "--listen", "127.0.0.1:0", "--hooks-listen", &hooks, "--hooks"])
            .arg(&receivers)
            .args(["--namespace", namespace.name(), "--image-namespace", namespace.name()])
            .arg("--kubeconfig")
            .arg(&cluster.facts().kubeconfig)
            .stdin(Stdio::null())
            .stderr(File::create(place.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { repository: repository.to_owned(), hooks, place, _process: process })
    }

    /// All that it said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    /// Tells it that something was pushed.
    pub(crate) async fn notify(&self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        // It may not listen yet.
        let mut stream = loop {
            match TcpStream::connect(&self.hooks).await {
                Ok(stream) => break stream,
                Err(error) => ensure!(Instant::now() < end, "no receiver: {error}"),
            }
            sleep(PAUSE).await;
        };
        let body = format!(r#"{{"image":"{}:latest"}}"#, self.repository);
        let request = format!(
            "POST /hooks/it/{TOKEN} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.hooks,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.starts_with("HTTP/1.1 202"), "the notification was answered: {answer}");
        Ok(())
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
