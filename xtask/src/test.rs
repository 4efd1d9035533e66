//! Every test that can be built here.

use std::process::{Command, Stdio};

use crate::{cargo, edges};

/// The packages that are built with librdkafka.
const WITH_KAFKA: [&str; 5] = [
    "mercurious-api-gateway",
    "mercurious-backends",
    "mercurious-enrichment",
    "mercurious-generation",
    "mercurious-worker",
];

/// What librdkafka is built with: a command that succeeds where it is there, and Debian's package.
const NEEDED: [(&[&str], &str); 3] = [
    (&["c++", "--version"], "g++"),
    (&["make", "--version"], "make"),
    (&["pkg-config", "--exists", "openssl"], "pkg-config and libssl-dev"),
];

pub(crate) fn run() -> anyhow::Result<()> {
    edges::check()?;
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(command, _)| !succeeds(command))
        .map(|(_, package)| *package)
        .collect();
    let mut left_out = Vec::new();
    if !missing.is_empty() {
        eprintln!(
            "the services that talk to Kafka are not tested, because librdkafka cannot be built: install Debian's {}",
            missing.join(", ")
        );
        left_out.extend(WITH_KAFKA.iter().flat_map(|package| ["--exclude", package]));
    }
    // The programs first: the tests start them.
    let build = ["build", "--workspace", "--bins", "--examples", "--locked"];
    cargo(&[&build[..], &left_out].concat())?;
    let test = ["test", "--workspace", "--locked", "--no-fail-fast"];
    cargo(&[&test[..], &left_out].concat())
}

fn succeeds(command: &[&str]) -> bool {
    Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
