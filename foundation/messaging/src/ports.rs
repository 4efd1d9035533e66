//! What the loop asks of a broker, of a store and of whoever handles messages.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{Incoming, Outgoing};

/// Why a message was not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The broker did not answer in time. The message may be there all the same.
    #[error("{topic}: not acknowledged: {reason}")]
    Unacknowledged {
        /// Where to.
        topic: String,
        /// What the client says.
        reason: String,
    },
    /// The broker does not take it, now or later.
    #[error("{topic}: refused: {reason}")]
    Refused {
        /// Where to.
        topic: String,
        /// What the broker says.
        reason: String,
    },
}

impl PublishError {
    /// Whether publishing it again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unacknowledged { .. })
    }
}

/// Sends messages.
#[async_trait]
pub trait Producer: fmt::Debug + Send + Sync {
    /// Sends a message; returns when every in-sync replica has it.
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError>;
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or there was nothing to do.
    Done,
    /// It did not work this time: it is tried again after a while, a limited number of times.
    Retry(String),
    /// Nothing is wrong with it, but something that everything here needs does not answer, such as the
    /// service's own store: it stays where it is and is tried again until that answers.
    Later(String),
    /// It will never work.
    Dead {
        /// What kind of fault it is, for headers and metrics: few different words.
        class: &'static str,
        /// What is wrong, for people.
        reason: String,
    },
}

/// Handles the messages of a group.
///
/// A message can come more than once: handling it a second time must change nothing. Messages of one key are
/// handled in their order, one at a time; messages of different keys at the same time.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles a message. The future is dropped when the partition goes elsewhere or the program stops and the
    /// time for finishing is over.
    async fn handle(&self, message: &Incoming) -> Outcome;

    /// Hears of a message that goes to the dead letters now, so that whoever waits for it can be told.
    async fn given_up(
        &self,
        message: &Incoming,
        class: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let _ = (message, class, reason);
        Ok(())
    }
}

/// A store that does not answer, or says no.
#[derive(Debug, Error)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// Remembers which messages a group has handled, at least as long as the topic keeps them.
///
/// A handler that stores its effect can record the message in the same transaction; [`Dedup::record`] then finds
/// it there. Otherwise there is a moment between effect and record in which a crash leads to a second handling.
#[async_trait]
pub trait Dedup: Send + Sync {
    /// Whether the group has handled the message.
    async fn seen(&self, group: &str, message_id: &str) -> Result<bool, StoreError>;

    /// Remembers that it has. Recording it twice is no error.
    async fn record(&self, group: &str, message_id: &str) -> Result<(), StoreError>;
}

/// For groups whose handlers find out by themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDedup;

#[async_trait]
impl Dedup for NoDedup {
    async fn seen(&self, _: &str, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn record(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// Partitions that another member of the group gets; dropping this lets them go.
#[derive(Debug)]
pub struct Revocation {
    /// Which ones.
    pub partitions: Vec<Partition>,
    release: Option<oneshot::Sender<()>>,
}

impl Revocation {
    /// A revocation, and what resolves (with an error) once it was dropped.
    pub fn new(partitions: Vec<Partition>) -> (Self, oneshot::Receiver<()>) {
        let (release, released) = oneshot::channel();
        (Self { partitions, release: Some(release) }, released)
    }
}

impl Drop for Revocation {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            // Nobody waits any more: the member is gone.
            let _ = release.send(());
        }
    }
}

/// What comes from a broker.
#[derive(Debug)]
pub enum Event {
    /// This member gets these partitions, beside those that it has.
    Assigned(Vec<Partition>),
    /// This member gives these back, once it has finished with them.
    Revoked(Revocation),
    /// These are gone already.
    Lost(Vec<Partition>),
    /// A message of an assigned partition.
    Message(Incoming),
}

/// Why nothing comes from a broker any more.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Not without a person: wrong credentials, no rights, a topic that is gone.
    #[error("the broker refuses this consumer: {0}")]
    Refused(String),
    /// The client gave up.
    #[error("the consumer ended: {0}")]
    Ended(String),
}

/// A member of a consumer group.
#[async_trait]
pub trait Source: Send + Sync {
    /// What comes next. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Event, SourceError>;

    /// No more messages of this partition until it is resumed.
    fn pause(&self, partition: &Partition);

    /// Messages of this partition again.
    fn resume(&self, partition: &Partition);

    /// Everything before `next` has taken effect: to be committed soon, at the latest when the partition is let go.
    fn done(&self, partition: &Partition, next: i64);

    /// Commits and leaves the group.
    async fn leave(self: Box<Self>);
}

/// Reads all of some topics, as nobody else's share: every reader gets every message.
#[async_trait]
pub trait Follower: Send {
    /// The next message. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Incoming, SourceError>;
}

/// How far a group is with a partition, as the broker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which partition.
    pub partition: Partition,
    /// Everything before it has taken effect.
    pub committed: i64,
    /// Where the next message will be.
    pub end: i64,
}

impl Standing {
    /// How many messages have not taken effect.
    pub fn lag(&self) -> u64 {
        u64::try_from(self.end - self.committed).unwrap_or(0)
    }
}

/// A broker that does not say how far a group is.
#[derive(Debug, Error)]
#[error("the broker does not say how far the group is: {0}")]
pub struct LookError(pub String);

/// Asks the broker how far a group is.
#[async_trait]
pub trait Standings: Send + Sync {
    /// With each partition of the topic that it is asked of.
    async fn look(&self) -> Result<Vec<Standing>, LookError>;
}
