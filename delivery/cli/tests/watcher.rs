//! What a killed engine leaves while it makes a sandbox is ended by a process of its own.

use std::{
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, Stdio},
};

#[test]
fn what_a_killed_engine_left_is_ended_when_its_pipe_ends_and_not_before() {
    let place = tempfile::tempdir().unwrap();
    let (own, other) = (place.path().join("run-own"), place.path().join("run-other"));
    for run in [&own, &other] {
        std::fs::create_dir_all(run.join("replica")).unwrap();
    }
    // As a half-made sandbox: known by its name alone.
    let sandbox = |run: &std::path::Path| {
        let mut command = Command::new("sleep");
        command.arg0(format!("bwrap:{}/replica", run.display())).arg("1000").spawn().unwrap()
    };
    let (mut left, mut stranger) = (sandbox(&own), sandbox(&other));
    let mut watcher = Command::new(env!("CARGO_BIN_EXE_mercurious"))
        .arg("__watch")
        .arg(&own)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(left.try_wait().unwrap().is_none(), "ended while the engine lives");
    drop(watcher.stdin.take());
    assert_eq!(left.wait().unwrap().signal(), Some(9));
    assert!(watcher.wait().unwrap().success());
    assert!(!own.exists());
    assert!(stranger.try_wait().unwrap().is_none() && other.exists(), "another run's was taken");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
