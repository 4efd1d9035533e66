//! Which of many is the newest, where the alphabet says nothing about time.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mercurious_core::image::Digest;
use mercurious_trials::{Chance, Image};
use tokio::process::Command;

use crate::stage::{Scene, tests};

tests![r04_of_a_hundred_hashes_the_one_pushed_last_is_chosen_in_each_of_fifty_trials];

const TRIALS: u32 = 50;
const HASHES: u32 = 100;

async fn r04_of_a_hundred_hashes_the_one_pushed_last_is_chosen_in_each_of_fifty_trials(
    scene: Scene,
) -> anyhow::Result<()> {
    let seed = Chance::new().number(0..u64::MAX);
    let namespace = scene.namespace("hashes").await?;
    let images = scene.cluster().images();
    let pattern = images.small_pattern(&scene.program).await?;
    let repository = |trial: u32| format!("{}/trial-{trial}", namespace.name());
    let begin = Instant::now();
    let last: Vec<(u32, Digest)> = stream::iter(0..TRIALS)
        .map(|trial| {
            let (pattern, pushed) = (&pattern, images.pushed(&repository(trial)));
            async move {
                let mut last = None;
                for number in 0..HASHES {
                    let version = format!("{seed:x}-{trial}-{number}");
                    let image = Image { version, ..Image::good(number) };
                    last = Some(pattern.push(&pushed, &image).await?);
                }
                anyhow::Ok((trial, last.context("nothing was pushed")?))
            }
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    eprintln!("{} images pushed in {:.1} s", TRIALS * HASHES, begin.elapsed().as_secs_f64());

    let manifests: String =
        (0..TRIALS).map(|trial| wish(trial, &images.pulled(&repository(trial)))).collect();
    namespace.kubectl().apply(&manifests).await?;
    let begin = Instant::now();
    let output = Command::from(scene.engine.command())
        .args([
            "sync",
            "--namespace",
            namespace.name(),
            "--lease",
            namespace.name(),
            "--kubeconfig",
        ])
        .arg(&scene.cluster().facts().kubeconfig)
        .kill_on_drop(true)
        .output()
        .await?;
    eprintln!("one pass over {TRIALS}: {:.1} s", begin.elapsed().as_secs_f64());
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (trial, digest) in last {
        let get = format!(
            "get deployment trial-{trial} --output=jsonpath={{..spec.template.spec.containers[0].image}}"
        );
        let image = namespace.kubectl().line(&get).await?;
        ensure!(image.ends_with(&format!("@{digest}")), "trial {trial}: {image}, not {digest}");
    }
    Ok(())
}

/// No replica: what is chosen is looked at, and nothing runs.
fn wish(trial: u32, repository: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: trial-{trial} }}
spec:
  replicas: 0
  selector: {{ matchLabels: {{ app: trial-{trial} }} }}
  template:
    metadata: {{ labels: {{ app: trial-{trial} }} }}
    spec: {{ containers: [{{ name: app, image: '{repository}:none' }}] }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: trial-{trial} }}
spec: {{ image: '{repository}', interval: 1m0s, insecure: true }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: trial-{trial} }}
spec:
  imageRepositoryRef: {{ name: trial-{trial} }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: trial-{trial} }}
spec:
  target: {{ name: trial-{trial} }}
  policyRef: {{ name: trial-{trial} }}
  rollout: {{ timeout: 60s, bake: 1s }}
"
    )
}
