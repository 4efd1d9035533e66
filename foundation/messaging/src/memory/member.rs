use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{Broker, LOOK};
use crate::{Event, Partition, Revocation, Source, SourceError};

/// A member of a group. Dropping it is a crash: what was not committed comes again elsewhere.
pub struct Member {
    broker: Broker,
    group: String,
    id: u64,
    /// Where it reads on.
    at: BTreeMap<Partition, i64>,
    paused: Mutex<BTreeSet<Partition>>,
    leaving: Vec<(Vec<Partition>, oneshot::Receiver<()>)>,
    events: VecDeque<Event>,
}

impl Member {
    pub(super) fn join(broker: Broker, group: &str, topics: &[String]) -> Self {
        let mut state = broker.lock();
        state.members += 1;
        let id = state.members;
        let mut all = state.groups.entry(group.to_owned()).or_default().topics();
        all.extend(topics.iter().cloned());
        all.sort();
        all.dedup();
        let partitions = state.partitions(&all);
        if let Some(group) = state.groups.get_mut(group) {
            group.join(id, topics.to_vec(), &partitions);
        }
        drop(state);
        broker.changed.notify_waiters();
        Self {
            broker,
            group: group.to_owned(),
            id,
            at: BTreeMap::new(),
            paused: Mutex::default(),
            leaving: Vec::new(),
            events: VecDeque::new(),
        }
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, BTreeSet<Partition>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next, if anything does by now.
    fn look(&mut self) -> Option<Event> {
        let broker = self.broker.clone();
        let mut state = broker.lock();
        state.settle();
        let (rebalance, lose) = (state.chaos.rebalance, state.chaos.lose);
        let (rebalance, lose) = (state.happens(rebalance), state.happens(lose));
        let state = &mut *state;
        let group = state.groups.get_mut(&self.group)?;
        let mut moved = false;
        self.leaving.retain_mut(|(partitions, released)| {
            let waiting = matches!(released.try_recv(), Err(oneshot::error::TryRecvError::Empty));
            if !waiting {
                for partition in partitions.iter() {
                    group.release(partition);
                }
                moved = true;
            }
            waiting
        });
        if rebalance {
            group.shuffle(self.id, &mut state.random);
            moved = true;
        }
        if lose && let Some(partition) = group.lose(self.id, &mut state.random) {
            self.at.remove(&partition);
            self.events.push_back(Event::Lost(vec![partition]));
            moved = true;
        }
        let changes = group.changes(self.id);
        if moved {
            self.broker.changed.notify_waiters();
        }
        if !changes.revoked.is_empty() {
            self.at.retain(|partition, _| !changes.revoked.contains(partition));
            let (revocation, released) = Revocation::new(changes.revoked.clone());
            self.leaving.push((changes.revoked, released));
            self.events.push_back(Event::Revoked(revocation));
        }
        if !changes.assigned.is_empty() {
            for partition in &changes.assigned {
                self.at.insert(partition.clone(), group.committed(partition));
                self.paused().remove(partition);
            }
            self.events.push_back(Event::Assigned(changes.assigned));
        }
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let paused = self.paused().clone();
        let mut readable: Vec<_> =
            self.at.iter_mut().filter(|(partition, _)| !paused.contains(partition)).collect();
        state.random.shuffle(&mut readable);
        for (partition, offset) in readable {
            if let Some(message) = state.read(partition, *offset) {
                *offset += 1;
                return Some(Event::Message(message));
            }
        }
        None
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&mut self) -> Result<Event, SourceError> {
        loop {
            let broker = self.broker.clone();
            let changed = broker.changed.notified();
            if let Some(event) = self.look() {
                return Ok(event);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn pause(&self, partition: &Partition) {
        self.paused().insert(partition.clone());
    }

    fn resume(&self, partition: &Partition) {
        self.paused().remove(partition);
    }

    fn done(&self, partition: &Partition, next: i64) {
        let mut state = self.broker.lock();
        let drop_commit = state.chaos.drop_commit;
        if state.happens(drop_commit) {
            return;
        }
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.commit(self.id, partition, next);
        }
    }

    async fn leave(self: Box<Self>) {}
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.broker.lock();
        let state = &mut *state;
        let Some(topics) = state.groups.get(&self.group).map(super::group::Group::topics) else {
            return;
        };
        let partitions = state.partitions(&topics);
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.leave(self.id, &partitions);
        }
        self.broker.changed.notify_waiters();
    }
}
