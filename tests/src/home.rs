use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use mercurious_api::ApiClient;
use mercurious_core::{image::Digest, rollout::Phase};
use mercurious_engine::AutoDeployView;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    Image, Process, Program, Wish,
    marked::{self, marked},
    ran,
    wish::Places,
};

/// A running `mercurious up`.
#[derive(Debug)]
pub struct Home {
    program: Program,
    place: TempDir,
    /// Where the embedded registry listens.
    pub registry: SocketAddr,
    /// Where the example server's Service listens.
    pub service: SocketAddr,
    /// What the manifests say; another wish is heard at the next start.
    pub wish: Wish,
    /// More arguments of `up`.
    pub arguments: Vec<String>,
    mark: String,
    child: Option<Child>,
}

/// Nothing that is waited for takes longer, on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// How often is looked.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

impl Home {
    /// The auto-deploy's name.
    pub const NAME: &str = "app/example";

    /// Starts one, and waits until its API answers.
    pub async fn start(program: &Program, wish: Wish) -> anyhow::Result<Self> {
        let mut home = Self::new(program, wish)?;
        home.resume().await?;
        Ok(home)
    }

    /// One that does not run yet.
    pub fn new(program: &Program, wish: Wish) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("mercurious-trial-").tempdir()?;
        Ok(Self {
            program: program.clone(),
            registry: free_address()?,
            service: free_address()?,
            mark: format!("trial-{:016x}", fastrand::u64(..)),
            place,
            wish,
            arguments: Vec::new(),
            child: None,
        })
    }

    /// Starts it again on the same data directory.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        self.ready().await
    }

    /// Starts it again, and does not wait.
    pub fn launch(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "it runs already");
        let places = Places { registry: self.registry, service: self.service, mark: &self.mark };
        std::fs::write(self.manifests(), self.wish.manifests(places))?;
        let mut command = self.up(self.registry);
        command
            .env("EXAMPLE_MARK", &self.mark)
            .stdin(Stdio::null())
            .stdout(self.log_file()?)
            .stderr(self.log_file()?);
        self.child = Some(command.spawn().context("cannot start `mercurious up`")?);
        Ok(())
    }

    fn manifests(&self) -> PathBuf {
        self.place.path().join("manifests.yaml")
    }

    /// The command that starts an engine on this home's data directory.
    pub fn up(&self, registry: SocketAddr) -> std::process::Command {
        let mut command = self.command(&["up"]);
        command
            .arg("-f")
            .arg(self.manifests())
            .arg("--registry-listen")
            .arg(registry.to_string())
            .args(["--listen", "127.0.0.1:0"])
            .args(&self.arguments);
        command
    }

    /// A command of the program with these words, on this home's data directory.
    pub fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.program.command();
        command.args(words).arg("--data-dir").arg(self.data());
        command
    }

    /// Waits until its API answers.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let client = self.client();
        let until = Instant::now() + PATIENCE;
        while client.list().await.is_err() {
            let child = self.child.as_mut().context("it does not run")?;
            if let Some(status) = child.try_wait()? {
                self.child = None;
                bail!("`mercurious up` ended with {status}:\n{}", self.log());
            }
            ensure!(Instant::now() < until, "it did not start:\n{}", self.log());
            sleep(PAUSE).await;
        }
        Ok(())
    }

    fn log_file(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.place.path().join("log"))
    }

    /// All that it said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// Talks to it.
    pub fn client(&self) -> ApiClient {
        ApiClient::new(&self.data())
    }

    /// The program that it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A directory for what belongs to this trial.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// The Service's URL of this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service)
    }

    /// The watched repository.
    pub fn repository(&self) -> String {
        self.repository_of(Wish::REPOSITORY)
    }

    /// Another repository in the same registry.
    pub(crate) fn repository_of(&self, path: &str) -> String {
        format!("{}/{path}", self.wish.registry.unwrap_or(self.registry))
    }

    /// Makes an image and pushes it, as a person would; its digest, and when the push was complete.
    pub async fn push(&self, image: &Image) -> anyhow::Result<(Digest, Instant)> {
        self.push_to(&self.repository(), image).await
    }

    pub(crate) async fn push_to(
        &self,
        repository: &str,
        image: &Image,
    ) -> anyhow::Result<(Digest, Instant)> {
        let mut command = tokio::process::Command::from(self.publish(repository, image)?);
        let output = command.kill_on_drop(true).output().await.context("cannot publish")?;
        let at = Instant::now();
        ensure!(
            output.status.success(),
            "publishing {}: {}",
            image.version,
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let digest = answer["digest"].as_str().context("no digest")?.parse()?;
        Ok((digest, at))
    }

    /// The command that makes an image and pushes it.
    pub fn publish(
        &self,
        repository: &str,
        image: &Image,
    ) -> anyhow::Result<std::process::Command> {
        let commit = image.commit();
        let mut command = self.program.command();
        command
            .args(["publish", "--output", "json", "--binary"])
            .arg(self.program.slim(self.place.path())?)
            .args(["--arg", "example-server", "--repository", repository])
            .args(["--commit", &commit, "--created", &image.created().to_string()])
            .args(["--tag", "latest"]);
        for variable in image.variables() {
            command.args(["--env", &variable]);
        }
        Ok(command)
    }

    /// Waits until the auto-deploy is as wanted.
    pub async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&AutoDeployView) -> bool,
    ) -> anyhow::Result<AutoDeployView> {
        let client = self.client();
        let until = Instant::now() + PATIENCE;
        loop {
            let view = client.show(Self::NAME).await;
            if let Ok(view) = &view
                && wanted(view)
            {
                return Ok(view.clone());
            }
            if Instant::now() >= until {
                let last =
                    view.map_or_else(|error| error.to_string(), |view| view.decision.message);
                bail!("waited in vain for {what}; the last decision: {last}\n{}", self.log());
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until a rollout of this release has ended so.
    pub async fn ended(&self, digest: &Digest, phase: Phase) -> anyhow::Result<AutoDeployView> {
        let what = format!("a rollout of {} to end {phase}", digest.short());
        self.until(&what, |view| ran(view, digest, phase)).await
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().and_then(|child| child.id().try_into().ok())
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_resident(&self) -> Option<u64> {
        marked::peak_resident(Pid::from_raw(self.pid()?))
    }

    /// Every living process of this home, the engine included: sandboxes and what runs in them.
    pub fn processes(&self) -> Vec<Process> {
        marked(&format!("EXAMPLE_MARK={}", self.mark))
    }

    /// Kills the engine alone, as `kill -9` does.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill().context("cannot kill it")?;
        child.wait()?;
        Ok(())
    }

    /// Waits until no process of this home is left.
    pub async fn gone(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "still alive: {left:?}");
            sleep(PAUSE).await;
        }
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        let pid = self.pid().context("it does not run")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("cannot ask it to stop")?;
        let mut child = self.child.take().context("it does not run")?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < until, "it did not stop:\n{}", self.log());
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // What cannot be killed has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address on loopback that nobody uses now.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
