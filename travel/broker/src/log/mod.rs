//! The log: topics, their partitions, the records in them and what groups have committed, in one SQLite file.
//!
//! Flow: one thread writes (`writer`); it takes what has come in meanwhile into one transaction, and answers when that
//! is on the disk. Readers have connections of their own (`reader`). What is asked all the time, where a partition begins
//! and ends, is in memory (`view`).
//!
//! Guarantees: what was answered for is there after a kill; offsets have no gaps; a batch of an idempotent producer
//! is there once; a reader sees an offset only once it is kept.
//!
//! Assumptions: one process has the directory, which a lock makes sure of for as long as the process lives.

mod batch;
mod kept;
mod producers;
mod reader;
mod schema;
mod view;
mod writer;

pub(crate) use batch::Batch;
pub(crate) use reader::{Committed, ReadError, Reader, Wanted};
pub(crate) use schema::OpenError;
pub(crate) use view::{PartitionView, Topics};
pub(crate) use writer::{Commit, Limits, Writer};

use std::{fs::File, path::Path, sync::Arc};

use mercurious_runtime::Clock;

use crate::settings::Topic;

/// The opened log.
pub(crate) struct Log {
    pub(crate) topics: Arc<Topics>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) writer: Writer,
    /// Names this log for as long as it lives.
    pub(crate) cluster: String,
    /// Keeps other brokers out.
    _lock: File,
}

impl Log {
    /// Opens or makes the log in `directory`, with at least these topics.
    pub(crate) fn open(
        directory: &Path,
        topics: &[Topic],
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let lock = schema::lock(directory)?;
        let file = directory.join("broker.db");
        let mut connection = schema::open(&file)?;
        let cluster = schema::cluster(&connection)?;
        schema::ensure_topics(&mut connection, topics)?;
        let topics = Arc::new(schema::topics(&connection)?);
        let writer = Writer::start(connection, Arc::clone(&topics), limits, clock)?;
        Ok(Self { topics, reader: Arc::new(Reader::new(file)), writer, cluster, _lock: lock })
    }
}

#[cfg(test)]
mod tests;
