use std::time::Duration;

use anyhow::Context as _;
use mercurious_core::rollout::Phase;
use mercurious_distribution::Distribution;
use mercurious_load::{EventStream, Load, LoadSettings, ask, watch_until_version};
use mercurious_runtime::{CancellationToken, Tasks};
use mercurious_trials::{Home, Image, Program, Wish};
use tokio::net::TcpListener;

use mercurious_trials::report::{Figures, Section, say};

const ROLLOUTS: u32 = 20;
const PATIENCE: Duration = Duration::from_mins(1);

/// Rollouts in a row under load, each with an open stream and a slow request.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
    let wish = Wish { grace_seconds: 8, ..Wish::default() };
    let home = Home::start(program, wish).await?;
    let (first, _) = home.push(&Image::good(0)).await?;
    home.ended(&first, Phase::Succeeded).await?;
    let load = Load::start(&home.url("/"), LoadSettings::default())?;
    let tasks = Tasks::new();
    let (mut served, mut complete) = (Figures::default(), Figures::default());
    let mut faults = Vec::new();
    let mut streams = Vec::new();
    for number in 1..=ROLLOUTS {
        let image = Image::good(number);
        streams.push(EventStream::open(&home.url("/events"), PATIENCE, &tasks).await?);
        let slow_url = home.url("/slow?ms=5000");
        let slow = ask(&slow_url, PATIENCE);
        let switch = async {
            let (digest, pushed) = home.push(&image).await?;
            let seen = watch_until_version(&home.url("/"), &image.version, PATIENCE).await?;
            home.ended(&digest, Phase::Succeeded).await?;
            anyhow::Ok((seen - pushed, pushed.elapsed()))
        };
        let (slow, switch) = tokio::join!(slow, switch);
        let (seen, all) = switch?;
        served.add_seconds(seen);
        complete.add_seconds(all);
        faults.extend(slow.err().map(|error| format!("slow request: {error}")));
        say(&format!("rollout {number} of {ROLLOUTS}: served after {:.2} s", seen.as_secs_f64()));
    }
    let opened = streams.len();
    let mut events = 0;
    for stream in streams {
        let end = stream.ended(PATIENCE).await;
        events += end.events;
        faults.extend(end.fault.map(|fault| format!("stream: {fault}")));
    }
    let report = load.stop().await;
    let failures = report.failures.iter().map(|failure| failure.reason.clone());
    faults.extend(failures);
    let quantile = |share| {
        report.latencies.quantile(share).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    };
    anyhow::ensure!(faults.is_empty(), "something was lost: {}", faults.join("; "));
    Ok(Section {
        title: "Rollouts under load",
        what: format!(
            "{ROLLOUTS} rollouts in a row of 2 replicas under {:.0} requests a second ({} kept connections, {:.0} \
             fresh ones a second); at each switch one open stream of Server-Sent Events and one request of 5 s.",
            LoadSettings::default().total_per_second,
            LoadSettings::default().keep_alive_connections,
            LoadSettings::default().fresh_per_second,
        ),
        rows: vec![
            ("requests, of them failed".to_owned(), format!("{}, {}", report.sent, report.failed)),
            ("slow requests, of them failed".to_owned(), format!("{ROLLOUTS}, 0")),
            ("streams, of them cut; events".to_owned(), format!("{opened}, 0; {events}")),
            ("seconds from push to served by the new version".to_owned(), served.to_string()),
            ("seconds from push to announced success (bake 1 s, and what the old replicas had begun has ended)".to_owned(), complete.to_string()),
            (
                "latency, ms: median, 99 %, longest".to_owned(),
                format!("{:.1}, {:.1}, {:.1}", quantile(0.5), quantile(0.99), quantile(1.0)),
            ),
        ],
    })
}

/// Pushes into a registry that tells nobody.
pub(crate) async fn measure_other_registry(program: &Program) -> anyhow::Result<Section> {
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
    let wish = Wish { registry: Some(address), interval: "5s", ..Wish::default() };
    let home = Home::start(program, wish).await?;
    let mut seconds = Figures::default();
    for number in 0..5 {
        let image = Image::good(number);
        let (digest, pushed) = home.push(&image).await?;
        let seen = watch_until_version(&home.url("/"), &image.version, PATIENCE).await?;
        home.ended(&digest, Phase::Succeeded).await?;
        seconds.add_seconds(seen - pushed);
    }
    drop(home);
    stopping.cancel();
    tasks.shut_down(PATIENCE).await;
    Ok(Section {
        title: "Another registry",
        what: "Pushes into a registry that sends no hint, looked at each 5 s.".to_owned(),
        rows: vec![(
            "seconds from push to served by the new version".to_owned(),
            seconds.to_string(),
        )],
    })
}
