use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mercurious_runtime::Tasks;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    TargetError,
    connection::{Connection, Target, timed_out, with_causes},
};

/// Server-Sent Events that somebody listens to.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    // Its task reads for as long as somebody listens.
    _connection: Connection,
    ended: StreamEnd,
}

/// How a stream of events ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// Events that arrived whole.
    pub events: u64,
    /// What was wrong, if the server did not end it as HTTP says that a body ends.
    pub fault: Option<String>,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Nowhere to listen.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No answer, or not a good one.
    #[error("no stream of events: {reason}")]
    Refused {
        /// What came instead.
        reason: String,
    },
}

impl EventStream {
    /// Opens a stream on a connection of its own, and returns when its first bytes have arrived.
    pub async fn open(url: &str, deadline: Duration, tasks: &Tasks) -> Result<Self, StreamError> {
        let target = Target::parse(url)?;
        let opened = async {
            let mut connection = Connection::open(&target, tasks).await?;
            let response = connection.send(&target).await?;
            if !response.status().is_success() {
                return Err(format!("status {}", response.status().as_u16()));
            }
            let ended = StreamEnd::default();
            let mut stream = Self { body: response.into_body(), _connection: connection, ended };
            if stream.read().await { Ok(stream) } else { Err("it ended at once".to_owned()) }
        };
        let opened = timeout(deadline, opened).await.unwrap_or_else(|_| Err(timed_out(deadline)));
        opened.map_err(|reason| StreamError::Refused { reason })
    }

    /// Listens until the server ends it, at most until the deadline, which is a fault.
    pub async fn ended(mut self, deadline: Duration) -> StreamEnd {
        let until = Instant::now() + deadline;
        loop {
            match timeout_at(until, self.read()).await {
                Ok(true) => {}
                Ok(false) => return self.ended,
                Err(_) => {
                    self.ended.fault = Some(format!("still open after {deadline:?}"));
                    return self.ended;
                }
            }
        }
    }

    /// Reads on. False when nothing more comes.
    async fn read(&mut self) -> bool {
        match self.body.frame().await {
            Some(Ok(frame)) => {
                let bytes = frame.into_data().unwrap_or_default();
                let events = bytes.windows(2).filter(|pair| pair == b"\n\n").count();
                self.ended.events += events as u64;
                true
            }
            Some(Err(error)) => {
                self.ended.fault = Some(with_causes(&error));
                false
            }
            None => false,
        }
    }
}
