use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::{Chaos, LOOK, Member, group::Group};
use crate::{
    Follower, Incoming, LookError, Outgoing, Partition, Position, Producer, PublishError,
    SourceError, Standing, Standings,
};

/// The broker; clones are the same one.
#[derive(Clone)]
pub struct Broker {
    state: Arc<Mutex<State>>,
    pub(super) changed: Arc<Notify>,
}

pub(super) struct State {
    pub(super) chaos: Chaos,
    pub(super) random: fastrand::Rng,
    topics: BTreeMap<String, Vec<Log>>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) members: u64,
    down: bool,
}

#[derive(Default)]
struct Log {
    stored: Vec<Outgoing>,
    /// Acknowledged and not yet to be seen.
    held: Vec<Outgoing>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker with these topics, of `partitions` partitions each.
    pub fn new(seed: u64, chaos: Chaos, topics: &[String], partitions: i32) -> Self {
        let logs = || (0..partitions).map(|_| Log::default()).collect();
        let state = State {
            chaos,
            random: fastrand::Rng::with_seed(seed),
            topics: topics.iter().map(|topic| (topic.clone(), logs())).collect(),
            groups: BTreeMap::new(),
            members: 0,
            down: false,
        };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::new(Notify::new()) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong from now on.
    pub fn set_chaos(&self, chaos: Chaos) {
        self.lock().chaos = chaos;
    }

    /// Whether it answers at all. While it does not, nothing is stored and nobody gets anything.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
        self.changed.notify_waiters();
    }

    /// A new member of a group.
    pub fn join(&self, group: &str, topics: &[String]) -> Member {
        Member::join(self.clone(), group, topics)
    }

    /// Reads all of `topics` from their beginning.
    pub fn follow(&self, topics: &[String]) -> Box<dyn Follower> {
        let state = self.lock();
        let at = state.partitions(topics).into_iter().map(|partition| (partition, 0)).collect();
        Box::new(Reader { broker: self.clone(), at })
    }

    /// Tells how far a group is with a topic.
    pub fn standings(&self, group: &str, topic: &str) -> Box<dyn Standings> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Box::new(Ledger { broker: self.clone(), group, topic })
    }

    /// Everything in a topic, in the order of its partitions.
    pub fn messages(&self, topic: &str) -> Vec<Incoming> {
        let state = self.lock();
        let partitions = state.partitions(&[topic.to_owned()]);
        let read = |partition: Partition| {
            let state = &state;
            (0..).map_while(move |offset| state.read(&partition, offset))
        };
        partitions.into_iter().flat_map(read).collect()
    }

    /// How many messages of the group's topics are not committed; what is held back counts.
    pub fn lag(&self, group: &str) -> usize {
        let state = self.lock();
        let Some(group) = state.groups.get(group) else { return 0 };
        let partitions = state.partitions(&group.topics());
        let lag = |partition: &Partition| {
            let log = state.log(partition);
            let end = log.map_or(0, |log| log.stored.len() + log.held.len());
            end.saturating_sub(usize::try_from(group.committed(partition)).unwrap_or(0))
        };
        partitions.iter().map(lag).sum()
    }
}

impl State {
    pub(super) fn partitions(&self, topics: &[String]) -> Vec<Partition> {
        let mut partitions = Vec::new();
        for topic in topics {
            let count = self.topics.get(topic).map_or(0, Vec::len);
            let numbers = 0..count as i32;
            partitions.extend(numbers.map(|number| Partition { topic: topic.clone(), number }));
        }
        partitions
    }

    fn log(&self, partition: &Partition) -> Option<&Log> {
        self.topics.get(&partition.topic)?.get(usize::try_from(partition.number).ok()?)
    }

    pub(super) fn read(&self, partition: &Partition, offset: i64) -> Option<Incoming> {
        let log = self.log(partition).filter(|_| !self.down)?;
        let stored = log.stored.get(usize::try_from(offset).ok()?)?;
        Some(Incoming {
            position: Position {
                topic: partition.topic.clone(),
                partition: partition.number,
                offset,
            },
            key: Bytes::from(stored.key.clone()),
            headers: stored.headers.clone(),
            payload: stored.payload.clone(),
        })
    }

    /// Lets some of what is held back be seen; each key in its order.
    pub(super) fn settle(&mut self) {
        if self.down {
            return;
        }
        for log in self.topics.values_mut().flatten() {
            if !log.held.is_empty() && self.random.f64() < 0.5 {
                let chosen = self.random.usize(..log.held.len());
                let key = log.held[chosen].key.clone();
                if let Some(first) = log.held.iter().position(|held| held.key == key) {
                    let message = log.held.remove(first);
                    log.stored.push(message);
                }
            }
        }
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.f64() < probability
    }

    fn store(&mut self, message: &Outgoing) -> Result<(), PublishError> {
        let topic = message.topic.clone();
        let unacknowledged = |reason: &str| PublishError::Unacknowledged {
            topic: topic.clone(),
            reason: reason.to_owned(),
        };
        if self.down {
            return Err(unacknowledged("the broker is down"));
        }
        if self.happens(self.chaos.drop_message) {
            return Err(unacknowledged("dropped"));
        }
        let copies = 1 + usize::from(self.happens(self.chaos.duplicate));
        let hold = self.happens(self.chaos.delay);
        let Some(logs) = self.topics.get_mut(&message.topic).filter(|logs| !logs.is_empty()) else {
            let reason = "there is no such topic".to_owned();
            return Err(PublishError::Refused { topic, reason });
        };
        let mut hasher = DefaultHasher::new();
        message.key.hash(&mut hasher);
        let partition = (hasher.finish() % logs.len() as u64) as usize;
        let log = &mut logs[partition];
        let behind = log.held.iter().any(|held| held.key == message.key);
        let to = if hold || behind { &mut log.held } else { &mut log.stored };
        for _ in 0..copies {
            to.push(message.clone());
        }
        if self.happens(self.chaos.drop_ack) {
            return Err(unacknowledged("no acknowledgement"));
        }
        Ok(())
    }
}

#[async_trait]
impl Producer for Broker {
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let result = self.lock().store(&message);
        self.changed.notify_waiters();
        // Others have their turn, as they would with a network in between.
        tokio::task::yield_now().await;
        result
    }
}

struct Ledger {
    broker: Broker,
    group: String,
    topic: String,
}

#[async_trait]
impl Standings for Ledger {
    async fn look(&self) -> Result<Vec<Standing>, LookError> {
        let state = self.broker.lock();
        if state.down {
            return Err(LookError("the broker is down".to_owned()));
        }
        let group = state.groups.get(&self.group);
        let standing = |partition: Partition| {
            let committed = group.map_or(0, |group| group.committed(&partition));
            let end = state.log(&partition).map_or(0, |log| log.stored.len() as i64);
            Standing { partition, committed, end }
        };
        Ok(state.partitions(std::slice::from_ref(&self.topic)).into_iter().map(standing).collect())
    }
}

struct Reader {
    broker: Broker,
    at: BTreeMap<Partition, i64>,
}

#[async_trait]
impl Follower for Reader {
    async fn next(&mut self) -> Result<Incoming, SourceError> {
        loop {
            {
                let mut state = self.broker.lock();
                state.settle();
                for (partition, offset) in &mut self.at {
                    if let Some(message) = state.read(partition, *offset) {
                        *offset += 1;
                        return Ok(message);
                    }
                }
            }
            tokio::select! {
                () = self.broker.changed.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}
