//! The parts of a cluster, built once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

/// What was built from `node/`.
#[derive(Clone, Debug)]
pub struct Built {
    /// All parts in one program.
    pub node: PathBuf,
    /// What holds a pod's namespaces.
    pub pause: PathBuf,
}

/// Builds what is not there yet, and says where it is.
pub fn build() -> anyhow::Result<Built> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/build.sh");
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(output.status.success(), "building the cluster's node failed: {}", output.status);
    let directory = String::from_utf8(output.stdout).context("the build's answer")?;
    let directory = Path::new(directory.trim());
    Ok(Built { node: directory.join("node"), pause: directory.join("pause") })
}
