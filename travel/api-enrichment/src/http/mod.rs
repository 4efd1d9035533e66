//! How sources ask the network: one question, one answer, with every bound that it needs.
//!
//! [`Http`] is the port. [`LiveHttp`] asks; [`Cassette`] answers from what was recorded and from nothing else;
//! [`Recorder`] records; [`Resilient`] puts a cache, one question at a time for equal ones, retries and a circuit
//! breaker before any of them. Every question of these sources is a read and may be repeated.

mod cassette;
mod live;
mod resilient;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use url::Url;

pub use cassette::{Cassette, CassetteError, Recorder};
pub use live::{LiveHttp, Timeouts};
pub use resilient::{Resilience, Resilient};

/// The largest answer that is read.
pub const MAX_ANSWER: usize = 2 * 1024 * 1024;

/// A question to a server.
#[derive(Debug)]
pub struct Question {
    /// Where to, without secrets.
    pub url: Url,
    /// Headers that are no secret.
    pub headers: Vec<(&'static str, String)>,
    /// A header that is.
    pub secret: Option<(&'static str, SecretString)>,
    /// A JSON body: the question is a POST that reads, otherwise a GET.
    pub body: Option<String>,
    /// How long an answer stays true.
    pub fresh: Duration,
}

impl Question {
    /// What tells equal questions: a hash of everything but secrets.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(self.url.as_str());
        for (name, value) in &self.headers {
            part(name);
            part(value);
        }
        part(self.body.as_deref().unwrap_or_default());
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The server, for the breaker and for words.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What it said.
    pub body: Bytes,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. None of these tells a secret.
#[derive(Debug, Error)]
pub enum HttpError {
    /// It took too long.
    #[error("{host} did not answer in time")]
    Timeout {
        /// Which server.
        host: String,
    },
    /// No connection, or a broken one.
    #[error("the connection to {host} failed")]
    Connection {
        /// Which server.
        host: String,
        /// What is wrong, without the address that was asked.
        source: reqwest::Error,
    },
    /// A larger answer than is read.
    #[error("{host} answers with more than {MAX_ANSWER} bytes")]
    TooLarge {
        /// Which server.
        host: String,
    },
    /// It failed too often lately.
    #[error("{host} failed too often lately; it is asked again later")]
    Resting {
        /// Which server.
        host: String,
    },
    /// The cassette does not know the question.
    #[error("the question {key} to {host} was not recorded")]
    NotRecorded {
        /// Which server.
        host: String,
        /// The question's key.
        key: String,
    },
}

impl HttpError {
    /// Whether asking again at once may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Connection { .. })
    }
}

/// Somebody who answers questions.
#[async_trait]
pub trait Http: Send + Sync {
    /// Asks.
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError>;
}
