//! A person who asks for trips and listens how they come to be, however often the connection breaks.

use std::time::Duration;

use mercurious_contracts::job::{Accepted, Job, JobStatus};

/// An event as the stream has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: u64,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Told {
    pub(crate) fn is_terminal(&self) -> bool {
        ["completed", "failed", "cancelled"].contains(&self.event.as_str())
    }
}

pub(crate) struct Person {
    pub(crate) client: reqwest::Client,
    pub(crate) gateways: Vec<u16>,
    pub(crate) random: fastrand::Rng,
}

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(12);

impl Person {
    fn url(&mut self, path: &str) -> String {
        let port = self.gateways[self.random.usize(..self.gateways.len())];
        format!("http://127.0.0.1:{port}{path}")
    }

    async fn pause(&mut self) {
        let wait = self.random.u64(50..200);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// Asks for a trip until it is accepted.
    pub(crate) async fn ask(&mut self, number: usize) -> Accepted {
        let cities = ["Lisbon", "Kyoto"];
        let body = serde_json::json!({
            "destination": {"name": cities[number % cities.len()]},
            "start_date": "2026-05-04", "end_date": format!("2026-05-0{}", 5 + number % 3),
            "interests": {"museum": 4}, "seed": number,
        });
        let key = format!("\"trip-{number}-{}\"", self.random.u64(..));
        let began = tokio::time::Instant::now();
        loop {
            let url = self.url("/v1/trips");
            let sent =
                self.client.post(url).header("idempotency-key", &key).json(&body).send().await;
            match sent {
                Ok(answer) if answer.status() == 202 => {
                    if let Ok(accepted) = answer.json().await {
                        return accepted;
                    }
                }
                // Not now: being started, stopping, or the same is being accepted already.
                Ok(answer) if answer.status().is_server_error() || answer.status() == 409 => {}
                Ok(answer) => {
                    panic!("trip {number}: {} {:?}", answer.status(), answer.text().await)
                }
                Err(_) => {}
            }
            assert!(began.elapsed() < LIMIT, "trip {number} is never accepted");
            self.pause().await;
        }
    }

    /// Listens to the end; `cuts` is how often the connection is cut on purpose, somewhere.
    pub(crate) async fn listen(&mut self, job: &str, mut cuts: u32) -> Vec<Told> {
        let began = tokio::time::Instant::now();
        let mut told: Vec<Told> = Vec::new();
        loop {
            assert!(began.elapsed() < LIMIT, "job {job} never ends; told: {told:?}");
            let url = self.url(&format!("/v1/jobs/{job}/events"));
            let mut request = self.client.get(url);
            if let Some(last) = told.last() {
                request = request.header("last-event-id", last.id.to_string());
            }
            let Ok(mut answer) = request.send().await else {
                self.pause().await;
                continue;
            };
            if answer.status() == 204 {
                assert!(told.last().is_some_and(Told::is_terminal), "204 before the end: {told:?}");
                return told;
            }
            if !answer.status().is_success() {
                assert!(answer.status().is_server_error(), "{}", answer.status());
                self.pause().await;
                continue;
            }
            // Cut after so many bytes, which may be within an event.
            let mut left = match cuts {
                0 => usize::MAX,
                _ => self.random.usize(1..2500),
            };
            let mut buffer = Vec::new();
            while let Ok(Ok(Some(chunk))) =
                tokio::time::timeout(Duration::from_secs(40), answer.chunk()).await
            {
                let taken = chunk.len().min(left);
                left -= taken;
                buffer.extend_from_slice(&chunk[..taken]);
                while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                    let block: Vec<u8> = buffer.drain(..end + 2).collect();
                    told.extend(event(std::str::from_utf8(&block).unwrap()));
                }
                if told.last().is_some_and(Told::is_terminal) {
                    return told;
                }
                if left == 0 {
                    cuts -= 1;
                    break;
                }
            }
        }
    }

    /// The job as it is now.
    pub(crate) async fn job(&mut self, job: &str) -> Job {
        let began = tokio::time::Instant::now();
        loop {
            let url = self.url(&format!("/v1/jobs/{job}"));
            if let Ok(answer) = self.client.get(url).send().await
                && answer.status().is_success()
                && let Ok(job) = answer.json::<Job>().await
            {
                return job;
            }
            assert!(began.elapsed() < LIMIT, "job {job} cannot be seen");
            self.pause().await;
        }
    }
}

/// An event, unless the block is a comment or only says when to come back.
fn event(block: &str) -> Option<Told> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name));
        let values: Vec<&str> = lines.map(|value| value.trim_start_matches(' ')).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    Some(Told { id: field("id:")?.parse().ok()?, event: field("event:")?, data: field("data:")? })
}

/// Fails unless `told` is a whole stream: numbered from 1, with one end.
pub(crate) fn is_whole(job: &str, told: &[Told], status: JobStatus) {
    let numbers: Vec<u64> = told.iter().map(|told| told.id).collect();
    let expected: Vec<u64> = (1..=told.len() as u64).collect();
    assert_eq!(numbers, expected, "job {job}: events are missing or doubled");
    let ends: Vec<&Told> = told.iter().filter(|told| told.is_terminal()).collect();
    assert_eq!(ends.len(), 1, "job {job}: {ends:?}");
    assert_eq!(told.last().map(|told| told.event.as_str()), Some(status.as_str()), "job {job}");
}
