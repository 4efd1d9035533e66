//! Faults of hand-made pipelines that the program must not have, shown with the program itself. `docs/regressions.md`
//! lists them all.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use std::{fs, process::Output, time::Duration};

use mercurious_core::{decide::Reason, rollout::Phase};
use mercurious_engine::AutoDeployView;
use mercurious_load::{Load, LoadSettings, ask};
use mercurious_trials::{Home, Image, Kind, Program, Trial, Wish, at_rest, free_address, ran};

const PATIENCE: Duration = Duration::from_mins(1);

async fn run(command: std::process::Command) -> Output {
    tokio::process::Command::from(command).kill_on_drop(true).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn r18_a_second_engine_on_one_data_directory_is_refused_and_the_first_goes_on() {
    let trial = Trial::new(Wish::default()).await.unwrap();
    let before = (trial.home.processes(), trial.home.audit().await.unwrap());
    let output = run(trial.home.up(free_address().unwrap())).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let first = format!("(process {})", trial.home.pid().unwrap());
    assert!(said.starts_with("error: another `mercurious up`") && said.contains(&first), "{said}");
    assert_eq!((trial.home.processes(), trial.home.audit().await.unwrap()), before);
    trial.looks_right().await.unwrap();
}

#[tokio::test]
async fn r19_a_registry_that_cannot_be_reached_is_said_wherever_people_look() {
    let nobody = free_address().unwrap();
    let wish = Wish { registry: Some(nobody), ..Wish::default() };
    let home = Home::start(&Program::built().unwrap(), wish).await.unwrap();
    let failed = |view: &AutoDeployView| {
        view.decision.reason == Reason::LookFailed && view.repository.failure.is_some()
    };
    home.until("the failed look", failed).await.unwrap();
    for words in [&["status"][..], &["explain", "example"], &["doctor"]] {
        let output = run(home.command(words)).await;
        let said = text(&output.stdout);
        assert!(said.contains(&nobody.to_string()), "{words:?}: {said}");
        assert_eq!(output.status.success(), words != ["doctor"], "{words:?}");
    }
}

#[tokio::test]
async fn r22_everything_is_restarted_one_after_the_other() {
    let trial = Trial::new(Wish { twin: true, ..Wish::default() }).await.unwrap();
    trial.home.client().sync(&[], PATIENCE).await.unwrap();
    let output = run(trial.home.command(&["restart", "--all"])).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let audit = trial.home.audit().await.unwrap();
    let restarts: Vec<_> = audit
        .iter()
        .skip_while(|entry| !entry.message.contains("restarts"))
        .filter(|entry| [Reason::Obeyed, Reason::Succeeded].contains(&entry.reason))
        .map(|entry| (&*entry.auto_deploy.name, entry.reason))
        .collect();
    let order = [
        ("example", Reason::Obeyed),
        ("example", Reason::Succeeded),
        ("twin", Reason::Obeyed),
        ("twin", Reason::Succeeded),
    ];
    assert_eq!(restarts, order);
}

#[tokio::test]
async fn r23_a_repository_is_looked_at_with_no_setup_and_nothing_is_changed() {
    let trial = Trial::new(Wish::default()).await.unwrap();
    let place = trial.home.place().join("nothing");
    fs::create_dir(&place).unwrap();
    let mut command = trial.home.program().command();
    command.args(["images", &trial.home.repository(), "--insecure", "--output", "json"]);
    command.env("HOME", &place).env_remove("XDG_DATA_HOME").env_remove("MERCURIOUS_DATA_DIR");
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let newest = format!("sha-{}", Image::good(1).commit());
    assert!(text(&output.stdout).contains(&newest), "{}", text(&output.stdout));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "something was written");
}

#[tokio::test]
async fn r25_a_release_that_serves_another_commit_than_it_was_built_from_is_taken_back() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    let image = trial.next(Kind::Good).with("EXAMPLE_COMMIT", &"0".repeat(40));
    let bad = trial.home.push_like(&image).await.unwrap();
    let back = |view: &AutoDeployView| ran(view, &bad, Phase::RolledBack) && at_rest(view);
    let view = trial.home.until("v2 taken back", back).await.unwrap();
    let message = &view.object.status.unwrap().history[0].message;
    assert!(message.contains("check version failed"), "{message}");
    trial.looks_right().await.unwrap();
}

#[tokio::test]
async fn r43_a_restart_under_load_loses_no_request() {
    let trial = Trial::new(Wish::default()).await.unwrap();
    let settings = LoadSettings {
        keep_alive_connections: 4,
        fresh_per_second: 10.0,
        total_per_second: 40.0,
        timeout: PATIENCE,
    };
    let load = Load::start(&trial.home.url("/"), settings).unwrap();
    let output = run(trial.home.command(&["restart", "--all"])).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = load.stop().await;
    assert_eq!(report.failed, 0, "{:?}", report.failures);
}

#[tokio::test]
async fn r49_a_replica_has_no_capabilities_and_cannot_write_to_its_image() {
    let trial = Trial::new(Wish::default()).await.unwrap();
    if trial.home.log().contains("warning: ") {
        println!("skipped: images run as plain processes here");
        return;
    }
    let own =
        |process: &&mercurious_trials::Process| process.command.starts_with("/app/mercurious");
    let processes = trial.home.processes();
    let replica = processes.iter().find(own).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", replica.pid)).unwrap();
    let line = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    };
    assert_eq!((line("CapEff:").as_str(), line("NoNewPrivs:").as_str()), ("0000000000000000", "1"));
    let error = fs::write(format!("/proc/{}/root/app/new", replica.pid), "x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "{error}");
}

#[tokio::test]
async fn r53_the_value_of_a_secret_is_nowhere_but_with_the_program_that_it_is_for() {
    let secret = "correct-horse-battery";
    let trial = Trial::new(Wish { secret, ..Wish::default() }).await.unwrap();
    let home = &trial.home;
    let given = ask(&home.url("/env?name=EXAMPLE_SECRET"), PATIENCE).await.unwrap();
    assert_eq!(given.trim(), secret);
    let mut said = vec![("the log", home.log())];
    for words in [&["status"][..], &["explain", "example"], &["doctor"], &["logs", "example"]] {
        let mut command = home.command(words);
        command.args(["--output", "json", "--log", "debug"]);
        let output = run(command).await;
        said.push((words[0], text(&output.stdout) + &text(&output.stderr)));
    }
    for process in home.processes() {
        said.push(("a command line", process.command));
    }
    for part in ["state", "logs"] {
        let found = std::process::Command::new("grep")
            .args(["-rl", secret])
            .arg(home.data().join(part))
            .output()
            .unwrap();
        said.push((part, text(&found.stdout)));
        assert_eq!(found.stdout.len(), 0, "{}", text(&found.stdout));
    }
    for (place, words) in said {
        assert!(!words.contains(secret), "{place}: {words}");
    }
}

#[tokio::test]
async fn r66_where_nothing_changed_nothing_is_said_or_written() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    trial.start_in_silence().await.unwrap();
    let log = trial.home.log();
    for _ in 0..3 {
        let output = run(trial.home.command(&["sync"])).await;
        assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
    }
    assert_eq!(trial.home.log(), log);
}
