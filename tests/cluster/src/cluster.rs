use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{build, images::Images, kubectl::Kubectl, packages};

/// What is known of a running cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Of its administrator.
    pub kubeconfig: PathBuf,
    /// `HOST:PORT` of the registry as the nodes reach it.
    pub registry: String,
    /// The same registry as it is pushed to from here.
    pub push: String,
    /// The address of a node: `NodePort`s answer there.
    pub node: String,
    /// This machine as pods reach it, where that is known.
    pub host: Option<String>,
    /// Where a cluster of ours keeps its files: `audit.log` and `log/` are worth reading.
    pub place: Option<PathBuf>,
}

/// A cluster for tests: one of our own, which ends with this value, or the one that the environment names.
#[derive(Debug)]
pub struct Cluster {
    facts: Facts,
    keeper: Option<Child>,
}

/// Why there is no cluster here, in one line.
#[derive(Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// The first start builds the parts.
const PATIENCE: Duration = Duration::from_hours(1);

impl Cluster {
    /// Whether one can be had here at all.
    pub fn available() -> Result<(), Unavailable> {
        let unavailable = |why: &str| Err(Unavailable(why.to_owned()));
        if !answers("kubectl", &["version", "--client"]) {
            return unavailable("kubectl is not installed");
        }
        if named("MERCURIOUS_TEST_KUBECONFIG").is_some() {
            return Ok(());
        }
        if !cfg!(target_os = "linux") {
            return unavailable("a cluster of our own needs Linux");
        }
        if !nix::unistd::geteuid().is_root() {
            return unavailable(
                "a cluster of our own needs root: name one in MERCURIOUS_TEST_KUBECONFIG",
            );
        }
        if !answers("go", &["version"]) {
            return unavailable("a cluster of our own needs Go, which builds its parts");
        }
        if !packages::missing().is_empty() && !Path::new("/usr/bin/apt-get").exists() {
            let missing = packages::missing().join(", ");
            return unavailable(&format!(
                "these packages are missing and there is no apt-get: {missing}"
            ));
        }
        Ok(())
    }

    /// The cluster that the environment names, or a new one, kept by the program at `keeper`.
    pub async fn get(keeper: &Path) -> anyhow::Result<Self> {
        if let Some(kubeconfig) = named("MERCURIOUS_TEST_KUBECONFIG") {
            return Self::named(Path::new(&kubeconfig)).await;
        }
        let mut child = Command::new(keeper)
            .arg("up")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", keeper.display()))?;
        let output = child.stdout.take().context("no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut line))
            .await
            .context("the cluster did not start")??;
        if line.is_empty() {
            bail!("the cluster did not start: its keeper ended with {}", child.wait().await?);
        }
        Ok(Self { facts: serde_json::from_str(&line)?, keeper: Some(child) })
    }

    async fn named(kubeconfig: &Path) -> anyhow::Result<Self> {
        let registry = named("MERCURIOUS_TEST_REGISTRY").context(
            "MERCURIOUS_TEST_KUBECONFIG needs MERCURIOUS_TEST_REGISTRY beside it: HOST:PORT of a registry that this \
             machine pushes to and the nodes pull from",
        )?;
        let nodes = Kubectl::new(kubeconfig).json("get nodes").await?;
        let addresses = nodes["items"][0]["status"]["addresses"].as_array();
        let node = addresses
            .into_iter()
            .flatten()
            .find(|address| address["type"] == "InternalIP")
            .and_then(|address| address["address"].as_str())
            .context("the cluster has no node with an address")?;
        let facts = Facts {
            kubeconfig: kubeconfig.to_owned(),
            push: named("MERCURIOUS_TEST_REGISTRY_PUSH").unwrap_or_else(|| registry.clone()),
            registry,
            node: node.to_owned(),
            host: named("MERCURIOUS_TEST_HOST"),
            place: named("MERCURIOUS_TEST_PLACE").map(PathBuf::from),
        };
        Ok(Self { facts, keeper: None })
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// `kubectl` as its administrator.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.facts.kubeconfig)
    }

    /// Its registry.
    pub fn images(&self) -> Images {
        Images::of(&self.facts)
    }

    /// The lines of the API server's audit log, if it is ours.
    pub fn audit(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        let place = self.facts.place.as_ref().context("the audit log is elsewhere")?;
        let log = std::fs::read_to_string(place.join("audit.log"))?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Kills a part (`etcd`, `kube-apiserver`, …) of a cluster of ours; it starts anew by itself. `false` where the
    /// cluster is not ours to kill.
    pub fn kill(&self, part: &str) -> anyhow::Result<bool> {
        let Some(place) = &self.facts.place else { return Ok(false) };
        let place = place.display().to_string();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(process) = name.parse::<i32>() else { continue };
            // One that has ended since has no command line.
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            if command.split('\0').nth(1) == Some(part) && command.contains(&place) {
                nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(process),
                    nix::sys::signal::Signal::SIGKILL,
                )?;
                return Ok(true);
            }
        }
        bail!("{part} does not run")
    }

    /// Takes a cluster of ours down, and waits until nothing of it is left.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        drop(keeper.stdin.take());
        let ended = timeout(Duration::from_mins(2), keeper.wait()).await;
        let status = ended.context("the cluster did not end")??;
        anyhow::ensure!(status.success(), "the cluster's keeper ended with {status}");
        Ok(())
    }
}

/// Builds what a cluster needs, ahead of time.
pub fn prepare() -> anyhow::Result<()> {
    packages::install()?;
    build::build().map(drop)
}

/// Whether a program is there and runs.
fn answers(program: &str, arguments: &[&str]) -> bool {
    let quiet = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "these are the settings of the tests")]
fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
