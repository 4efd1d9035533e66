//! Sends requests at a steady rate and counts every one that is not answered well.
//!
//! **Guarantees.** No request is sent twice: each failure is one that a user would have seen. A kept
//! connection that the server closed between two requests is no failure, as no request was on it.
//!
//! **Caveats.** Plain HTTP/1.1 only. A kept connection has one request at a time, so a server that is too slow
//! lowers the rate instead of gathering a queue.

mod connection;
mod report;
mod run;
mod stream;
mod watch;

use std::time::Duration;

use connection::Target;
use mercurious_runtime::Tasks;

pub use report::{Failure, Latencies, LoadReport, VersionSeen};
pub use run::{Load, LoadHandle};
pub use stream::{EventStream, StreamEnd, StreamError};
pub use watch::{WatchError, watch_until_version};

/// How much is sent, and over what.
#[derive(Clone, Copy, Debug)]
pub struct LoadSettings {
    /// Connections that are kept between requests.
    pub keep_alive_connections: usize,
    /// Requests a second that open a connection of their own.
    pub fresh_per_second: f64,
    /// All requests a second, fresh ones included.
    pub total_per_second: f64,
    /// How long one request may take, its connection included.
    pub timeout: Duration,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            keep_alive_connections: 8,
            fresh_per_second: 20.0,
            total_per_second: 200.0,
            timeout: Duration::from_secs(10),
        }
    }
}

/// One request on a connection of its own: the first line of a good answer, or what went wrong.
pub async fn ask(url: &str, deadline: Duration) -> Result<String, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    connection::ask_afresh(&target, &Tasks::new(), deadline).await
}

/// Why no load can be sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not a URL that this module sends to.
    #[error("`{url}` is not a plain http:// URL with a host")]
    Url {
        /// As given.
        url: String,
    },
}

#[cfg(test)]
mod tests;
