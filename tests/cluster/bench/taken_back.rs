use std::time::Duration;

use anyhow::{Context as _, ensure};
use mercurious_cluster::{Cluster, Namespace};
use mercurious_load::{Load, LoadSettings, ask};
use mercurious_trials::{
    Image, Program,
    report::{Figures, Section, say},
};
use tokio::time::{Instant, sleep};

use crate::{
    told::{PATIENCE, PAUSE, ToldController},
    wishes::{Wish, service},
};

const RUNS: u32 = 3;

/// What is wrong with an image, and how the example server is told.
const FAULTS: [(&str, Option<(&str, &str)>); 5] = [
    ("crashes at its start", Some(("EXAMPLE_CRASH_ON_START", "true"))),
    ("crashes 4 s after its start, while baking", Some(("EXAMPLE_CRASH_AFTER", "4s"))),
    ("fails its check", Some(("EXAMPLE_FAILING_CHECK", "true"))),
    ("is never ready (timeout 20 s)", Some(("EXAMPLE_NEVER_READY", "true"))),
    ("cannot be pulled", None),
];

/// Bad releases over a good one that serves under load.
pub(crate) async fn measure(
    (program, engine): (&Program, &Program),
    cluster: &Cluster,
) -> anyhow::Result<Section> {
    let namespace = Namespace::make(cluster, "taken-back").await?;
    let (kubectl, images) = (namespace.kubectl(), cluster.images());
    let path = format!("{}/example", namespace.name());
    images.push(program, &path, Image::good(1)).await?;
    let repository = images.pulled(&path);
    kubectl.apply(&service("example")).await?;
    let port = kubectl.json("get service example").await?;
    let port = port["spec"]["ports"][0]["nodePort"].as_u64().context("no port")?;
    let url = format!("http://{}:{port}/", cluster.facts().node);
    let wish = Wish {
        name: "example",
        repository: &repository,
        image: &format!("{repository}:latest"),
        interval: "1h",
        replicas: 2,
        timeout: "20s",
        bake: "8s",
        checks: &format!(
            "[{{ name: own, period: 1s, http: {{ url: '{url}check', status: 200 }} }}]"
        ),
    };
    kubectl.apply(&wish.manifests()).await?;
    kubectl.line("rollout status deployment/example --timeout=120s").await?;
    answers(&url).await?;
    let controller = ToldController::start(engine, cluster, &namespace, &repository)?;

    let (mut rows, mut sent, mut failed, mut number) = (Vec::new(), 0, 0, 1);
    for (what, fault) in FAULTS {
        let mut seconds = Figures::default();
        for _ in 0..RUNS {
            number += 1;
            // What crashes when it was ready has answered; its own requests are lost.
            let is_served = !what.contains("baking");
            let load =
                if is_served { Some(Load::start(&url, LoadSettings::default())?) } else { None };
            let pushed = if let Some((name, value)) = fault {
                images.push(program, &path, Image::good(number).with(name, value)).await?
            } else {
                let place = cluster.facts().place.as_deref().context("not our cluster")?;
                images.push_without_layer(program, place, &path, number).await?
            };
            let begin = Instant::now();
            controller.notify().await?;
            let phase = controller.ended(&namespace, &pushed).await?;
            seconds.add_seconds(begin.elapsed());
            ensure!(phase == "RolledBack", "{what}: it ended {phase}\n{}", controller.log());
            kubectl.line("rollout status deployment/example --timeout=120s").await?;
            if let Some(load) = load {
                let report = load.stop().await;
                (sent, failed) = (sent + report.sent, failed + report.failed);
                ensure!(report.failed == 0, "{what}: {:?}", report.failures);
            }
        }
        say(&format!("{what}: {seconds}"));
        rows.push((format!("seconds from push to taken back: {what}"), seconds.to_string()));
    }
    rows.push(("requests meanwhile, of them failed".to_owned(), format!("{sent}, {failed}")));
    // All of them are older than this one.
    let good = images.push(program, &path, Image::good(number + 1)).await?;
    controller.notify().await?;
    let phase = controller.ended(&namespace, &good).await?;
    rows.push(("the next good image".to_owned(), phase));
    namespace.remove().await?;
    Ok(Section {
        title: "Bad releases on Kubernetes",
        what: format!(
            "{RUNS} bad images of each kind pushed over a good one, of which two pods serve 200 requests a second; bake \
             8 s. Taken back means that the rollout has ended and the old image runs alone. No load while images crash \
             that had been ready: what they had taken they lose."
        ),
        rows,
    })
}

async fn answers(url: &str) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while ask(url, Duration::from_secs(2)).await.is_err() {
        ensure!(Instant::now() < end, "{url} does not answer");
        sleep(PAUSE).await;
    }
    Ok(())
}
