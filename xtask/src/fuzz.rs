//! Runs the fuzz targets, one after the other: `docs/fuzzing.md`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 75)]
    seconds: u32,
    /// The targets; all of them where none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Runs each target with the nightly toolchain and one job; new inputs stay in `fuzz/target/corpus`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let known = known()?;
    for target in &options.targets {
        ensure!(known.contains(target), "no target is called {target}: {}", known.join(", "));
    }
    let targets = if options.targets.is_empty() { &known } else { &options.targets };
    let mut broken = Vec::new();
    for target in targets {
        println_target(target);
        if !fuzz(target, options.seconds)? {
            broken.push(target.as_str());
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!(
        "these did not run to their end: {}; an input that breaks a property is in fuzz/artifacts",
        broken.join(", ")
    )
}

#[expect(clippy::print_stdout, reason = "says which target runs")]
fn println_target(target: &str) {
    println!("fuzzing {target}");
}

fn directory() -> PathBuf {
    crate::root().join("fuzz")
}

/// The targets that there are, in the order of their names.
fn known() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory().join("fuzz_targets")).context("fuzz/fuzz_targets")? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().filter(|_| path.extension().is_some()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether the target ran to its end without a finding.
fn fuzz(target: &str, seconds: u32) -> anyhow::Result<bool> {
    // Found inputs go to the first directory; the committed corpus is only read.
    let found = directory().join("target/corpus").join(target);
    std::fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "fuzz", "run", target])
        .arg(&found)
        .arg(directory().join("corpus").join(target))
        .args(["--", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"])
        .arg(format!("-max_total_time={seconds}"))
        .current_dir(directory());
    let dictionary = directory().join("dictionaries").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    // rustup would hand the toolchain of this workspace down.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    let status = command
        .status()
        .context("cannot run cargo: it needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`")?;
    Ok(status.success())
}
