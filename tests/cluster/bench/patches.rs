use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use mercurious_cluster::{Cluster, Namespace};
use mercurious_core::image::Digest;
use mercurious_runtime::{Clock as _, SystemClock};
use mercurious_trials::{
    Image, Program,
    report::{Figures, Section, say},
};
use tokio::time::{Instant, sleep};

use crate::{
    told::{PATIENCE, PAUSE, ToldController},
    wishes::Wish,
};

const ROUNDS: u32 = 30;

/// From a notification to the patch that the API server got, and to the new pod that is ready.
pub(crate) async fn measure(
    (program, engine): (&Program, &Program),
    cluster: &Cluster,
) -> anyhow::Result<Section> {
    let namespace = Namespace::make(cluster, "patches").await?;
    let images = cluster.images();
    let path = format!("{}/example", namespace.name());
    let push = |number: u32| images.push(program, &path, Image::good(number));
    push(0).await?;
    let repository = images.pulled(&path);
    let wish = Wish {
        name: "example",
        repository: &repository,
        image: &format!("{repository}:latest"),
        interval: "1h",
        replicas: 1,
        timeout: "2m",
        bake: "1s",
        checks: "[]",
    };
    namespace.kubectl().apply(&wish.manifests()).await?;
    let controller = ToldController::start(engine, cluster, &namespace, &repository)?;
    let (mut patched, mut ready) = (Figures::default(), Figures::default());
    for number in 0..=ROUNDS {
        let digest = push(number + 1).await?;
        let (sent, begin) = (SystemClock.now(), Instant::now());
        controller.notify().await?;
        let at = patch(cluster, namespace.name(), &digest)
            .await
            .with_context(|| controller.log())?
            .duration_since(sent)
            .as_secs_f64();
        namespace.kubectl().line("rollout status deployment/example --timeout=120s").await?;
        // The first is found by the first look, while the controller starts.
        if number > 0 {
            patched.add(at);
            ready.add_seconds(begin.elapsed());
            say(&format!("notification {number} of {ROUNDS}: patched after {at:.3} s"));
        }
        let phase = controller.ended(&namespace, &digest).await?;
        ensure!(phase == "Succeeded", "it ended {phase}\n{}", controller.log());
    }
    namespace.remove().await?;
    let row = |what: &str, figures: &Figures| {
        let quantile = |share| figures.quantile(share).unwrap_or_default();
        (what.to_owned(), format!("{:.2}, {:.2}", quantile(0.5), quantile(0.95)))
    };
    Ok(Section {
        title: "Webhooks on Kubernetes",
        what: format!(
            "{ROUNDS} pushes, each told by a notification to `mercurious controller` while nothing else would look for \
             an hour: seconds from sending it, p50 and p95. The API server's audit log says when it got the patch; \
             complete is what `kubectl rollout status` waits for, with one replica that is replaced."
        ),
        rows: vec![
            row("patch received by the API server", &patched),
            row("new pod ready, rollout complete", &ready),
        ],
    })
}

/// When the API server got the patch that names this digest.
async fn patch(cluster: &Cluster, namespace: &str, digest: &Digest) -> anyhow::Result<Timestamp> {
    let end = Instant::now() + PATIENCE;
    loop {
        let audit = cluster.audit()?;
        let patch = audit.iter().rev().find(|event| {
            event["verb"] == "patch"
                && event["objectRef"]["resource"] == "deployments"
                && event["objectRef"]["namespace"] == namespace
                && event["requestObject"].to_string().contains(digest.as_str())
        });
        if let Some(patch) = patch {
            let at = patch["requestReceivedTimestamp"].as_str().context("no time")?;
            return Ok(at.parse()?);
        }
        ensure!(Instant::now() < end, "no patch to {digest}");
        sleep(PAUSE).await;
    }
}
