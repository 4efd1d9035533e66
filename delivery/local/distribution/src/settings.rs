use std::{collections::BTreeSet, time::Duration};

/// Limits and allowances of the embedded registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Names other than loopback under which clients may address the registry, without port, lower case.
    pub allowed_hosts: BTreeSet<String>,
    /// The largest blob taken, in bytes; `None` for no limit but the disk's.
    pub blob_limit: Option<u64>,
    /// How many request bodies are received at the same time; more wait their turn.
    pub concurrent_uploads: usize,
    /// How many uploads may be open, being received or not.
    pub open_uploads: usize,
    /// How many connections are served at the same time; more wait in the listener's queue.
    pub connections: usize,
    /// How long a request may go without sending a byte of its head or body.
    pub idle_timeout: Duration,
    /// How long an upload may lie untouched before it is removed.
    pub upload_expiry: Duration,
    /// How long requests may take to end after a stop.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: BTreeSet::new(),
            blob_limit: None,
            concurrent_uploads: 32,
            open_uploads: 1024,
            connections: 512,
            idle_timeout: Duration::from_secs(30),
            upload_expiry: Duration::from_hours(1),
            drain: Duration::from_secs(10),
        }
    }
}
