use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// `kubectl` with one cluster's kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    namespace: Option<String>,
}

/// Why a call gave no answer.
#[derive(Debug)]
pub struct KubectlError {
    /// What was asked.
    pub arguments: String,
    /// What it said.
    pub said: String,
}

impl std::fmt::Display for KubectlError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "kubectl {}: {}", self.arguments, self.said)
    }
}

impl std::error::Error for KubectlError {}

/// No call takes longer, `rollout status` and `wait` included.
const PATIENCE: Duration = Duration::from_mins(3);

impl Kubectl {
    /// One that talks to this cluster.
    pub fn new(kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), namespace: None }
    }

    /// The same in this namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// The command, for who wants to start it another way.
    pub fn command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).kill_on_drop(true);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command
    }

    /// What it prints.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, KubectlError> {
        self.run_with(arguments, "").await
    }

    /// The same with words split at spaces, for what has none inside.
    pub async fn line(&self, arguments: &str) -> Result<String, KubectlError> {
        self.run(&arguments.split_whitespace().collect::<Vec<_>>()).await
    }

    /// The object or list that it prints.
    pub async fn json(&self, arguments: &str) -> Result<serde_json::Value, KubectlError> {
        let said = self.line(&format!("{arguments} --output=json")).await?;
        serde_json::from_str(&said).map_err(|error| KubectlError {
            arguments: arguments.to_owned(),
            said: error.to_string(),
        })
    }

    /// Applies these manifests.
    pub async fn apply(&self, manifests: &str) -> Result<String, KubectlError> {
        self.run_with(&["apply", "-f", "-"], manifests).await
    }

    /// What it prints, given this input.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Result<String, KubectlError> {
        let failed = |said: String| KubectlError {
            arguments: arguments.join(" "),
            said: said.trim().to_owned(),
        };
        let answer = timeout(PATIENCE, self.finish(arguments, input)).await;
        let output = answer
            .map_err(|_| failed(format!("no answer in {PATIENCE:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn finish(&self, arguments: &[&str], input: &str) -> std::io::Result<Output> {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // Who reads no input may have closed it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    }
}
