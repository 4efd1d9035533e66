//! The program as a person uses it: its commands, its exit codes, and the whole loop.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

fn mercurious() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mercurious"))
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = mercurious()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_policy_is_tried_with_no_registry() {
    let output = with_input(
        &["policy", "--semver=>=1.0.0 <2.0.0", "--output", "json"],
        "1.0.0\n1.2.0\n2.0.0\nlatest\n",
    );
    assert!(output.status.success());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["latest"], "1.2.0");
    let tags = answer["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 4);
    assert_eq!(tags[3]["matched"], false);
    assert!(tags.iter().all(|tag| !tag["reason"].as_str().unwrap().is_empty()));
}

#[test]
fn a_policy_that_selects_nothing_says_null() {
    let output =
        with_input(&["policy", "--filter=^v", "--numerical=asc", "--output", "json"], "a\nb\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["latest"].is_null());
}

#[test]
fn what_cannot_be_understood_ends_with_an_error_that_says_why() {
    for (arguments, input, word) in [
        (vec!["policy", "--semver=>>1"], "1.0.0\n", "--semver"),
        (vec!["policy", "--filter=(", "--alphabetical=asc"], "a\n", "--filter"),
        (vec!["policy", "--alphabetical=up"], "a\n", "asc or desc"),
        (vec!["policy", "--numerical=asc"], "12\nabc\n", "abc"),
        (vec!["policy"], "a\n", "order"),
        (vec!["--data-dir", "/nonexistent/nowhere", "status"], "", "mercurious up"),
        (vec!["--data-dir", "/tmp", "up", "-f", "/nonexistent.yaml"], "", "does not exist"),
    ] {
        let output = with_input(&arguments, input);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.starts_with("error: ") && error.contains(word), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_demo_meets_every_expectation() {
    let output = mercurious().arg("demo").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}\n{}", String::from_utf8_lossy(&output.stdout));
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(table.lines().count(), 7, "{table}");
}
