//! Many streams at the same time.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_runtime::Tasks;
use mercurious_trials::report::{Section, say};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    on_real_servers,
    posting::{Line, trip},
    resident, setting,
};

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn measure(count: usize) -> anyhow::Result<Section> {
    let services = on_real_servers(&setting(&["api-gateway"], 1), false).await?;
    let (port, pid) = {
        let all = services.all();
        let gateway = all.first().context("no gateway")?;
        (gateway.port, gateway.pid().context("it does not run")?)
    };
    let mut line = Line::open(port).await?;
    let mut jobs = Vec::new();
    for number in 0..count {
        let (status, body) = line.ask("POST /v1/trips", &trip(number as u32)).await?;
        ensure!(status == 202, "{status}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body)?;
        jobs.push(body["job_id"].as_str().context("no job")?.to_owned());
    }
    let before = resident(pid)?;
    let (tasks, (told, mut hears)) = (Tasks::new(), mpsc::channel(count));
    let opened = Instant::now();
    for job in &jobs {
        let stream = Line::open(port).await?.follow(&format!("/v1/jobs/{job}/events")).await?;
        let told = told.clone();
        tasks.spawn("stream", async move {
            // Whoever listens is gone only when the measurement is.
            let _ = told.send(heard(stream, "event: progress").await).await;
        });
    }
    let mut streams = Vec::new();
    while streams.len() < count {
        let stream = timeout(LIMIT, hears.recv()).await.context("not all streams begin")?;
        streams.push(stream.context("nobody listens")??);
    }
    let opening = opened.elapsed();
    let after = resident(pid)?;
    say(&format!("{count} streams are open"));
    let cancelled = Instant::now();
    for stream in streams {
        let told = told.clone();
        tasks.spawn("stream", async move {
            let _ = told.send(heard(stream, "event: cancelled").await).await;
        });
    }
    let jobs = Arc::new(jobs);
    for job in jobs.iter() {
        let (status, body) = line.ask(&format!("DELETE /v1/jobs/{job}"), "").await?;
        ensure!(status < 300, "{status}: {body}");
    }
    for _ in 0..count {
        let end = timeout(LIMIT, hears.recv()).await.context("not all streams hear of the end")?;
        end.context("nobody listens")??;
    }
    let ending = cancelled.elapsed();
    tasks.shut_down(Duration::from_secs(1)).await;
    let each = (after - before) * 1000.0 / count as f64;
    Ok(Section {
        title: "Open streams",
        what: format!(
            "{count} jobs on one gateway (SQLite, a real Kafka), each followed by a stream of its own; then each job is \
             cancelled, and its stream must say so."
        ),
        rows: vec![
            (
                "streams, of them told their job's first event and its end".to_owned(),
                format!("{count}, {count}"),
            ),
            (
                "seconds until all are open; until all have heard the end".to_owned(),
                format!("{:.2}; {:.2}", opening.as_secs_f64(), ending.as_secs_f64()),
            ),
            (
                "resident memory of the gateway, MB: before, with all open".to_owned(),
                format!("{before:.1}, {after:.1}"),
            ),
            ("kB for each stream".to_owned(), format!("{each:.1}")),
        ],
    })
}

/// Reads until the stream has said `wanted`.
async fn heard(mut stream: TcpStream, wanted: &str) -> anyhow::Result<TcpStream> {
    let mut said = Vec::new();
    timeout(LIMIT, async {
        while !String::from_utf8_lossy(&said).contains(wanted) {
            ensure!(stream.read_buf(&mut said).await? > 0, "the stream ended");
        }
        Ok(())
    })
    .await
    .with_context(|| format!("it never says {wanted}"))??;
    Ok(stream)
}
