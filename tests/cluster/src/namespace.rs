use std::{path::Path, time::Duration};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use crate::{cluster::Cluster, kubectl::Kubectl};

/// A namespace of one test.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    kubectl: Kubectl,
}

/// Nothing that is waited for takes longer, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often is looked.
const PAUSE: Duration = Duration::from_millis(100);

impl Namespace {
    /// A new one; `stem` says whose it is.
    pub async fn make(cluster: &Cluster, stem: &str) -> anyhow::Result<Self> {
        let name = format!("{stem}-{:06x}", fastrand::u32(..0x0100_0000));
        cluster.kubectl().line(&format!("create namespace {name}")).await?;
        Ok(Self { kubectl: cluster.kubectl().within(&name), name })
    }

    /// One that is there.
    pub fn existing(cluster: &Cluster, name: &str) -> Self {
        Self { kubectl: cluster.kubectl().within(name), name: name.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `kubectl` in this namespace.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Makes a service account that may do everything, and a kubeconfig of it: the audit log names it.
    pub async fn administrator(
        &self,
        cluster: &Cluster,
        name: &str,
        file: &Path,
    ) -> anyhow::Result<()> {
        let (kubectl, namespace) = (&self.kubectl, &self.name);
        kubectl.line(&format!("create serviceaccount {name}")).await?;
        let binding = format!(
            "create clusterrolebinding {namespace}-{name} --clusterrole=cluster-admin \
             --serviceaccount={namespace}:{name}"
        );
        kubectl.line(&binding).await?;
        let token = kubectl.line(&format!("create token {name} --duration=2h")).await?;
        std::fs::copy(&cluster.facts().kubeconfig, file)?;
        let file = file.display().to_string();
        let own = |words: &str| format!("--kubeconfig {file} config {words}");
        let current = kubectl.line(&own("current-context")).await?;
        kubectl.line(&own(&format!("set-credentials {name} --token={}", token.trim()))).await?;
        kubectl.line(&own(&format!("set-context {} --user={name}", current.trim()))).await?;
        Ok(())
    }

    /// Waits until what `kubectl` prints is as wanted; it may fail on the way.
    pub async fn until(
        &self,
        what: &str,
        arguments: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.kubectl.line(arguments).await;
            if let Ok(said) = &said
                && wanted(said)
            {
                return Ok(said.clone());
            }
            ensure!(
                Instant::now() < end,
                "waited in vain for {what}; the last answer: {}",
                said.unwrap_or_else(|error| error.to_string())
            );
            sleep(PAUSE).await;
        }
    }

    /// What a person would look at when a test fails: objects, the state of the pods, events, logs.
    pub async fn dump(&self) -> String {
        let mut dump = format!("=== namespace {}\n", self.name);
        for arguments in [
            "get all --output=wide",
            "describe pods",
            "get events --sort-by=.lastTimestamp",
            "logs --all-containers --prefix --tail=20 --ignore-errors --selector=app",
        ] {
            let said = self.kubectl.line(arguments).await;
            let said = said.unwrap_or_else(|error| error.to_string());
            dump += &format!("--- kubectl {arguments}\n{said}\n");
        }
        dump
    }

    /// Removes it; nobody waits for the end.
    pub async fn remove(&self) -> anyhow::Result<()> {
        self.kubectl.line(&format!("delete namespace {} --wait=false", self.name)).await?;
        Ok(())
    }
}
