//! Where jobs, trips and messages to be sent are kept.
//!
//! **Guarantees.** A job, its events and its messages are stored in one transaction, or not at all. A change is
//! stored only on the version that it was made from. Replicas share a store; none of them holds anything that the
//! others need.

#[cfg(test)]
mod contract;
mod error;
#[cfg(feature = "mongodb")]
mod mongo;
mod ports;
mod rows;
mod sqlite;
#[cfg(test)]
mod tests;

pub use error::StoreError;
#[cfg(feature = "mongodb")]
pub use mongo::MongoStore;
pub use ports::{AcceptOutcome, Committed, IdempotencyKey, Store, StoredTrip};
pub use sqlite::SqliteStore;
