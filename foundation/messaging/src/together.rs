use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::{join_all, select_all};

use crate::{Event, Partition, Source, SourceError};

/// Members of a group that are read as one, each with topics of its own.
///
/// A group shares out the partitions of all topics together, so that one member may get all of a topic and another one
/// all of its retry topic, which is empty as a rule. Where each is subscribed to by a member of its own, each is
/// shared out evenly.
pub struct Together {
    members: Vec<Box<dyn Source>>,
    /// Which member reads a topic.
    of: BTreeMap<String, usize>,
    /// Whose turn it is, where several have something.
    turn: usize,
}

impl Together {
    /// Reads all `members`; each comes with its topics, which no other one has.
    pub fn new(members: Vec<(Vec<String>, Box<dyn Source>)>) -> Self {
        let mut together = Self { members: Vec::new(), of: BTreeMap::new(), turn: 0 };
        for (topics, member) in members {
            let number = together.members.len();
            together.of.extend(topics.into_iter().map(|topic| (topic, number)));
            together.members.push(member);
        }
        together
    }

    fn member(&self, partition: &Partition) -> Option<&dyn Source> {
        let number = *self.of.get(&partition.topic)?;
        self.members.get(number).map(AsRef::as_ref)
    }
}

#[async_trait]
impl Source for Together {
    async fn next(&mut self) -> Result<Event, SourceError> {
        if self.members.is_empty() {
            return Err(SourceError::Ended("there is no member".to_owned()));
        }
        let count = self.members.len();
        self.turn = (self.turn + 1) % count;
        let mut waiting: Vec<_> = self.members.iter_mut().map(|member| member.next()).collect();
        // The first that has something is taken.
        waiting.rotate_left(self.turn);
        select_all(waiting).await.0
    }

    fn pause(&self, partition: &Partition) {
        if let Some(member) = self.member(partition) {
            member.pause(partition);
        }
    }

    fn resume(&self, partition: &Partition) {
        if let Some(member) = self.member(partition) {
            member.resume(partition);
        }
    }

    fn done(&self, partition: &Partition, next: i64) {
        if let Some(member) = self.member(partition) {
            member.done(partition, next);
        }
    }

    async fn leave(self: Box<Self>) {
        join_all(self.members.into_iter().map(Source::leave)).await;
    }
}
