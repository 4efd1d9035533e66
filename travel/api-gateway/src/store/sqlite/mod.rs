//! The store of one machine: a SQLite file that replicas share, or memory.
//!
//! **Flow.** One thread writes. What waits when it is free goes into one transaction, each piece of work in a
//! savepoint of its own, so that one flush to the disk serves them all. Other threads read; WAL lets them.
//!
//! **Guarantees.** What was answered to a client, ends a job or leaves a message to be sent is on the disk
//! (`synchronous = FULL`). Everything outlives the process.
//!
//! **Caveats.** When the power fails, the newest of these may be undone: claims of the outbox and that its rows were sent
//! (they are sent again, and known by their ids), and progress (the next one tells more, the last one tells all days).
//! The file must be on a local disk: WAL does not work over network file systems. In memory nothing
//! outlives the process.

mod events;
mod jobs;
mod outbox;
mod schema;
mod store;
mod trips;
mod worker;

pub use store::SqliteStore;
