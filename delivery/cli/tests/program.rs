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
fn the_answer_of_a_policy_has_one_shape_whatever_the_input() {
    let answer = |arguments: &[&str], input: &str| -> serde_json::Value {
        let arguments = [&["policy", "--output", "json"], arguments].concat();
        let output = with_input(&arguments, input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let empty = answer(&["--semver=*"], "");
    assert_eq!(empty, serde_json::json!({"latest": null, "tags": []}));

    assert_eq!(answer(&["--numerical=asc"], "\n\n"), empty, "an empty variable is no tag");

    let windows = answer(&["--semver=>=1.0.0"], "1.0.0\r\n\r\n1.2.0\r\n\r\n");
    assert_eq!(windows["latest"], "1.2.0");
    let tags = windows["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 3);
    assert_eq!((&tags[1]["tag"], &tags[1]["matched"]), (&"".into(), &false.into()));
    let equal = answer(&["--semver=<3.4.0"], "0.3+sha.5114f85\n0.3.0\n");
    assert_eq!(equal["latest"], "0.3+sha.5114f85", "of equal ones the first");

    let twice = answer(
        &["--filter=^b(?P<n>[0-9]+)$", "--extract=$n", "--numerical=asc"],
        "b2\nb10\nb10\nx\n",
    );
    assert_eq!(twice["latest"], "b10");
    let tags = twice["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 4, "a tag that is given twice is answered twice");
    for tag in tags {
        let fields: Vec<&String> = tag.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["key", "matched", "reason", "tag"], "{tag}");
    }
    assert_eq!(
        (&tags[1]["key"], &tags[1]["matched"]),
        (&serde_json::json!("10"), &serde_json::json!(true))
    );
    assert_eq!(
        (&tags[3]["key"], &tags[3]["matched"]),
        (&serde_json::json!(null), &serde_json::json!(false))
    );
}

#[test]
fn exit_codes_tell_wrong_use_from_failure() {
    for (arguments, code) in [
        (vec!["policy", "--semver=>>1"], 2),
        (vec!["policy", "--no-such-flag"], 2),
        (vec!["publish", "--binary", "x"], 2),
        (vec!["--data-dir", "/nonexistent/nowhere", "status"], 1),
        (vec!["--data-dir", "/nonexistent/nowhere", "sync", "--timeout", "soon"], 2),
        (vec!["--help"], 0),
    ] {
        let output = with_input(&arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["completions", "bash"][..], &["policy", "--alphabetical=asc"]] {
        let mut child = mercurious()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(b"a\n").ok();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn the_completions_of_each_shell_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = mercurious().args(["completions", shell]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("rollback"), "{shell}");
    }
}

#[test]
fn the_doctor_finds_faults_where_no_engine_runs() {
    let place = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let manifest = place.path().join("bad.yaml");
    std::fs::write(
        &manifest,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\nspec: { replica: 1 }\n",
    )
    .unwrap();
    std::fs::create_dir(place.path().join(".docker")).unwrap();
    std::fs::write(place.path().join(".docker/config.json"), "{\"auths\": secret-token").unwrap();
    let output = mercurious()
        .env("HOME", place.path())
        .env_remove("DOCKER_CONFIG")
        .args(["doctor", "--listen", "127.0.0.1:0", "--registry-listen"])
        .arg(taken.local_addr().unwrap().to_string())
        .arg("--data-dir")
        .arg(place.path().join("data"))
        .arg("-f")
        .arg(&manifest)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    for words in
        ["cannot listen on", "bad.yaml:4", "replicas", "config.json: is not JSON", "remedy: "]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("secret-token"), "{text}");
    assert!(!place.path().join("data").exists(), "looking changes nothing");
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
