//! Many people at the same time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use mercurious_runtime::Tasks;
use tokio::time::{Instant, sleep};

use super::{Heard, Person, Told};

/// How many ask, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// How many at the same time.
    pub people: usize,
    /// How many trips in all.
    pub trips: usize,
    /// Where chance begins.
    pub seed: u64,
    /// How long all of it may take.
    pub limit: Duration,
}

/// When the next one dies: after a while, and not before some more trips have ended, so that there is something to
/// disturb however slow the machine is.
#[derive(Debug, Clone, Copy)]
pub struct Respite {
    /// The while.
    pub pause: Duration,
    /// How many trips have ended by then.
    pub trips: usize,
}

impl Respite {
    /// One by chance, when so many trips have ended: often short, sometimes none at all.
    pub fn random(random: &mut fastrand::Rng, finished: usize) -> Self {
        let pause = Duration::from_millis(random.u64(200..2500));
        Self { pause, trips: finished + random.usize(..=16) }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// What was heard of each job, over streams that were cut and resumed.
    pub heard: BTreeMap<String, Vec<Told>>,
    /// How many requests were accepted.
    pub accepted: usize,
    /// Streams that were cut on purpose and went on; and of these, at another replica.
    pub resumed: (u32, u32),
}

impl Crowd {
    /// Asks for every trip and listens to its end; `finished` counts them.
    pub async fn ask(
        self,
        client: &reqwest::Client,
        gateways: &[String],
        finished: &AtomicUsize,
    ) -> anyhow::Result<Answers> {
        let (tasks, next) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
        let answers = Arc::new(Mutex::new(Answers::default()));
        let trouble = Arc::new(Mutex::new(None));
        for number in 0..self.people {
            let person = Person::new(client, gateways, self.seed.wrapping_add(number as u64));
            let (next, answers) = (Arc::clone(&next), Arc::clone(&answers));
            let trouble = Arc::clone(&trouble);
            tasks.spawn("person", async move {
                let asked = one(person, self.trips, &next, &answers).await;
                if let Err(error) = asked {
                    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            });
        }
        let began = Instant::now();
        loop {
            if let Some(error) = trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Err(error);
            }
            let now = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            finished.store(now.heard.len(), Ordering::Relaxed);
            if now.heard.len() >= self.trips {
                return Ok(now);
            }
            if began.elapsed() > self.limit {
                bail!("{} of {} trips after {:.0?}", now.heard.len(), self.trips, self.limit);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn one(
    mut person: Person,
    trips: usize,
    next: &AtomicUsize,
    answers: &Mutex<Answers>,
) -> anyhow::Result<()> {
    loop {
        let trip = next.fetch_add(1, Ordering::Relaxed);
        if trip >= trips {
            return Ok(());
        }
        let job = person.ask(trip).await?.job_id.to_string();
        answers.lock().unwrap_or_else(PoisonError::into_inner).accepted += 1;
        let cuts = person.chance(4);
        let told = person.listen(&job, cuts).await?;
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.heard.insert(job, told);
        let resumed = (std::mem::take(&mut person.resumed), std::mem::take(&mut person.elsewhere));
        answers.resumed = (answers.resumed.0 + resumed.0, answers.resumed.1 + resumed.1);
    }
}

impl Answers {
    /// Hears each job once more, from the first event to the last over one stream.
    pub async fn uncut(self, person: &mut Person) -> anyhow::Result<BTreeMap<String, Heard>> {
        let mut both = BTreeMap::new();
        for (job, cut) in self.heard {
            let uncut = person.listen(&job, 0).await?;
            both.insert(job, Heard { cut, uncut });
        }
        Ok(both)
    }
}
