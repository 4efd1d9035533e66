//! Everything that was accepted, against everything that came of it.

use std::collections::{BTreeMap, BTreeSet};

use mercurious_contracts::{job::JobStatus, topic};

use super::{Told, told::gaps};

/// A job as its store has it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub status: JobStatus,
    /// The numbers of its events, in order.
    pub events: Vec<u64>,
    /// How many of them are an end.
    pub ends: usize,
}

/// A message as its topic has it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its topic.
    pub topic: String,
    /// The job that it is about.
    pub job: String,
    /// Its id.
    pub id: String,
    /// What it says of the outcome, where it does.
    pub outcome: Option<String>,
}

/// A job as a person heard of it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What came over streams that were cut and resumed.
    pub cut: Vec<Told>,
    /// What one stream says from the first event to the last.
    pub uncut: Vec<Told>,
}

/// What was accepted, heard, stored and sent.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// How many requests were accepted.
    pub asked: usize,
    /// Each accepted job, and what was heard of it.
    pub heard: BTreeMap<String, Heard>,
    /// Every job of the store.
    pub stored: Vec<Stored>,
    /// Messages that still wait in the store, or were put aside.
    pub left: u64,
    /// Every message of the topics that tell an end, and of the dead letters.
    pub sent: Vec<Sent>,
}

/// The topics that tell how a step ended.
pub(super) const ENDS: [&str; 2] = [topic::ENRICHMENT_COMPLETED, topic::GENERATION_COMPLETED];

impl Ledger {
    /// Everything that is not as it should be: each accepted job is there once, has one end, which is `completed`,
    /// was told without gap or repetition, and each of its steps ended once.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.heard.len() != self.asked {
            faults.push(format!("{} requests have {} jobs", self.asked, self.heard.len()));
        }
        let stored: BTreeMap<&str, &Stored> =
            self.stored.iter().map(|job| (job.id.as_str(), job)).collect();
        for (id, heard) in &self.heard {
            match stored.get(id.as_str()) {
                None => faults.push(format!("{id} is lost: it is not in the store")),
                Some(stored) => faults.extend(of_job(stored, heard)),
            }
        }
        let unknown = stored.keys().filter(|id| !self.heard.contains_key(**id));
        faults.extend(unknown.map(|id| format!("{id} is in the store, and nobody asked for it")));
        if self.left > 0 {
            faults.push(format!("{} messages are left in the store", self.left));
        }
        faults.extend(self.of_topics());
        faults
    }

    fn of_topics(&self) -> Vec<String> {
        let mut faults = Vec::new();
        // By topic and job: message ids with what they say.
        let mut ends: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for Sent { topic, job, id, outcome } in &self.sent {
            if !ENDS.contains(&topic.as_str()) {
                faults.push(format!("{job} has a dead letter in {topic}"));
            } else if self.heard.contains_key(job) {
                let end = (id.as_str(), outcome.as_deref());
                ends.entry((topic.as_str(), job.as_str())).or_default().insert(end);
            } else {
                faults.push(format!("{topic} tells of {job}, for which nobody asked"));
            }
        }
        for job in self.heard.keys() {
            for topic in ENDS {
                match ends.get(&(topic, job.as_str())).map(BTreeSet::len) {
                    Some(1) => {}
                    None => faults.push(format!("{job} has no end in {topic}")),
                    Some(many) => faults.push(format!("{job} has {many} ends in {topic}")),
                }
            }
        }
        faults
    }

    /// Messages that came more than once, under one id: at least once is what brokers promise.
    pub fn repeated(&self) -> usize {
        let ids: BTreeSet<(&str, &str)> =
            self.sent.iter().map(|sent| (sent.topic.as_str(), sent.id.as_str())).collect();
        self.sent.len() - ids.len()
    }
}

