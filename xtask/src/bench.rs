//! Measurements in release builds.

use std::{fs, process::Command};

use anyhow::{Context as _, ensure};

use crate::{cargo, root};

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Only these parts, printed and not written down: switches, endings, looks, hooks, pushes, proxy
    parts: Vec<String>,
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked"];
    cargo(&[&build[..], &["--package", "mercurious", "--package", "mercurious-trials"]].concat())?;
    cargo(&[&build[..], &["--package", "mercurious-proxy", "--example", "forward"]].concat())?;
    let built = root().join("target/release");
    let output = Command::new(built.join("bench"))
        .arg("--program")
        .arg(built.join("mercurious"))
        .arg("--forward")
        .arg(built.join("examples/forward"))
        .args(&bench.parts)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run the measurements")?;
    ensure!(output.status.success(), "the measurements failed");
    if bench.parts.is_empty() {
        fs::write(root().join("docs/benchmarks.md"), &output.stdout)?;
    }
    Ok(())
}
