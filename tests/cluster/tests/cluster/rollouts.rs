//! The cluster itself does what the loop relies on: with these, a failing test of the loop is the loop's fault.

use anyhow::ensure;
use mercurious_load::{Load, LoadSettings};
use mercurious_trials::Image;

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
    let (first, second) = (Image::good(1), Image::good(2));
    let example = Example::start(&scene, "rolling", first.clone()).await?;
    example.push(second.clone()).await?;
    example.answers("v1").await?;
    let load = Load::start(&example.url().await?, LoadSettings::default())?;
    example.set_image(&second).await?;
    example.settled().await?;
    example.gone(&first).await?;
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
    let example = Example::start(&scene, "absent", Image::good(1)).await?;
    example.set_image(&Image::good(9)).await?;
    example.waits("ErrImagePull").await?;
    example.waits("ImagePullBackOff").await?;
    undone(&example).await
}

async fn a_program_that_crashes_is_seen_and_undone(scene: Scene) -> anyhow::Result<()> {
    let example = Example::start(&scene, "crashing", Image::good(1)).await?;
    let bad = Image::good(2).with("EXAMPLE_CRASH_ON_START", "true");
    example.push(bad.clone()).await?;
    example.set_image(&bad).await?;
    example.waits("CrashLoopBackOff").await?;
    undone(&example).await
}

/// Two pods of the first version served throughout, and serve alone after `kubectl rollout undo`.
async fn undone(example: &Example) -> anyhow::Result<()> {
    let kubectl = example.namespace.kubectl();
    let deployment = kubectl.json("get deployment example").await?;
    ensure!(deployment["status"]["availableReplicas"] == 2, "{}", deployment["status"]);
    kubectl.line("rollout undo deployment/example").await?;
    example.settled().await?;
    let image = example.image().await?;
    ensure!(image == example.reference(&Image::good(1)), "{image} runs");
    example.answers("v1").await
}
