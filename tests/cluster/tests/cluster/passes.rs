//! `mercurious sync`, as the CronJob runs it.

use std::time::Duration;

use anyhow::ensure;
use mercurious_core::image::Digest;
use mercurious_load::{Load, LoadHandle, LoadSettings};
use mercurious_trials::{Chance, Image};

use crate::{
    stage::{Scene, tests},
    steered::Steered,
};

tests![
    a_pass_deploys_the_newest_with_no_request_lost_and_the_next_is_silent,
    a_release_that_crashes_is_taken_back_held_and_passed_by_for_the_next_good_one,
    a_release_that_is_never_ready_is_taken_back_while_the_old_one_serves,
    a_release_that_fails_its_check_is_taken_back,
    a_release_whose_image_cannot_be_pulled_is_taken_back,
    a_release_that_crashes_while_baking_is_taken_back,
    passes_that_are_killed_at_any_moment_converge_and_change_nothing_twice,
];

async fn a_pass_deploys_the_newest_with_no_request_lost_and_the_next_is_silent(
    scene: Scene,
) -> anyhow::Result<()> {
    let steered = Steered::start(&scene, "pass", Image::good(1)).await?;
    let load = start_load(&steered).await?;
    let second = steered.example.push(Image::good(2)).await?;
    steered.pass().await?.expect_code(0)?;
    steered.runs(&second).await?;
    lost_nothing(load).await?;
    steered.example.answers("v2").await?;

    let before = steered.generation().await?;
    let idle = steered.pass().await?;
    idle.expect_code(0)?;
    ensure!(idle.said().is_empty(), "a pass with nothing to do said: {}", idle.said());
    ensure!(
        steered.generation().await? == before,
        "a pass with nothing to do changed the Deployment"
    );
    Ok(())
}

async fn a_release_that_crashes_is_taken_back_held_and_passed_by_for_the_next_good_one(
    scene: Scene,
) -> anyhow::Result<()> {
    taken_back(scene, "crash", Image::good(2).with("EXAMPLE_CRASH_ON_START", "true")).await
}

async fn a_release_that_is_never_ready_is_taken_back_while_the_old_one_serves(
    scene: Scene,
) -> anyhow::Result<()> {
    taken_back(scene, "unready", Image::good(2).with("EXAMPLE_NEVER_READY", "true")).await
}

/// It serves, and says that it is something else.
async fn a_release_that_fails_its_check_is_taken_back(scene: Scene) -> anyhow::Result<()> {
    const CHECKS: &str = "[{ name: own, period: 1s, http: { url: 'URLcheck', status: 200 } }]";
    let steered = Steered::checked(&scene, "check", Image::good(1), CHECKS).await?;
    let bad = Image::good(2).with("EXAMPLE_FAILING_CHECK", "true");
    let load = start_load(&steered).await?;
    let bad = steered.example.push(bad).await?;
    back_and_forth(&steered, &bad).await?;
    lost_nothing(load).await
}

/// Its manifest is there and a layer is not.
async fn a_release_whose_image_cannot_be_pulled_is_taken_back(scene: Scene) -> anyhow::Result<()> {
    let Some(place) = scene.cluster().facts().place.clone() else { return Ok(()) };
    let steered = Steered::start(&scene, "pull", Image::good(1)).await?;
    let load = start_load(&steered).await?;
    let bad = steered.example.push_without_layer(&place, 2).await?;
    back_and_forth(&steered, &bad).await?;
    lost_nothing(load).await
}

async fn a_release_that_crashes_while_baking_is_taken_back(scene: Scene) -> anyhow::Result<()> {
    // With a check the bake is longer than the release lives.
    const CHECKS: &str = "[{ name: own, period: 1s, http: { url: 'URL', status: 200 } }]";
    let steered = Steered::checked(&scene, "bake", Image::good(1), CHECKS).await?;
    // What crashes when it was ready has answered, and loses its own requests: there is no load.
    let bad = Image::good(2).with("EXAMPLE_CRASH_AFTER", "4s");
    let bad = steered.example.push(bad).await?;
    back_and_forth(&steered, &bad).await
}

/// The first release serves throughout.
async fn taken_back(scene: Scene, stem: &str, bad: Image) -> anyhow::Result<()> {
    let steered = Steered::start(&scene, stem, Image::good(1)).await?;
    let load = start_load(&steered).await?;
    let bad = steered.example.push(bad).await?;
    back_and_forth(&steered, &bad).await?;
    lost_nothing(load).await
}

/// The bad release is taken back and held: the first runs again, a further pass tries nothing, and the next good one
/// goes out.
async fn back_and_forth(steered: &Steered, bad: &Digest) -> anyhow::Result<()> {
    let first = steered.example.image().await?;
    let pass = steered.pass().await?;
    pass.expect_code(3)?;
    steered.example.settled().await?;
    let image = steered.example.image().await?;
    ensure!(image == first, "{image} in the place of {first}: {}", pass.said());
    steered.holds(bad).await?;
    let before = steered.generation().await?;
    steered.pass().await?;
    ensure!(steered.generation().await? == before, "a held release was tried again");
    steered.example.answers("v1").await?;
    let third = steered.example.push(Image::good(3)).await?;
    steered.pass().await?.expect_code(0)?;
    steered.runs(&third).await?;
    steered.example.answers("v3").await
}

async fn passes_that_are_killed_at_any_moment_converge_and_change_nothing_twice(
    scene: Scene,
) -> anyhow::Result<()> {
    let mut chance = Chance::new();
    let steered = Steered::start(&scene, "killed", Image::good(1)).await?;
    let before = steered.generation().await?;
    let second = steered.example.push(Image::good(2)).await?;
    let load = start_load(&steered).await?;
    for _ in 0..Chance::kills(12) {
        let mut pass = steered.command().spawn()?;
        let lives = Duration::from_millis(chance.number(0..2500));
        // One that has ended by itself is dead as well.
        let _ = tokio::time::timeout(lives, pass.wait()).await;
        pass.kill().await?;
    }
    // The Lease of the last that was killed runs out; until then a pass leaves quietly.
    let end = tokio::time::Instant::now() + Duration::from_mins(2);
    loop {
        steered.pass().await?.expect_code(0)?;
        let rollout = &steered.status().await?["rollout"];
        if rollout.is_null() && steered.runs(&second).await.is_ok() {
            break;
        }
        ensure!(tokio::time::Instant::now() < end, "it did not converge: {rollout}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    steered.example.settled().await?;
    lost_nothing(load).await?;
    let changes = steered.generation().await? - before;
    ensure!(changes == 1, "the Deployment was changed {changes} times");
    Ok(())
}

async fn start_load(steered: &Steered) -> anyhow::Result<LoadHandle> {
    Ok(Load::start(&steered.example.url().await?, LoadSettings::default())?)
}

async fn lost_nothing(load: LoadHandle) -> anyhow::Result<()> {
    let report = load.stop().await;
    ensure!(
        report.failed == 0,
        "{} of {} failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(())
}
