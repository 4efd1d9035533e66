//! A person who asks for trips and listens how they come to be, however often the connection breaks.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use mercurious_contracts::job::{Accepted, Job};
use tokio::time::{Instant, sleep, timeout};

use super::Told;

/// One person. Everything is tried again until it works; what did not is noted.
#[derive(Debug)]
pub struct Person {
    client: reqwest::Client,
    gateways: Vec<String>,
    random: fastrand::Rng,
    /// The gateway that was asked last.
    last: usize,
    /// Every request that failed, and every stream that broke off by itself.
    pub faults: Vec<String>,
    /// Streams that were cut on purpose and went on.
    pub resumed: u32,
    /// How many of them went on at another replica.
    pub elsewhere: u32,
}

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(12);

impl Person {
    /// One who asks these gateways (`http://host:port`), which one each time by chance.
    pub fn new(client: &reqwest::Client, gateways: &[String], seed: u64) -> Self {
        Self {
            client: client.clone(),
            gateways: gateways.to_vec(),
            random: fastrand::Rng::with_seed(seed),
            last: 0,
            faults: Vec::new(),
            resumed: 0,
            elsewhere: 0,
        }
    }

    /// A number below `most`, by chance.
    pub fn chance(&mut self, most: u32) -> u32 {
        self.random.u32(..most)
    }

    fn url(&mut self, path: &str) -> String {
        self.last = self.random.usize(..self.gateways.len());
        format!("{}{path}", self.gateways[self.last])
    }

    async fn pause(&mut self, fault: String) {
        self.faults.push(fault);
        let wait = self.random.u64(50..200);
        sleep(Duration::from_millis(wait)).await;
    }

    /// Asks for a trip until it is accepted.
    pub async fn ask(&mut self, number: usize) -> anyhow::Result<Accepted> {
        let cities = ["Lisbon", "Kyoto"];
        let body = serde_json::json!({
            "destination": {"name": cities[number % cities.len()]},
            "start_date": "2027-05-04", "end_date": format!("2027-05-0{}", 5 + number % 3),
            "interests": {"museum": 4}, "seed": number,
        });
        let key = format!("\"trip-{number}-{}\"", self.random.u64(..));
        let began = Instant::now();
        loop {
            let url = self.url("/v1/trips");
            let request = self.client.post(url).header("idempotency-key", &key).json(&body);
            let fault = match request.send().await {
                Ok(answer) if answer.status() == 202 => match answer.json().await {
                    Ok(accepted) => return Ok(accepted),
                    Err(error) => format!("asking: {error}"),
                },
                // Not now: being started, stopping, or the same is being accepted already.
                Ok(answer) if answer.status().is_server_error() || answer.status() == 409 => {
                    format!("asking: {}", answer.status())
                }
                Ok(answer) => {
                    bail!("trip {number}: {} {:?}", answer.status(), answer.text().await)
                }
                Err(error) => format!("asking: {error:?}"),
            };
            ensure!(began.elapsed() < LIMIT, "trip {number} is never accepted: {fault}");
            self.pause(fault).await;
        }
    }

    /// Listens to the end; `cuts` is how often the connection is cut on purpose, somewhere.
    pub async fn listen(&mut self, job: &str, mut cuts: u32) -> anyhow::Result<Vec<Told>> {
        let began = Instant::now();
        let mut told: Vec<Told> = Vec::new();
        let mut cut_at = None;
        loop {
            ensure!(began.elapsed() < LIMIT, "job {job} never ends; told: {told:?}");
            let url = self.url(&format!("/v1/jobs/{job}/events"));
            let mut request = self.client.get(url);
            if let Some(last) = told.last() {
                request = request.header("last-event-id", last.id.to_string());
            }
            let mut answer = match request.send().await {
                Ok(answer) if answer.status().is_success() => answer,
                Ok(answer) => {
                    let status = answer.status();
                    ensure!(status.is_server_error(), "job {job}: {status}");
                    self.pause(format!("listening: {status}")).await;
                    continue;
                }
                Err(error) => {
                    self.pause(format!("listening: {error:?}")).await;
                    continue;
                }
            };
            if let Some(replica) = cut_at.take() {
                self.resumed += 1;
                self.elsewhere += u32::from(replica != self.last);
            }
            if answer.status() == 204 {
                let ended = told.last().is_some_and(Told::is_terminal);
                ensure!(ended, "job {job}: 204 before the end: {told:?}");
                return Ok(told);
            }
            // Cut after so many bytes, which may be within an event.
            let most = if cuts == 0 { usize::MAX } else { self.random.usize(1..2500) };
            match read(&mut answer, most, &mut told).await {
                End::Whole => return Ok(told),
                End::Cut => {
                    cuts -= 1;
                    cut_at = Some(self.last);
                }
                // A replica that stops ends its streams in order, and says so.
                End::Closed => {}
                End::Broken(error) => self.pause(format!("listening: {error}")).await,
            }
        }
    }

    /// The job as it is now.
    pub async fn job(&mut self, job: &str) -> anyhow::Result<Job> {
        let began = Instant::now();
        loop {
            let url = self.url(&format!("/v1/jobs/{job}"));
            let asked = async {
                let answer = self.client.get(url).send().await?.error_for_status()?;
                answer.json::<Job>().await
            };
            match asked.await {
                Ok(job) => return Ok(job),
                Err(error) => {
                    ensure!(began.elapsed() < LIMIT, "job {job} cannot be seen: {error}");
                    self.pause(format!("looking: {error:?}")).await;
                }
            }
        }
    }
}

/// How reading a stream ended.
enum End {
    /// With the job's end.
    Whole,
    /// After as many bytes as were wanted.
    Cut,
    /// In order, before the job's end.
    Closed,
    /// In the middle of things.
    Broken(String),
}

/// Adds what the stream says to `told`, up to so many bytes.
async fn read(answer: &mut reqwest::Response, mut most: usize, told: &mut Vec<Told>) -> End {
    let mut buffer = Vec::new();
    loop {
        let chunk = match timeout(Duration::from_secs(40), answer.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return End::Closed,
            Ok(Err(error)) => return End::Broken(format!("{error:?}")),
            Err(_) => return End::Broken("nothing was said for 40 s".to_owned()),
        };
        let taken = chunk.len().min(most);
        most -= taken;
        buffer.extend_from_slice(&chunk[..taken]);
        while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = buffer.drain(..end + 2).collect();
            told.extend(Told::read(&String::from_utf8_lossy(&block)));
        }
        if told.last().is_some_and(Told::is_terminal) {
            return End::Whole;
        }
        if most == 0 {
            return End::Cut;
        }
    }
}

/// The client that people have: without a limit for a whole answer, as streams have none.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // A second provider cannot be installed; the first is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
    builder.no_proxy().build().context("no HTTP client")
}