fn of_job(stored: &Stored, heard: &Heard) -> Vec<String> {
    let Stored { id, status, events, ends } = stored;
    let mut faults = Vec::new();
    if *status != JobStatus::Completed {
        faults.push(format!("{id} is {}", status.as_str()));
    }
    let numbers: Vec<u64> = (1..=events.len() as u64).collect();
    if *events != numbers {
        faults.push(format!("{id} has the events {events:?} in the store"));
    }
    if *ends != 1 {
        faults.push(format!("{id} ended {ends} times in the store"));
    }
    faults.extend(gaps(&heard.uncut, *status).map(|gaps| format!("{id}, uncut: {gaps}")));
    if heard.cut != heard.uncut {
        faults.push(format!("{id}: cut and resumed, the stream is another one"));
    }
    if heard.uncut.len() != events.len() {
        faults.push(format!("{id}: {} events told of {}", heard.uncut.len(), events.len()));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: u64, event: &str) -> Told {
        Told { id, event: event.to_owned(), data: format!("{{\"number\":{id}}}") }
    }

    fn sent(topic: &str, job: &str, id: &str) -> Sent {
        let owned = |text: &str| text.to_owned();
        Sent { topic: owned(topic), job: owned(job), id: owned(id), outcome: Some(owned("ok")) }
    }

    /// Two jobs with nothing wrong; an end came twice under one id.
    fn right() -> Ledger {
        let mut ledger = Ledger { asked: 2, ..Ledger::default() };
        for job in ["one", "two"] {
            let all = vec![told(1, "progress"), told(2, "day"), told(3, "completed")];
            ledger.heard.insert(job.to_owned(), Heard { cut: all.clone(), uncut: all });
            let status = JobStatus::Completed;
            ledger.stored.push(Stored {
                id: job.to_owned(),
                status,
                events: vec![1, 2, 3],
                ends: 1,
            });
            for topic in ENDS {
                ledger.sent.push(sent(topic, job, &format!("{topic}-{job}")));
            }
        }
        let again = ledger.sent[0].clone();
        ledger.sent.push(again);
        ledger
    }

    #[test]
    fn where_everything_came_once_nothing_is_found() {
        assert_eq!(right().faults(), Vec::<String>::new());
        assert_eq!(right().repeated(), 1);
    }

    #[test]
    fn each_way_to_lose_or_double_a_job_is_found() {
        type Break = fn(&mut Ledger);
        let breaks: [(&str, Break); 15] = [
            ("2 requests have 1 jobs", |it| drop(it.heard.remove("two"))),
            ("one is lost", |it| drop(it.stored.remove(0))),
            ("one is generating", |it| it.stored[0].status = JobStatus::Generating),
            ("one is failed", |it| it.stored[0].status = JobStatus::Failed),
            ("ended 2 times", |it| it.stored[0].ends = 2),
            ("ended 0 times", |it| it.stored[0].ends = 0),
            ("has the events [1, 3]", |it| it.stored[0].events = vec![1, 3]),
            ("nobody asked for it", |it| {
                let other = Stored { id: "three".to_owned(), ..it.stored[0].clone() };
                it.stored.push(other);
            }),
            ("the stream is another one", |it| {
                it.heard.get_mut("two").unwrap().cut[1].data = "{}".to_owned();
            }),
            ("the stream is another one", |it| {
                drop(it.heard.get_mut("two").unwrap().cut.remove(1));
            }),
            ("numbered [1, 2, 2, 3]", |it| {
                it.heard.get_mut("two").unwrap().uncut.insert(1, told(2, "day"));
            }),
            ("has no end in travel-generation-completed", |it| {
                it.sent.retain(|sent| sent.topic != topic::GENERATION_COMPLETED);
            }),
            ("one has 2 ends in travel-enrichment-completed", |it| {
                it.sent.push(sent(topic::ENRICHMENT_COMPLETED, "one", "other"));
            }),
            ("has a dead letter", |it| {
                let dead = topic::dead_letters(topic::GENERATION_REQUEST);
                it.sent.push(sent(&dead, "one", "dead"));
            }),
            ("messages are left", |it| it.left = 1),
        ];
        for (expected, broken) in breaks {
            let mut ledger = right();
            broken(&mut ledger);
            let faults = ledger.faults();
            assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:?}");
        }
    }
}
