//! People who ask at a steady rate, and who bear no failure.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mercurious_backends::travel::{Person, Told, client};
use mercurious_load::{Load, LoadHandle, LoadSettings};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::time::{MissedTickBehavior, interval};

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) accepted: usize,
    pub(crate) heard: BTreeMap<String, Vec<Told>>,
    /// Every request that failed, and every stream that broke off.
    pub(crate) faults: Vec<String>,
}

/// Trips that are asked for all the time, each with an open stream, beside small requests.
pub(crate) struct Traffic {
    client: reqwest::Client,
    gateway: String,
    seen: Arc<Mutex<Seen>>,
    tasks: Tasks,
    enough: CancellationToken,
    load: LoadHandle,
}

/// How often a trip is asked for.
const EACH: Duration = Duration::from_millis(400);
/// How long the last ones may take.
const PATIENCE: Duration = Duration::from_mins(3);

impl Traffic {
    pub(crate) fn begin(gateway: &str) -> anyhow::Result<Self> {
        let (client, tasks) = (client()?, Tasks::new());
        let (seen, enough) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let small = LoadSettings {
            keep_alive_connections: 4,
            fresh_per_second: 10.0,
            total_per_second: 50.0,
            timeout: Duration::from_secs(20),
        };
        let load = Load::start(&format!("{gateway}/"), small)?;
        let traffic = Self { client, gateway: gateway.to_owned(), seen, tasks, enough, load };
        traffic.ask();
        Ok(traffic)
    }

    fn ask(&self) {
        let (client, gateway) = (self.client.clone(), [self.gateway.clone()]);
        let (seen, tasks, enough) =
            (Arc::clone(&self.seen), self.tasks.clone(), self.enough.clone());
        self.tasks.spawn("traffic", async move {
            let mut due = interval(EACH);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 0.. {
                tokio::select! {
                    () = enough.cancelled() => return,
                    _ = due.tick() => {}
                }
                let mut person = Person::new(&client, &gateway, number);
                let seen = Arc::clone(&seen);
                tasks.spawn("person", async move {
                    let asked = one(&mut person, number as usize, &seen).await;
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.faults.extend(asked.err().map(|error| format!("{error:#}")));
                    seen.faults.append(&mut person.faults);
                });
            }
        });
    }

    /// Asks no more, and waits for all that was accepted.
    pub(crate) async fn end(self) -> anyhow::Result<Seen> {
        self.enough.cancel();
        let report = self.load.stop().await;
        let left = self.tasks.shut_down(PATIENCE).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = std::mem::take(&mut *seen);
        if left > 0 {
            seen.faults.push(format!("{left} people wait in vain"));
        }
        let small = report.failures.iter().map(|failure| format!("GET /: {}", failure.reason));
        seen.faults.extend(small);
        anyhow::ensure!(report.sent > 0, "no load at all");
        println!(
            "  {} small requests, {} failed; {} trips accepted, {} told to their end; {} faults",
            report.sent,
            report.failed,
            seen.accepted,
            seen.heard.len(),
            seen.faults.len()
        );
        Ok(seen)
    }
}

async fn one(person: &mut Person, number: usize, seen: &Mutex<Seen>) -> anyhow::Result<()> {
    let job = person.ask(number).await?.job_id.to_string();
    seen.lock().unwrap_or_else(PoisonError::into_inner).accepted += 1;
    let told = person.listen(&job, 0).await?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).heard.insert(job, told);
    Ok(())
}
