//! How far a group is.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::source::Context;
use crate::{LookError, Partition, Standing, Standings};

/// How long the broker may take for all of it.
const LIMIT: Duration = Duration::from_secs(4);

/// Asks over the connections of a group's member, as long as that is there.
pub struct KafkaStandings {
    consumer: Weak<BaseConsumer<Context>>,
    topic: String,
    partitions: i32,
}

impl KafkaStandings {
    pub(super) fn new(consumer: Weak<BaseConsumer<Context>>, topic: &str, partitions: i32) -> Self {
        Self { consumer, topic: topic.to_owned(), partitions }
    }
}

fn look(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: i32,
) -> Result<Vec<Standing>, KafkaError> {
    let until = Instant::now() + LIMIT;
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let committed = consumer.committed_offsets(list, left())?;
    let standing = |number: i32| {
        let (begin, end) = consumer.fetch_watermarks(topic, number, left())?;
        let known = committed.find_partition(topic, number);
        let committed = match known.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => offset,
            // Nothing was committed: the group begins at the beginning.
            _ => begin,
        };
        let partition = Partition { topic: topic.to_owned(), number };
        Ok(Standing { partition, committed: committed.max(begin), end })
    };
    (0..partitions).map(standing).collect()
}

#[async_trait]
impl Standings for KafkaStandings {
    async fn look(&self) -> Result<Vec<Standing>, LookError> {
        let gone = || LookError("this member has left".to_owned());
        let consumer = self.consumer.upgrade().ok_or_else(gone)?;
        let (topic, partitions) = (self.topic.clone(), self.partitions);
        let looked = tokio::task::spawn_blocking(move || look(&consumer, &topic, partitions)).await;
        match looked {
            Ok(Ok(standings)) => Ok(standings),
            Ok(Err(error)) => Err(LookError(error.to_string())),
            Err(error) => Err(LookError(error.to_string())),
        }
    }
}
