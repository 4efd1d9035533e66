//! The main job through real processes: pushed images run, bad ones are taken back, and none is tried again.

use std::time::Duration;

use mercurious_api::{Change, Verb};
use mercurious_core::rollout::Phase;
use mercurious_load::{EventStream, Load, LoadSettings, ask};
use mercurious_runtime::Tasks;
use mercurious_trials::{Home, Image, Program, ToldHome, Wish};

#[tokio::test]
async fn a_switch_loses_no_request_and_ends_streams_cleanly() {
    let wish = Wish { grace_seconds: 4, ..Wish::default() };
    let home = Home::start(&Program::built().unwrap(), wish).await.unwrap();
    let (first, _) = home.push(&Image::good(1)).await.unwrap();
    home.ended(&first, Phase::Succeeded).await.unwrap();
    let load = Load::start(&home.url("/"), LoadSettings::default()).unwrap();
    let tasks = Tasks::new();
    let patience = Duration::from_mins(1);
    let stream = EventStream::open(&home.url("/events"), patience, &tasks).await.unwrap();
    let slow_url = home.url("/slow?ms=2500");
    let slow = ask(&slow_url, patience);
    let switch = async {
        let (second, _) = home.push(&Image::good(2)).await.unwrap();
        home.ended(&second, Phase::Succeeded).await.unwrap();
    };
    let (slow, ()) = tokio::join!(slow, switch);
    assert!(slow.as_ref().is_ok_and(|answer| answer.starts_with("v1 ")), "{slow:?}");
    let end = stream.ended(patience).await;
    assert!(end.fault.is_none() && end.events > 0, "{end:?}");
    let report = load.stop().await;
    assert_eq!(report.failed, 0, "{:?}", report.failures);
}

#[tokio::test]
async fn a_crashing_release_is_taken_back_and_its_hold_outlives_a_kill() {
    let mut home = Home::start(&Program::built().unwrap(), Wish::default()).await.unwrap();
    let (good, _) = home.push(&Image::good(1)).await.unwrap();
    home.ended(&good, Phase::Succeeded).await.unwrap();
    let bad = Image::good(2).with("EXAMPLE_CRASH_ON_START", "true");
    let (bad, _) = home.push(&bad).await.unwrap();
    home.ended(&bad, Phase::RolledBack).await.unwrap();

    home.kill().unwrap();
    home.gone().await.unwrap();
    home.resume().await.unwrap();
    let view = home.client().change(Home::NAME, Verb::Scan, &Change::default()).await.unwrap();
    let status = view.object.status.unwrap();
    assert!(status.holds.iter().any(|hold| hold.digest == bad), "{status:?}");
    assert_eq!(status.running.as_ref().unwrap().digest, good);
    assert!(status.rollout.is_none());
}

#[tokio::test]
async fn images_tells_each_tag_of_a_repository_why_and_what_was_spent_with_no_set_up() {
    let home = Home::start(&Program::built().unwrap(), Wish::default()).await.unwrap();
    for number in 1..=3 {
        home.push(&Image::good(number)).await.unwrap();
    }
    let repository = format!("{}/{}", home.registry, Wish::REPOSITORY);
    let nowhere = tempfile::tempdir().unwrap();
    let ask = |words: &[&str], code: i32| {
        // No engine of its own is asked.
        let mut command = Program::built().unwrap().command();
        command.args(["images", &repository]).args(words);
        command.args(["--output", "json", "--data-dir"]).arg(nowhere.path());
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let newest = ask(&[], 0);
    let chosen: Vec<_> = newest["tags"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|tag| assert!(!tag["reason"].as_str().unwrap().is_empty(), "{tag}"))
        .filter(|tag| tag["chosen"] == true)
        .collect();
    assert_eq!(chosen.len(), 1, "{newest}");
    assert_eq!(newest["latest"], chosen[0]["tag"], "{newest}");
    assert!(newest["requests"]["head"].as_u64().unwrap() > 0, "{newest}");
    let none = ask(&["--semver", ">=99.0.0"], 3);
    assert!(none["latest"].is_null(), "{none}");
    let nobody = Program::built()
        .unwrap()
        .command()
        .args(["images", &format!("{}/team/nobody", home.registry)])
        .output()
        .unwrap();
    assert!(!nobody.status.success());
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("team/nobody"));
}

#[tokio::test]
async fn a_notification_makes_another_registry_be_looked_at_at_once() {
    let told = ToldHome::start(&Program::built().unwrap(), Wish::default()).await.unwrap();
    for number in 1..=2 {
        let (digest, _) = told.home.push(&Image::good(number)).await.unwrap();
        // Nobody would look for a day.
        told.notify().await.unwrap();
        told.home.ended(&digest, Phase::Succeeded).await.unwrap();
    }
}
