//! Sending.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use tokio::sync::oneshot;

use super::{
    ClientError, Settings,
    client::{self, Trouble},
};
use crate::{Outgoing, Producer, PublishError};

/// How long a message may take to be acknowledged.
const DELIVERY: Duration = Duration::from_secs(30);

struct Context(Trouble);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::note(&self.0, &error, reason);
    }
}

type Delivered = Result<(), KafkaError>;

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Delivered>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may be gone.
        let _ = waiting.send(result);
    }
}

type Client = Arc<ThreadedProducer<Context>>;

/// Sends to Kafka: idempotently, and acknowledged by all in-sync replicas.
pub struct KafkaProducer {
    settings: Settings,
    client: Mutex<Client>,
    trouble: Trouble,
}

impl fmt::Debug for KafkaProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl KafkaProducer {
    /// Makes a producer. It connects by itself, now and after each loss of the connection.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let trouble = Trouble::default();
        let client = Mutex::new(make(settings, &trouble)?);
        Ok(Self { settings: settings.clone(), client, trouble })
    }

    fn client(&self) -> Client {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a broker answers a question about `topic` within `timeout`: for readiness. Blocks.
    pub fn is_reachable(&self, topic: &str, timeout: Duration) -> bool {
        self.client().client().fetch_metadata(Some(topic), timeout).is_ok()
    }

    /// After a fatal error only a new client can send.
    fn renew(&self, broken: &Client) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&client, broken) {
            match make(&self.settings, &self.trouble) {
                Ok(new) => *client = new,
                Err(error) => tracing::error!(error = %error, "the producer is broken"),
            }
        }
    }

    fn failure(&self, topic: String, error: &KafkaError, client: &Client) -> PublishError {
        use RDKafkaErrorCode as Code;
        let mut reason = error.to_string();
        // A time-out says nothing; the cause was told elsewhere.
        if let Some((_, cause)) = self.trouble.last() {
            reason = format!("{reason}; the client says: {cause}");
        }
        match error.rdkafka_error_code() {
            Some(
                Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidTopic
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::InvalidRecord,
            ) => PublishError::Refused { topic, reason },
            Some(Code::Fatal | Code::OutOfOrderSequenceNumber | Code::UnknownProducerId) => {
                tracing::warn!(reason, "the producer broke; making a new one");
                self.renew(client);
                PublishError::Unacknowledged { topic, reason }
            }
            _ => PublishError::Unacknowledged { topic, reason },
        }
    }
}

fn make(settings: &Settings, trouble: &Trouble) -> Result<Client, ClientError> {
    let mut config = settings.client();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "1")
        .set("message.timeout.ms", DELIVERY.as_millis().to_string())
        .set("queue.buffering.max.kbytes", "16384")
        .set("queue.buffering.max.messages", "20000")
        .set("topic.metadata.propagation.max.ms", "5000");
    let client = config.create_with_context(Context(trouble.clone()));
    client.map(Arc::new).map_err(|error| ClientError(error.to_string()))
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let client = self.client();
        let mut waits = 0;
        let delivered = loop {
            let (sender, receiver) = oneshot::channel();
            let mut headers = OwnedHeaders::new_with_capacity(message.headers.iter().count());
            for (key, value) in message.headers.iter() {
                headers = headers.insert(Header { key, value: Some(value.as_ref()) });
            }
            let record = BaseRecord::with_opaque_to(&message.topic, Box::new(sender))
                .key(message.key.as_bytes())
                .payload(message.payload.as_ref())
                .headers(headers);
            match client.send(record) {
                Ok(()) => break receiver,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                    if waits < 300 =>
                {
                    waits += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err((error, _)) => return Err(self.failure(message.topic, &error, &client)),
            }
        };
        match tokio::time::timeout(DELIVERY + Duration::from_secs(10), delivered).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(self.failure(message.topic, &error, &client)),
            Ok(Err(_)) | Err(_) => {
                let reason = "the client did not say what became of it".to_owned();
                Err(PublishError::Unacknowledged { topic: message.topic, reason })
            }
        }
    }
}
