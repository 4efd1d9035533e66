//! The travel platform as processes, people who use it, and what must hold of it whoever dies meanwhile.
//!
//! - [`Services`]: on a real Kafka, a MongoDB-wire server and Redis;
//! - [`Local`]: on one machine, by `mercurious up`;
//! - [`Person`], [`Crowd`]: ask for trips and listen;
//! - [`Ledger`]: what was accepted against what was heard, stored and sent.

mod crowd;
mod ledger;
mod local;
mod person;
mod programs;
mod services;
mod stored;
mod told;
mod topics;

pub use crowd::{Answers, Crowd, Respite};
pub use ledger::{Heard, Ledger, Sent, Stored};
pub use local::{IMAGES, Local};
pub use person::{Person, client};
pub use programs::Programs;
pub use services::{Service, Services, Setting};
pub use stored::{Kept, in_mongo, in_sqlite};
pub use told::Told;
pub use topics::{Access, read as read_topics};
