//! The cluster itself does what the loop relies on: with these, a failing test of the loop is the loop's fault.

use std::time::Duration;

use anyhow::ensure;
use mercurious_load::{Load, LoadSettings, ask};

use crate::{
    example::Example,
    stage::{Scene, tests},
};

tests![
    a_rolling_update_loses_no_request,
    an_image_that_is_not_there_is_seen_and_undone,
    a_program_that_crashes_is_seen_and_undone,
];

async fn a_rolling_update_loses_no_request(scene: Scene) -> anyhow::Result<()> {
    let example = Example::start(&scene, "rolling", "v1").await?;
    example.publish("v2", &[]).await?;
    answers(&example, "v1").await?;
    let load = Load::start(&example.url().await?, LoadSettings::default())?;
    example.set_image("v2").await?;
    example.namespace.kubectl().line("rollout status deployment/example --timeout=120s").await?;
    gone(&example, "v1").await?;
    let report = load.stop().await;
    ensure!(
        report.failed == 0,
        "{} of {} failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    let versions: Vec<&str> = report.versions.iter().map(|seen| seen.version.as_str()).collect();
    ensure!(versions.len() == 2, "only {versions:?} answered");
    Ok(())
}

async fn an_image_that_is_not_there_is_seen_and_undone(scene: Scene) -> anyhow::Result<()> {
    let example = Example::start(&scene, "absent", "v1").await?;
    example.set_image("v9").await?;
    example.waits("ErrImagePull").await?;
    example.waits("ImagePullBackOff").await?;
    undone(&example).await
}

async fn a_program_that_crashes_is_seen_and_undone(scene: Scene) -> anyhow::Result<()> {
    let example = Example::start(&scene, "crashing", "v1").await?;
    example.publish("v2", &["EXAMPLE_CRASH_ON_START=true"]).await?;
    example.set_image("v2").await?;
    example.waits("CrashLoopBackOff").await?;
    undone(&example).await
}

/// Two pods of the first version served throughout, and serve alone after `kubectl rollout undo`.
async fn undone(example: &Example) -> anyhow::Result<()> {
    let kubectl = example.namespace.kubectl();
    let deployment = kubectl.json("get deployment example").await?;
    ensure!(deployment["status"]["availableReplicas"] == 2, "{}", deployment["status"]);
    kubectl.line("rollout undo deployment/example").await?;
    kubectl.line("rollout status deployment/example --timeout=120s").await?;
    let deployment = kubectl.json("get deployment example").await?;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    ensure!(*image == example.image("v1"), "{image} runs");
    answers(example, "v1").await
}

/// A Service may refuse for a moment after its pods are ready: that is the proxy, and no fault.
async fn answers(example: &Example, version: &str) -> anyhow::Result<()> {
    let url = example.url().await?;
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask(&url, Duration::from_secs(2)).await;
        if answer.as_ref().is_ok_and(|answer| answer.starts_with(version)) {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < end, "{answer:?} in the place of {version}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the last pod of this version has ended.
async fn gone(example: &Example, version: &str) -> anyhow::Result<()> {
    const IMAGES: &str = "get pods --output=jsonpath={..spec.containers[*].image}";
    let image = example.image(version);
    let what = format!("the end of {version}");
    example.namespace.until(&what, IMAGES, |said| !said.contains(&image)).await?;
    Ok(())
}
