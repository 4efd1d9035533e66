//! Real servers for the tests: Apache Kafka, a MongoDB-wire server and Redis, all with passwords, on free ports of
//! loopback.
//!
//! # Flow
//!
//! What is needed is fetched once, by the package registries' own clients, and kept in
//! `~/.cache/mercurious/backends`: Kafka's jars by Maven, SecantusDB by pip into a virtual environment; Redis is the
//! system's. Each server gets a directory and ports of its own.
//!
//! # Guarantees
//!
//! A server dies with the test that started it, however that ends, and its directory with it: the kernel kills it with
//! the thread that started it. Passwords are random and never on a command line.
//!
//! # Caveats
//!
//! `MERCURIOUS_BACKEND_TESTS=require` turns a server that cannot be had into a failure, `skip` skips; unset, the tests
//! run where they can. The MongoDB-wire server is one for tests only.

mod fetched;
mod kafka;
mod mongo;
mod ports;
mod process;
mod redis;
mod schemathesis;
pub mod travel;
mod wanted;

pub use kafka::{Kafka, User};
pub use mongo::Mongo;
pub use process::Process;
pub use redis::Redis;
pub use schemathesis::Schemathesis;
pub use wanted::{Unavailable, or_skip, setting};
