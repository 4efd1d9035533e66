use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What a command spent from its start to its end, with all that it started and waited for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spending {
    pub(crate) wall: Duration,
    /// On all cores, for itself and in the kernel.
    pub(crate) cpu: Duration,
    /// The most memory of the largest process, in bytes.
    pub(crate) peak: u64,
    /// What it printed on both outputs.
    pub(crate) said: String,
    pub(crate) code: Option<i32>,
}

/// Runs a command in a process of its own that reads the kernel's account of it: the account of a process covers all
/// children that it ever had, so each command gets a parent that has no other.
pub(crate) fn measure(command: &[&str]) -> anyhow::Result<Spending> {
    let own: PathBuf = std::env::current_exe()?;
    let output = Command::new(own).arg("spent").args(command).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The other side of [`measure`].
pub(crate) fn spend(command: &[String]) -> anyhow::Result<ExitCode> {
    let [program, arguments @ ..] = command else { anyhow::bail!("no command") };
    let begin = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let wall = begin.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: nix::sys::time::TimeVal| {
        Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()).unsigned_abs())
    };
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said)).concat();
    let spending = Spending {
        wall,
        cpu: time(usage.user_time()) + time(usage.system_time()),
        peak: usage.max_rss().unsigned_abs() * 1024,
        said,
        code: output.status.code(),
    };
    std::io::stdout().write_all(&serde_json::to_vec(&spending)?)?;
    Ok(ExitCode::SUCCESS)
}
