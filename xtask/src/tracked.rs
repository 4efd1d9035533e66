//! What is in the repository: files and commit messages, for the tests that read all of them.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

/// A tracked text file.
pub(crate) struct Tracked {
    /// Its path from the root.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
}

/// Every tracked file that is text.
pub(crate) fn texts() -> anyhow::Result<Vec<Tracked>> {
    let names = git(&["ls-files", "-z"])?;
    let mut found = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // Removed and not yet committed, or not text: neither holds words.
        if let Ok(text) = std::fs::read_to_string(crate::root().join(name)) {
            found.push(Tracked { path: name.into(), text });
        }
    }
    ensure!(!found.is_empty(), "no tracked files");
    Ok(found)
}

/// Every commit message that leads to here.
pub(crate) fn messages() -> anyhow::Result<String> {
    git(&["log", "--format=%h %B"])
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(crate::root())
        .output()
        .context("cannot run git")?;
    ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
