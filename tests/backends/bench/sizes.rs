//! How much the services take: memory, image, start.

use std::{sync::atomic::AtomicUsize, time::Duration};

use anyhow::Context as _;
use mercurious_backends::{
    Process,
    travel::{Crowd, IMAGES, Local, client},
};
use mercurious_trials::{
    free_address,
    report::{Figures, Section, say},
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{on_one_machine, resident};

/// How often each is started.
const STARTS: usize = 5;

pub(crate) async fn measure(idle: Duration, trips: usize) -> anyhow::Result<Section> {
    let local = on_one_machine().await?;
    say(&format!("idle for {} s", idle.as_secs()));
    tokio::time::sleep(idle).await;
    let at_rest = memory(&local)?;
    let crowd = Crowd { people: 8, trips, seed: 1, limit: Duration::from_mins(20) };
    crowd.ask(&client()?, &[local.gateway()], &AtomicUsize::new(0)).await?;
    let after = memory(&local)?;
    let mut rows = Vec::new();
    for (service, (idle, worked)) in IMAGES.into_iter().zip(at_rest.into_iter().zip(after)) {
        let size = local.image_size(service).await? as f64 / 1e6;
        let start = starts(&local, service).await?;
        rows.push((
            format!("{service}: resident MB idle, after {trips} trips; image, MB compressed; seconds from start to ready"),
            format!("{idle:.1}, {worked:.1}; {size:.1}; {start}"),
        ));
    }
    Ok(Section {
        title: "Sizes",
        what: format!(
            "On one machine, as `mercurious up` runs them: resident memory of a replica {} s after its start, and after \
             {trips} trips of 8 people; the image as it was pushed, gzipped; and the program started {STARTS} times \
             beside them, in a group of its own, until `/ready` says yes.",
            idle.as_secs()
        ),
        rows,
    })
}

/// Of the largest replica of each service.
fn memory(local: &Local) -> anyhow::Result<Vec<f64>> {
    let of = |service: &str| {
        let sizes: anyhow::Result<Vec<f64>> =
            local.replicas(service).into_iter().map(resident).collect();
        sizes?.into_iter().reduce(f64::max).with_context(|| format!("no replica of {service}"))
    };
    IMAGES.into_iter().map(of).collect()
}

async fn starts(local: &Local, service: &str) -> anyhow::Result<Figures> {
    let mut seconds = Figures::default();
    for number in 0..STARTS {
        let directory = TempDir::with_prefix("mercurious-bench-")?;
        let (port, admin) = (free_address()?.port(), free_address()?.port());
        let place = directory.path().display();
        let access = local.access();
        let variables = [
            ("PORT", port.to_string()),
            ("LISTEN_ADDRESS", "127.0.0.1".to_owned()),
            ("KAFKA_BROKERS", access.broker),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT".to_owned()),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256".to_owned()),
            ("KAFKA_SASL_USERNAME", access.username.clone()),
            ("KAFKA_SASL_PASSWORD", access.password.clone()),
            ("KAFKA_GROUP_ID", format!("start-{service}-{number}")),
            ("STORE_URL", format!("sqlite:{place}/jobs.db")),
            ("BROKER_ADMIN_PORT", admin.to_string()),
            ("BROKER_DATA", format!("{place}/data")),
            ("BROKER_TOPICS", "work:3".to_owned()),
            ("BROKER_USERNAME", access.username),
            ("BROKER_PASSWORD", access.password),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let log = directory.path().join("log");
        let probe = if service == "broker" { admin } else { port };
        let url = format!("http://127.0.0.1:{probe}/ready");
        let client = client()?;
        let began = Instant::now();
        let program = local.program(service)?;
        let process = Process::start_with(&program, &[], &variables, directory.path(), &log)?;
        loop {
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            let late = began.elapsed() > Duration::from_mins(1);
            anyhow::ensure!(!late, "{service} is never ready: {}", process.last_words());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        seconds.add_seconds(began.elapsed());
    }
    Ok(seconds)
}
