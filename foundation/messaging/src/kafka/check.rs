//! What must be right before a service says that it is ready: that brokers answer, take the credentials, and have the
//! topics with the right number of partitions. Each fault has its own name.

use std::time::{Duration, Instant};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::Metadata,
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};
use thiserror::Error;

use super::{
    Settings,
    client::{Plain, Trouble},
};

/// What must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The topics.
    pub topics: Vec<String>,
    /// The partitions of each.
    pub partitions: i32,
}

/// A topic whose partitions are not as many as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions {
    /// The topic.
    pub topic: String,
    /// How many it has.
    pub found: usize,
}

/// Why Kafka cannot be used as it is.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CheckError {
    /// Nobody answers.
    #[error("no broker answers at {brokers}: {reason}")]
    Unreachable {
        /// Where.
        brokers: String,
        /// What the client says.
        reason: String,
    },
    /// The user is not known, or the password is wrong.
    #[error(
        "{brokers} does not take the password of {username} ({mechanism}): {reason}; compare KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD with what the broker has"
    )]
    WrongCredentials {
        /// Where.
        brokers: String,
        /// Who.
        username: String,
        /// How.
        mechanism: &'static str,
        /// What the broker says.
        reason: String,
    },
    /// The broker speaks another protocol, or its certificate is not trusted.
    #[error(
        "no TLS with {brokers}: {reason}; compare KAFKA_SECURITY_PROTOCOL and KAFKA_CA_FILE with the broker's listener"
    )]
    Tls {
        /// Where.
        brokers: String,
        /// What the client says.
        reason: String,
    },
    /// Topics are not there.
    #[error("missing topics: {}; create each with {partitions} partitions, they are never created by themselves", .topics.join(", "))]
    MissingTopics {
        /// Which ones.
        topics: Vec<String>,
        /// How many partitions they need.
        partitions: i32,
    },
    /// Topics have another number of partitions.
    #[error("topics without the expected {expected} partitions: {}", .topics.iter().map(|found| format!("{} has {}", found.topic, found.found)).collect::<Vec<_>>().join(", "))]
    WrongPartitions {
        /// Which ones.
        topics: Vec<Partitions>,
        /// How many are expected.
        expected: i32,
    },
    /// The user may not see topics.
    #[error("{username} may not use these topics: {}", .topics.join(", "))]
    NotAllowed {
        /// Who.
        username: String,
        /// Which ones.
        topics: Vec<String>,
    },
    /// The settings make no client.
    #[error("cannot make a Kafka client: {0}")]
    Client(String),
}

impl CheckError {
    /// A name that does not change, for metrics and conditions.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "kafka-unreachable",
            Self::WrongCredentials { .. } => "kafka-wrong-credentials",
            Self::Tls { .. } => "kafka-tls",
            Self::MissingTopics { .. } => "kafka-missing-topics",
            Self::WrongPartitions { .. } => "kafka-wrong-partitions",
            Self::NotAllowed { .. } => "kafka-not-allowed",
            Self::Client(_) => "kafka-client",
        }
    }

    /// Whether it may go away by itself.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// Looks whether Kafka can be used; takes at most about `timeout`.
pub async fn check(
    settings: &Settings,
    expected: Expected,
    timeout: Duration,
) -> Result<(), CheckError> {
    let settings = settings.clone();
    let looked = tokio::task::spawn_blocking(move || look(&settings, &expected, timeout));
    looked.await.unwrap_or_else(|error| Err(CheckError::Client(error.to_string())))
}

fn look(settings: &Settings, expected: &Expected, timeout: Duration) -> Result<(), CheckError> {
    let context = Plain::default();
    let trouble = context.trouble.clone();
    let config = settings.client();
    let client: BaseConsumer<Plain> = config
        .create_with_context(context)
        .map_err(|error| CheckError::Client(error.to_string()))?;
    let deadline = Instant::now() + timeout;
    let metadata = loop {
        match client.fetch_metadata(None, Duration::from_secs(1)) {
            Ok(metadata) => break metadata,
            Err(error) => {
                // The cause comes as an event.
                let _ = client.poll(Duration::from_millis(50));
                if let Some(error) = cause(settings, &trouble) {
                    return Err(error);
                }
                if Instant::now() >= deadline {
                    return Err(unreachable(settings, &trouble, &error));
                }
            }
        }
    };
    judge(settings, expected, &metadata, |topic| denied(&client, topic))
}

fn brokers(settings: &Settings) -> String {
    settings.brokers.join(",")
}

/// What the client's errors tell, where it is more than that nobody answers.
fn cause(settings: &Settings, trouble: &Trouble) -> Option<CheckError> {
    let (code, reason) = trouble.last()?;
    match (code, &settings.credentials) {
        (
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed,
            Some(credentials),
        ) => Some(CheckError::WrongCredentials {
            brokers: brokers(settings),
            username: credentials.username.clone(),
            mechanism: credentials.mechanism.as_str(),
            reason,
        }),
        (RDKafkaErrorCode::SSL, _) => Some(CheckError::Tls { brokers: brokers(settings), reason }),
        _ => None,
    }
}

fn unreachable(settings: &Settings, trouble: &Trouble, error: &KafkaError) -> CheckError {
    let reason = trouble.last().map_or_else(|| error.to_string(), |(_, reason)| reason);
    CheckError::Unreachable { brokers: brokers(settings), reason }
}

fn denied(client: &BaseConsumer<Plain>, topic: &str) -> bool {
    let metadata = client.fetch_metadata(Some(topic), Duration::from_secs(5));
    metadata.is_ok_and(|metadata| {
        let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        metadata.topics().iter().any(|topic| topic.error() == Some(denied))
    })
}

fn judge(
    settings: &Settings,
    expected: &Expected,
    metadata: &Metadata,
    denied: impl Fn(&str) -> bool,
) -> Result<(), CheckError> {
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    for topic in &expected.topics {
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| found.partitions().len()).filter(|count| *count > 0) {
            None => missing.push(topic.clone()),
            Some(found) if i32::try_from(found) != Ok(expected.partitions) => {
                wrong.push(Partitions { topic: topic.clone(), found });
            }
            Some(_) => {}
        }
    }
    if let Some(first) = missing.first()
        && denied(first)
    {
        let username = settings.credentials.as_ref().map(|known| known.username.clone());
        let username = username.unwrap_or_else(|| "nobody in particular".to_owned());
        return Err(CheckError::NotAllowed { username, topics: missing });
    }
    if !missing.is_empty() {
        return Err(CheckError::MissingTopics { topics: missing, partitions: expected.partitions });
    }
    if !wrong.is_empty() {
        return Err(CheckError::WrongPartitions { topics: wrong, expected: expected.partitions });
    }
    Ok(())
}
