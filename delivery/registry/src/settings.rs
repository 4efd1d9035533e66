use std::time::Duration;

/// How long things may take. Every request is bounded as a whole too.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From the request sent to the answer's headers received.
    pub headers: Duration,
    /// For the whole of a small answer (manifest, tag page, token).
    pub whole: Duration,
    /// For the next bytes of a blob.
    pub idle: Duration,
    /// Slower than this on average, a blob's transfer is given up: bytes per second.
    pub slowest: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_secs(30),
            whole: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            slowest: 16 * 1024,
        }
    }
}

impl Timeouts {
    /// The longest that the transfer of so many bytes may take.
    pub(crate) fn transfer(&self, bytes: u64) -> Duration {
        self.whole + Duration::from_secs(bytes / self.slowest.max(1))
    }
}

/// What is done about failures that may pass.
#[derive(Clone, Debug)]
pub struct Retries {
    /// Tries after the first.
    pub most: usize,
    /// Before the second try; doubled each time, with jitter.
    pub first_wait: Duration,
    /// No wait of our own is longer. A registry's `Retry-After` may be, up to `HostLimits::longest_wait`.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            most: 3,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(8),
        }
    }
}
