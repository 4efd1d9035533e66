//! The store of one machine: a SQLite file that replicas share, or memory.
//!
//! **Flow.** One thread writes. What waits when it is free goes into one transaction, each piece of work in a
//! savepoint of its own, so that one flush to the disk serves them all. Other threads read; WAL lets them.
//!
//! **Guarantees.** What was answered is on the disk (`synchronous = FULL`).
//!
//! **Caveats.** The file must be on a local disk: WAL does not work over network file systems. In memory nothing
//! outlives the process.

mod events;
mod jobs;
mod outbox;
mod schema;
mod store;
mod trips;
mod worker;

pub use store::SqliteStore;
