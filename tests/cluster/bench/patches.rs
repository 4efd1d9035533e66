use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use mercurious_cluster::{Cluster, Namespace};
use mercurious_core::image::Digest;
use mercurious_trials::{
    Image, Program, free_address,
    report::{Figures, Section, say},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use crate::wishes;

const ROUNDS: u32 = 30;
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(50);
const TOKEN: &str = "a-token-for-measurements-0123";

/// From a notification to the patch that the API server got, and to the new pod that is ready.
pub(crate) async fn measure(program: &Program, cluster: &Cluster) -> anyhow::Result<Section> {
    let namespace = Namespace::make(cluster, "patches").await?;
    let (kubectl, images) = (namespace.kubectl(), cluster.images());
    let path = format!("{}/example", namespace.name());
    let push = |number: u32| images.push(program, &path, Image::good(number));
    push(0).await?;
    let repository = images.pulled(&path);
    let wish = wishes::running("example", &repository, &format!("{repository}:latest"));
    kubectl.apply(&wish).await?;

    let place = tempfile::tempdir()?;
    let (token, receivers) = (place.path().join("token"), place.path().join("receivers.yaml"));
    std::fs::write(&token, TOKEN)?;
    let receiver = format!(
        "receivers: [{{ name: it, type: generic, proof: path, secret: {{ file: {} }}, repositories: ['{repository}'] }}]",
        token.display()
    );
    std::fs::write(&receivers, receiver)?;
    let hooks = free_address()?.to_string();
    let log = std::fs::File::create(place.path().join("log"))?;
    let _controller = Command::from(program.command())
        .args(["controller", "--listen", "127.0.0.1:0", "--hooks-listen", &hooks, "--hooks"])
        .arg(&receivers)
        .args(["--namespace", namespace.name(), "--image-namespace", namespace.name()])
        .arg("--kubeconfig")
        .arg(&cluster.facts().kubeconfig)
        .stdin(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;

    let (mut patched, mut ready) = (Figures::default(), Figures::default());
    // The first is found by the first look.
    for number in 1..=ROUNDS {
        let digest = push(number).await?;
        let (sent, begin) = (Timestamp::now(), Instant::now());
        notify(&hooks, &repository).await?;
        let at = patch(cluster, namespace.name(), &digest).await.with_context(|| {
            std::fs::read_to_string(place.path().join("log")).unwrap_or_default()
        })?;
        kubectl.line("rollout status deployment/example --timeout=120s").await?;
        if number > 1 {
            patched.add(at.duration_since(sent).as_secs_f64());
            ready.add_seconds(begin.elapsed());
            say(&format!("notification {number} of {ROUNDS}: {} s", at.duration_since(sent).as_secs_f64()));
        }
        over(&namespace, &digest).await?;
    }
    namespace.remove().await?;
    let row = |what: &str, figures: &Figures| {
        let quantile = |share| figures.quantile(share).unwrap_or_default();
        (what.to_owned(), format!("{:.2}, {:.2}", quantile(0.5), quantile(0.95)))
    };
    Ok(Section {
        title: "Webhooks on Kubernetes",
        what: format!(
            "{} pushes, each told by a notification to `mercurious controller` while nothing else would look for an \
             hour: seconds from sending it, p50 and p95. The API server's audit log says when it got the patch; ready \
             is what `kubectl rollout status` waits for, with one replica that is replaced.",
            ROUNDS - 1
        ),
        rows: vec![
            row("patch received by the API server", &patched),
            row("new pod ready, old one gone from the Deployment's count", &ready),
        ],
    })
}

async fn notify(hooks: &str, repository: &str) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    // It may not listen yet.
    let mut stream = loop {
        match TcpStream::connect(hooks).await {
            Ok(stream) => break stream,
            Err(error) => ensure!(Instant::now() < end, "no receiver: {error}"),
        }
        sleep(PAUSE).await;
    };
    let body = format!(r#"{{"image":"{repository}:latest"}}"#);
    let request = format!(
        "POST /hooks/it/{TOKEN} HTTP/1.1\r\nhost: {hooks}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 202"), "the notification was answered: {answer}");
    Ok(())
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

/// Waits until this rollout has ended.
async fn over(namespace: &Namespace, digest: &Digest) -> anyhow::Result<()> {
    let ran = "get autodeploy example --output=jsonpath={.status.history[0].release.digest}";
    namespace.until("the rollout's end", ran, |said| *said == digest.to_string()).await?;
    Ok(())
}
