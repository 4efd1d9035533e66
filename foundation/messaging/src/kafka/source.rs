//! A member of a consumer group.
//!
//! A thread of its own asks librdkafka for messages, so that the group hears from this member however long a
//! handler takes. When partitions go elsewhere, that thread waits until the loop lets them go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::{
    ClientContext, Message as _, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult},
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaErrorCode,
};
use tokio::sync::mpsc;

use super::{
    ClientError, KafkaStandings, Settings,
    client::{self, Trouble},
};
use crate::{
    Event, Headers, Incoming, Partition, Position, Revocation, Route, Source, SourceError, Together,
};

/// Messages on their way from the thread to the loop.
const CHANNEL: usize = 32;
/// How often the thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

type Sent = Result<Event, SourceError>;

pub(super) struct Context {
    events: mpsc::Sender<Sent>,
    trouble: Trouble,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::note(&self.trouble, &error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let _ = self.events.blocking_send(Ok(Event::Assigned(partitions(list))));
            }
            Rebalance::Revoke(list) if consumer.assignment_lost() => {
                let _ = self.events.blocking_send(Ok(Event::Lost(partitions(list))));
            }
            Rebalance::Revoke(list) => {
                let (revocation, released) = Revocation::new(partitions(list));
                // The loop lets go within its grace; when it is gone, the revocation is dropped here.
                if self.events.blocking_send(Ok(Event::Revoked(revocation))).is_ok() {
                    let _ = released.blocking_recv();
                }
                commit(consumer);
            }
            Rebalance::Error(error) => tracing::warn!(error = %error, "rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            tracing::warn!(error = %error, "offsets were not committed; their messages may come again");
        }
    }
}

fn commit(consumer: &BaseConsumer<Context>) {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Ok(()) => {}
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
        Err(error) => tracing::warn!(error = %error, "offsets were not committed"),
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let partition = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        Partition { topic: element.topic().to_owned(), number: element.partition() }
    };
    list.elements().into_iter().map(partition).collect()
}

/// A message as it came, copied out of librdkafka's memory.
pub(super) fn incoming(message: &BorrowedMessage<'_>) -> Incoming {
    let mut headers = Headers::new();
    if let Some(borrowed) = message.headers() {
        for header in borrowed.iter() {
            let value = header.value.map(Bytes::copy_from_slice).unwrap_or_default();
            headers.set(header.key, value);
        }
    }
    Incoming {
        position: Position {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        key: message.key().map(Bytes::copy_from_slice).unwrap_or_default(),
        headers,
        payload: message.payload().map(Bytes::copy_from_slice).unwrap_or_default(),
    }
}

/// A member of a group on Kafka.
pub struct KafkaSource {
    events: mpsc::Receiver<Sent>,
    consumer: Arc<BaseConsumer<Context>>,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KafkaSource {
    /// Joins `group` with two members: one for the topics of `routes`, one for their retry topics, so that each is
    /// shared out evenly.
    pub fn apart(
        settings: &Settings,
        group: &str,
        routes: &[Route],
    ) -> Result<Together, ClientError> {
        let join = |topics: Vec<String>| -> Result<(Vec<String>, Box<dyn Source>), ClientError> {
            let member = Box::new(Self::join(settings, group, &topics)?);
            Ok((topics, member))
        };
        let topics = routes.iter().map(|route| route.topic.clone()).collect();
        let retries = routes.iter().map(|route| route.retry.clone()).collect();
        Ok(Together::new(vec![join(topics)?, join(retries)?]))
    }

    /// Joins `group` for `topics`.
    pub fn join(settings: &Settings, group: &str, topics: &[String]) -> Result<Self, ClientError> {
        let failed = |error: KafkaError| ClientError(error.to_string());
        let (sender, events) = mpsc::channel(CHANNEL);
        let context = Context { events: sender.clone(), trouble: Trouble::default() };
        let mut config = settings.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "500")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "3000")
            .set("max.poll.interval.ms", "300000")
            .set("isolation.level", "read_committed");
        small(&mut config);
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(failed)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(failed)?;
        let consumer = Arc::new(consumer);
        let quit = Arc::new(AtomicBool::new(false));
        let thread = {
            let (consumer, quit) = (Arc::clone(&consumer), Arc::clone(&quit));
            std::thread::Builder::new()
                .name("kafka-source".to_owned())
                .spawn(move || poll(&consumer, &sender, &quit))
                .map_err(|error| ClientError(error.to_string()))?
        };
        Ok(Self { events, consumer, quit, thread: Some(thread) })
    }

    /// Asks, over this member's connections, how far its group is with `topic`.
    pub fn standings(&self, topic: &str, partitions: i32) -> KafkaStandings {
        KafkaStandings::new(Arc::downgrade(&self.consumer), topic, partitions)
    }

    fn list(partition: &Partition) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.number);
        list
    }
}

