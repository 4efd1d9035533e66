//! The store in MongoDB, which replicas share.
//!
//! **Guarantees.** What belongs together is one transaction, acknowledged by a majority and in its journal. Unique
//! indexes and versions in the filters decide races; nothing here reads before it writes to be sure of anything.
//!
//! **Assumptions.** A replica set: transactions need one.
//!
//! **Caveats.** Besides pruning, documents carry when they are of no use to anybody (`expires`), and a TTL index
//! lets the server drop them a day after they should have been pruned.

mod connect;
mod jobs;
mod outbox;
mod store;
mod transaction;
mod trips;

pub use store::MongoStore;
