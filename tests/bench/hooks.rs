use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_core::{image::Digest, rollout::Phase};
use mercurious_distribution::{Distribution, RequestKind};
use mercurious_runtime::{CancellationToken, Tasks};
use mercurious_trials::{Home, Image, Program, Wish, free_address};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use crate::{figures::Figures, machine::say, page::Section};

const ROUNDS: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(30);
/// It would be looked again after this.
const INTERVAL: &str = "24h";
const TOKEN: &str = "a-token-for-measurements-only";

/// From a notification to the look, and to the rollout.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
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
    let wish = Wish {
        registry: Some(address),
        interval: INTERVAL,
        replicas: 1,
        bake: "100ms",
        grace_seconds: 1,
        checks: false,
        ..Wish::default()
    };
    let mut home = Home::new(program, wish)?;
    let hooks = free_address()?;
    home.arguments = receivers(&home, hooks)?;
    home.resume().await?;
    let (mut answered, mut looked, mut begun) =
        (Figures::default(), Figures::default(), Figures::default());
    for number in 0..ROUNDS {
        let (digest, _) = home.push(&Image::good(number)).await?;
        let heads = || registry.requests().count("HEAD", RequestKind::Manifest);
        let before = heads();
        let sent = Instant::now();
        let head = async {
            while heads() == before {
                ensure!(sent.elapsed() < PATIENCE, "nobody looked\n{}", home.log());
                sleep(Duration::from_micros(500)).await;
            }
            anyhow::Ok(sent.elapsed())
        };
        let (answer, head, rollout) = tokio::try_join!(
            notify(hooks, &home.repository()),
            head,
            rollout(&home, &digest, sent)
        )?;
        answered.add(answer.as_secs_f64() * 1000.0);
        looked.add(head.as_secs_f64() * 1000.0);
        begun.add(rollout.as_secs_f64() * 1000.0);
        home.ended(&digest, Phase::Succeeded).await?;
        say(&format!("notification {} of {ROUNDS}: looked after {head:?}", number + 1));
    }
    drop(home);
    stopping.cancel();
    tasks.shut_down(PATIENCE).await;
    let row = |what: &str, figures: &Figures| {
        let quantile = |share| figures.quantile(share).unwrap_or_default();
        (what.to_owned(), format!("{:.1}, {:.1}", quantile(0.5), quantile(0.95)))
    };
    Ok(Section {
        title: "Webhooks",
        what: format!(
            "{ROUNDS} pushes into another registry, looked at each {INTERVAL}, each told by a notification: \
             milliseconds from sending it, p50 and p95."
        ),
        rows: vec![
            row("answered", &answered),
            row("HEAD seen by the registry", &looked),
            row("rollout begun, as the API shows it", &begun),
        ],
    })
}

/// One receiver for the watched repository, as arguments of `up`.
fn receivers(home: &Home, hooks: SocketAddr) -> anyhow::Result<Vec<String>> {
    let token = home.place().join("token");
    std::fs::write(&token, TOKEN)?;
    let file = home.place().join("receivers.yaml");
    let receiver = format!(
        "receivers: [{{ name: it, type: generic, proof: path, secret: {{ file: {} }}, repositories: [{}] }}]",
        token.display(),
        home.repository()
    );
    std::fs::write(&file, receiver)?;
    let file = file.to_str().context("a path that is text")?.to_owned();
    Ok(vec!["--hooks-listen".to_owned(), hooks.to_string(), "--hooks".to_owned(), file])
}

/// Sends a notification as a registry would; how long the answer took.
async fn notify(hooks: SocketAddr, repository: &str) -> anyhow::Result<Duration> {
    let sent = Instant::now();
    let mut stream = TcpStream::connect(hooks).await?;
    let body = format!(r#"{{"image":"{repository}:latest"}}"#);
    let request = format!(
        "POST /hooks/it/{TOKEN} HTTP/1.1\r\nhost: {hooks}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 202"), "the notification was answered: {answer}");
    Ok(sent.elapsed())
}

/// Waits until a rollout of this release has begun.
async fn rollout(home: &Home, digest: &Digest, sent: Instant) -> anyhow::Result<Duration> {
    let client = home.client();
    loop {
        let view = client.show(Home::NAME).await?;
        let status = view.object.status.unwrap_or_default();
        let at_work = status.rollout.is_some_and(|rollout| rollout.release.digest == *digest);
        let over = status.history.iter().any(|attempt| attempt.release.digest == *digest);
        if at_work || over {
            return Ok(sent.elapsed());
        }
        ensure!(sent.elapsed() < PATIENCE, "no rollout began\n{}", home.log());
        sleep(Duration::from_millis(2)).await;
    }
}