/// Little memory for what is fetched ahead.
pub(super) fn small(config: &mut rdkafka::ClientConfig) {
    config
        .set("queued.min.messages", "100")
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.max.bytes", "2097152")
        .set("message.max.bytes", "1000000")
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "50")
        .set("fetch.error.backoff.ms", "200");
}

fn poll(consumer: &BaseConsumer<Context>, events: &mpsc::Sender<Sent>, quit: &AtomicBool) {
    while !quit.load(Ordering::Relaxed) {
        let sent = match consumer.poll(LOOK) {
            None => continue,
            Some(Ok(message)) => Ok(Event::Message(incoming(&message))),
            Some(Err(error)) => match failure(&error) {
                Some(error) => Err(error),
                None => continue,
            },
        };
        if events.blocking_send(sent).is_err() {
            return;
        }
    }
}

/// What ends the consumer; everything else passes, and librdkafka goes on by itself.
fn failure(error: &KafkaError) -> Option<SourceError> {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Some(SourceError::Ended(error.to_string()));
    }
    let code = error.rdkafka_error_code();
    if matches!(code, Some(Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed)) {
        return Some(SourceError::Refused(error.to_string()));
    }
    tracing::debug!(error = %error, "consuming has trouble");
    None
}

#[async_trait]
impl Source for KafkaSource {
    async fn next(&mut self) -> Result<Event, SourceError> {
        match self.events.recv().await {
            Some(event) => event,
            None => Err(SourceError::Ended("the client's thread ended".to_owned())),
        }
    }

    fn pause(&self, partition: &Partition) {
        if let Err(error) = self.consumer.pause(&Self::list(partition)) {
            tracing::debug!(error = %error, partition = %partition, "not paused");
        }
    }

    fn resume(&self, partition: &Partition) {
        if let Err(error) = self.consumer.resume(&Self::list(partition)) {
            tracing::debug!(error = %error, partition = %partition, "not resumed");
        }
    }

    fn done(&self, partition: &Partition, next: i64) {
        // Kept by librdkafka, which commits the latest twice a second. `store_offset` takes the message's own.
        if let Err(error) = self.consumer.store_offset(&partition.topic, partition.number, next - 1)
        {
            tracing::debug!(error = %error, partition = %partition, "offset not kept: no longer ours");
        }
    }

    async fn leave(mut self: Box<Self>) {
        let consumer = Arc::clone(&self.consumer);
        let thread = self.thread.take();
        // Dropping the channel lets a rebalance that waits go on.
        drop(self);
        let left = tokio::task::spawn_blocking(move || {
            if let Some(thread) = thread {
                let _ = thread.join();
            }
            commit(&consumer);
            // Leaving the group takes place here.
            drop(consumer);
        });
        if tokio::time::timeout(Duration::from_secs(15), left).await.is_err() {
            tracing::warn!("the group was not left in time; the broker will notice by itself");
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        self.events.close();
    }
}
