//! Reading all of some topics, without a group.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
};
use tokio::sync::mpsc;

use super::{
    ClientError, Settings,
    client::Plain,
    source::{incoming, small},
};
use crate::{Follower, Incoming, SourceError};

impl ConsumerContext for Plain {}

/// Reads every message of some topics from a moment on.
pub struct KafkaFollower {
    messages: mpsc::Receiver<Incoming>,
    quit: Arc<AtomicBool>,
}

impl KafkaFollower {
    /// Reads `topics`, of `partitions` partitions each, from `since` on. `group` is named to the broker, which
    /// wants a name, and not joined. Finding the place happens in the background and is tried again until it
    /// works.
    pub fn follow(
        settings: &Settings,
        group: &str,
        topics: &[String],
        partitions: i32,
        since: Timestamp,
    ) -> Result<Self, ClientError> {
        let mut config = settings.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        small(&mut config);
        config.set("queued.max.messages.kbytes", "512").set("fetch.wait.max.ms", "500");
        let consumer: BaseConsumer<Plain> = config
            .create_with_context(Plain::default())
            .map_err(|error| ClientError(error.to_string()))?;
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..partitions {
                let at = Offset::Offset(since.as_millisecond());
                list.add_partition_offset(topic, partition, at)
                    .map_err(|error| ClientError(error.to_string()))?;
            }
        }
        let (sender, messages) = mpsc::channel(16);
        let quit = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&quit);
        std::thread::Builder::new()
            .name("kafka-follower".to_owned())
            .spawn(move || follow(&consumer, &list, &sender, &ending))
            .map_err(|error| ClientError(error.to_string()))?;
        Ok(Self { messages, quit })
    }
}

fn follow(
    consumer: &BaseConsumer<Plain>,
    since: &TopicPartitionList,
    messages: &mpsc::Sender<Incoming>,
    quit: &AtomicBool,
) {
    let mut assigned = false;
    while !quit.load(Ordering::Relaxed) {
        if !assigned {
            match assign(consumer, since) {
                Ok(()) => assigned = true,
                Err(error) => {
                    tracing::warn!(error = %error, "cannot find the place to read from; trying again");
                    // Also lets the client tell what is wrong.
                    let _ = consumer.poll(Duration::from_secs(1));
                }
            }
            continue;
        }
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) if messages.blocking_send(incoming(&message)).is_err() => return,
            Some(Err(error)) => tracing::debug!(error = %error, "following has trouble"),
            Some(Ok(_)) | None => {}
        }
    }
}

fn assign(consumer: &BaseConsumer<Plain>, since: &TopicPartitionList) -> Result<(), KafkaError> {
    let found = consumer.offsets_for_times(since.clone(), Duration::from_secs(5))?;
    let mut list = TopicPartitionList::new();
    for element in found.elements() {
        element.error()?;
        // Nothing that late: whatever comes next.
        let offset = match element.offset() {
            Offset::Invalid => Offset::End,
            offset => offset,
        };
        list.add_partition_offset(element.topic(), element.partition(), offset)?;
    }
    consumer.assign(&list)
}

#[async_trait]
impl Follower for KafkaFollower {
    async fn next(&mut self) -> Result<Incoming, SourceError> {
        let ended = || SourceError::Ended("the client's thread ended".to_owned());
        self.messages.recv().await.ok_or_else(ended)
    }
}

impl Drop for KafkaFollower {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        self.messages.close();
    }
}
