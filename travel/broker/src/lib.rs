//! One small broker that speaks the wire protocol of Kafka: the messages of the one-machine home, kept in SQLite.
//!
//! It answers what librdkafka asks, with the types of the crate `kafka-protocol`: idempotent producers, consumer groups of
//! the classic protocol with any assignor, commits, long polls, SCRAM. There are no transactions, replicas, compaction,
//! static members or access lists; production has Kafka. Why it is our own: `docs/adr/0006-own-small-broker.md`.
//!
//! Flow: [`serve`] opens the log, listens, and answers each connection's requests in their order. Everything that is
//! acknowledged is on the disk before.

mod admin;
mod broker;
mod connection;
mod group;
mod log;
mod requests;
mod scram;
mod settings;

pub use broker::{ServeError, Serving, serve};
pub use settings::{
    Address, AddressError, Credentials, Settings, SettingsError, Topic, TopicError,
};
