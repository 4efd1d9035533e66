use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use mercurious_api::{Change, Verb};
use mercurious_core::{
    image::{Digest, Repository, Tag},
    rollout::Phase,
};
use mercurious_distribution::{Distribution, Requests};
use mercurious_registry::{BlobToPush, ImageToPush, Keychain, RegistryClient};
use mercurious_runtime::{CancellationToken, Tasks};
use mercurious_trials::{Home, Image, Program, Wish};
use serde_json::json;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use mercurious_trials::report::{Figures, Section};

const TAGS: u32 = 1000;
const POLLS: u64 = 10;
const RUNS: u32 = 5;

/// What a look costs a registry.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
    let mut rows = unchanged(program).await?;
    let home = Home::start(program, Wish::default()).await?;
    for (name, distinct) in [("team/each", TAGS), ("team/few", 50)] {
        let repository: Repository = format!("{}/{name}", home.registry).parse()?;
        fill(&repository, distinct).await?;
        let (mut seconds, mut requests) = (Figures::default(), String::new());
        for _ in 0..RUNS {
            let started = Instant::now();
            let answer = images(program, &repository).await?;
            seconds.add_seconds(started.elapsed());
            let spent = &answer["requests"];
            requests = format!(
                "{} HEAD, {} GET",
                spent["head"].as_u64().unwrap_or_default(),
                spent["get"].as_u64().unwrap_or_default()
            );
        }
        rows.push((
            format!(
                "{TAGS} tags of {distinct} images, newest of all, nothing known before: seconds"
            ),
            seconds.to_string(),
        ));
        rows.push(("the same: requests".to_owned(), requests));
    }
    Ok(Section {
        title: "Looks",
        what: "Counted by the registry, or by the program itself where it says what it spent."
            .to_owned(),
        rows,
    })
}

/// Requests of polls that find nothing new, and of a scan that is asked for.
async fn unchanged(program: &Program) -> anyhow::Result<Vec<(String, String)>> {
    let place = tempfile::tempdir()?;
    let registry = Distribution::open(place.path(), mercurious_distribution::Settings::default())
        .context("a registry")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (tasks, stopping) = (Tasks::new(), CancellationToken::new());
    let (served, stop) = (registry.clone(), stopping.clone());
    tasks.spawn("registry", async move {
        // Its end is the end of the measurement.
        let _ = mercurious_distribution::serve(listener, served, stop).await;
    });
    fill(&format!("{address}/{}", Wish::REPOSITORY).parse()?, 50).await?;
    let wish = Wish { registry: Some(address), interval: "2s", ..Wish::default() };
    let home = Home::start(program, wish).await?;
    let (digest, _) = home.push(&Image::good(1)).await?;
    home.ended(&digest, Phase::Succeeded).await?;
    let heads = |requests: &Requests| -> u64 {
        requests.iter().filter(|(method, ..)| *method == "HEAD").map(|(_, _, count)| count).sum()
    };
    let before = registry.requests();
    let until = Instant::now() + Duration::from_mins(1);
    while heads(&registry.requests()) < heads(&before) + POLLS {
        ensure!(
            Instant::now() < until,
            "no polls: {:?} after {before:?}\n{}",
            registry.requests(),
            home.log()
        );
        sleep(Duration::from_millis(50)).await;
    }
    let after = registry.requests();
    let (head, all) = (heads(&after) - heads(&before), after.total() - before.total());
    ensure!(head == all, "{all} requests for {head} HEAD");
    home.client().change(Home::NAME, Verb::Suspend, &Change::default()).await?;
    let rows = vec![(
        format!("polls of a repository of {TAGS} tags with nothing new: HEAD, all requests"),
        format!("{head}, {all}"),
    )];
    drop(home);
    stopping.cancel();
    tasks.shut_down(Duration::from_secs(10)).await;
    Ok(rows)
}

async fn images(program: &Program, repository: &Repository) -> anyhow::Result<serde_json::Value> {
    let output = tokio::process::Command::from(program.command())
        .args(["images", &repository.to_string(), "--output", "json", "--filter", "^sha-"])
        .stderr(Stdio::piped())
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Pushes tags that name so many distinct images, each with a build time of its own.
async fn fill(repository: &Repository, distinct: u32) -> anyhow::Result<()> {
    let (client, keychain) = (RegistryClient::builder().build()?, Keychain::anonymous());
    for number in 0..distinct {
        let created = jiff::Timestamp::from_second(1_700_000_000 + i64::from(number))?;
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": created.to_string(),
            "rootfs": { "type": "layers", "diff_ids": [] }, "config": {},
        });
        let config = Bytes::from(config.to_string());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(&config), "size": config.len(),
            },
            "layers": [],
        });
        let image = ImageToPush {
            blobs: vec![BlobToPush::from_bytes(config)],
            manifest: Bytes::from(manifest.to_string()),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        };
        let tags: Vec<Tag> = (number..TAGS)
            .step_by(distinct as usize)
            .map(|tag| {
                let commit = Digest::of(tag.to_string().as_bytes()).hex()[..40].to_owned();
                format!("sha-{commit}").parse()
            })
            .collect::<Result<_, _>>()?;
        client.push_image(repository, &image, &tags, None, &keychain).await?;
    }
    Ok(())
}
