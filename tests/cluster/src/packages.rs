//! Debian's packages that a node needs.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};

/// Each package with a file that it brings.
const NEEDED: [(&str, &str); 7] = [
    ("containerd", "/usr/bin/containerd"),
    ("runc", "/usr/sbin/runc"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("iproute2", "/usr/sbin/ip"),
    ("iptables", "/usr/sbin/iptables"),
    ("nftables", "/usr/sbin/nft"),
    ("util-linux", "/usr/bin/unshare"),
];

/// The packages that are missing here.
pub fn missing() -> Vec<&'static str> {
    let absent = NEEDED.iter().filter(|(_, file)| {
        // Where /bin and /usr/bin are not one, these are in either.
        !Path::new(file).exists() && !Path::new(file.trim_start_matches("/usr")).exists()
    });
    absent.map(|(package, _)| *package).collect()
}

/// Installs what is missing; needs root and Debian.
pub fn install() -> anyhow::Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], missing.as_slice()].concat())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("cannot run apt-get")?;
    ensure!(
        output.status.success(),
        "apt-get {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
