use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::{ResponseError, protocol::StrBytes};
use tokio::sync::oneshot;

/// A way of assigning partitions that a member knows, and what it says about itself in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: StrBytes,
    pub(crate) metadata: Bytes,
}

/// What a client asks when it joins.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequest {
    /// Empty at the first time.
    pub(crate) member_id: StrBytes,
    /// Whether the client comes again with the id that it is given, before it is a member.
    pub(crate) comes_again: bool,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<Protocol>,
}

/// What a client is told that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinAnswer {
    pub(crate) generation: i32,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocol: StrBytes,
    pub(crate) leader: StrBytes,
    pub(crate) member_id: StrBytes,
    /// All members with their metadata, for the leader alone.
    pub(crate) members: Vec<(StrBytes, Bytes)>,
}

/// Why a client has not joined; with the id that it is to come again with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ResponseError,
    pub(crate) member_id: StrBytes,
}

impl Refusal {
    pub(super) fn new(error: ResponseError, member_id: StrBytes) -> Self {
        Self { error, member_id }
    }
}

/// The answer of a join.
pub(super) type Joined = Result<JoinAnswer, Refusal>;

/// The answer of a sync: the member's part.
pub(crate) type SyncAnswer = Result<Bytes, ResponseError>;

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// When its session ends, unless it is heard of. It does not end while the member waits for an answer.
    pub(super) until: Instant,
    pub(super) joining: Option<oneshot::Sender<Joined>>,
    pub(super) syncing: Option<oneshot::Sender<SyncAnswer>>,
}

impl Member {
    pub(super) fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.until = now + self.session_timeout;
    }

    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|known| *known.name == *protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|known| *known.name == *protocol)
            .map(|known| known.metadata.clone())
            .unwrap_or_default()
    }

    pub(super) fn answer_join(&mut self, answer: Joined) {
        if let Some(waiting) = self.joining.take() {
            // A client that has gone is found out by its session.
            let _ = waiting.send(answer);
        }
    }

    pub(super) fn answer_sync(&mut self, answer: SyncAnswer) {
        if let Some(waiting) = self.syncing.take() {
            let _ = waiting.send(answer);
        }
    }
}
