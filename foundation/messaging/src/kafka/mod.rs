//! Apache Kafka, by librdkafka.
//!
//! **Guarantees.** Producing is idempotent and waits for all in-sync replicas. Offsets are committed after the effect,
//! twice a second, and when a partition is let go. Partitions move cooperatively. Nothing creates a topic.
//!
//! **Caveats.** SASL proves who one is; without TLS nothing is encrypted, and whoever sees the network reads every
//! message. [`Settings::describe`] says which of the two is in use.

mod check;
mod client;
mod follower;
mod producer;
mod settings;
mod source;
mod standings;
mod topics;

pub use check::{CheckError, Expected, Partitions, check};
pub use follower::KafkaFollower;
pub use producer::KafkaProducer;
pub use settings::{Credentials, Mechanism, Settings, Tls};
pub use source::KafkaSource;
pub use standings::KafkaStandings;
pub use topics::{CreateError, create_topics};

use thiserror::Error;

/// A client that cannot be made.
#[derive(Debug, Error)]
#[error("cannot make a Kafka client: {0}")]
pub struct ClientError(String);
