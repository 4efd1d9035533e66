//! Requests for trips over kept connections, as quick as a client can be.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use mercurious_runtime::Tasks;
use mercurious_trials::report::Figures;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How fast is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many a second, whether or not they are answered.
    Rate(u32),
    /// Each connection as soon as it is answered.
    Most,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    /// Milliseconds from when a request was due to its answer.
    pub(crate) milliseconds: Figures,
    /// How many were accepted.
    pub(crate) accepted: u32,
}

/// A connection to a server.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request with a body and reads its answer: status and body.
    pub(crate) async fn ask(&mut self, head: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        timeout(LIMIT, async {
            self.stream.write_all(request.as_bytes()).await?;
            self.answer().await
        })
        .await
        .context("no answer in time")?
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, String)> {
        self.buffer.clear();
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
                let status = head.split(' ').nth(1).context("no status")?.parse()?;
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.unwrap_or("0").trim().parse()?;
                while self.buffer.len() < end + 4 + length {
                    self.more().await?;
                }
                let body = &self.buffer[end + 4..end + 4 + length];
                return Ok((status, String::from_utf8_lossy(body).into_owned()));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Sends a request without a body and leaves what follows to be read.
    pub(crate) async fn follow(mut self, path: &str) -> anyhow::Result<TcpStream> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        Ok(self.stream)
    }
}

/// A request, another one each time.
pub(crate) fn trip(number: u32) -> String {
    format!(
        r#"{{"destination":{{"name":"Lisbon"}},"start_date":"2027-05-04","end_date":"2027-05-06","seed":{number}}}"#
    )
}

/// Asks over so many connections for so long. An answer other than 202 is an error.
pub(crate) async fn post(
    port: u16,
    pace: Pace,
    connections: u32,
    duration: Duration,
) -> anyhow::Result<Posted> {
    let (tasks, all) = (Tasks::new(), Arc::<Mutex<(Posted, Option<anyhow::Error>)>>::default());
    let begin = Instant::now();
    for number in 0..connections {
        let all = Arc::clone(&all);
        tasks.spawn("connection", async move {
            let mut posted = Posted::default();
            let done = one(port, pace, (number, connections), begin + duration, &mut posted).await;
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.0.accepted += posted.accepted;
            all.0.milliseconds.extend(&posted.milliseconds);
            all.1 = all.1.take().or(done.err());
        });
    }
    let left = tasks.shut_down(duration + LIMIT * 2).await;
    anyhow::ensure!(left == 0, "{left} connections do not end");
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::take(&mut *all) {
        (posted, None) => Ok(posted),
        (_, Some(error)) => Err(error),
    }
}

async fn one(
    port: u16,
    pace: Pace,
    (number, connections): (u32, u32),
    end: Instant,
    posted: &mut Posted,
) -> anyhow::Result<()> {
    let mut line = Line::open(port).await?;
    let begin = Instant::now();
    let mut turn = 0;
    loop {
        let asked = number + turn * connections;
        let due = match pace {
            Pace::Rate(rate) => begin + Duration::from_secs(1) * asked / rate,
            Pace::Most => Instant::now(),
        };
        if due >= end {
            return Ok(());
        }
        sleep_until(due).await;
        let (status, body) = line.ask("POST /v1/trips", &trip(asked)).await?;
        anyhow::ensure!(status == 202, "{status}: {body}");
        posted.milliseconds.add(due.elapsed().as_secs_f64() * 1000.0);
        posted.accepted += 1;
        turn += 1;
    }
}
