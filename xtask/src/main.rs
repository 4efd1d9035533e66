//! The front door of development.

mod bench;
mod edges;
mod fuzz;
mod generate;
#[cfg(test)]
mod links;
#[cfg(test)]
mod secrets;
mod test;
#[cfg(test)]
mod tracked;
mod up;

use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};

/// The front door of development
#[derive(Parser)]
enum Task {
    #[command(flatten)]
    Known(Known),
}

#[derive(Subcommand)]
enum Known {
    /// Format, lints and the edges between crates; no test is run
    Check,
    /// Every test, after the edges between crates
    Test,
    /// Make the documents that come from the code
    Generate(generate::Generate),
    /// Build and start the whole platform on this machine, and say how to ask it for a trip
    Up(up::Up),
    /// Measure the program as a process, and write docs/benchmarks.md
    Bench(bench::Bench),
    /// The fuzz targets, with the nightly toolchain and cargo-fuzz
    Fuzz(fuzz::Options),
}

fn main() -> anyhow::Result<()> {
    let Task::Known(task) = Task::parse();
    match task {
        Known::Check => {
            edges::check()?;
            cargo(&["fmt", "--all", "--check"])?;
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
            // As it is in the image.
            let image = ["clippy", "--package", "mercurious", "--no-default-features"];
            let image = [&image[..], &["--features", "lean", "--locked"]].concat();
            cargo(&[&image[..], &["--", "-D", "warnings"]].concat())
        }
        Known::Generate(generate) => generate::run(&generate),
        Known::Up(up) => up::run(&up),
        Known::Bench(bench) => bench::run(&bench),
        Known::Fuzz(options) => fuzz::run(&options),
        Known::Test => test::run(),
    }
}

/// Runs cargo in the workspace and passes on what it says.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(cargo_program())
        .args(arguments)
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot run cargo {}", arguments.join(" ")))?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}

/// The cargo that runs this.
#[expect(clippy::disallowed_methods, reason = "cargo names itself in the environment of an xtask")]
pub(crate) fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The workspace's directory.
pub(crate) fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
