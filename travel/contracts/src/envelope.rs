//! How a message is written and read.
//!
//! The body repeats what the headers say, as the originals did: `{timestamp, eventType, source, correlation_id,
//! data, metadata {version, schema}}`. Readers go by the headers where both are there and fall back to the body.

use bytes::Bytes;
use jiff::Timestamp;
use mercurious_messaging::{Headers, Incoming, Outgoing, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{JobId, MessageId, message::Message};

/// The largest body, in bytes: below the million that brokers take unless told otherwise.
pub const MAX_BODY: usize = 960_000;

/// What goes with every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The job: the key, and the correlation id.
    pub job: JobId,
    /// The message's own id.
    pub id: MessageId,
    /// The message that led to this one.
    pub caused_by: Option<MessageId>,
    /// Who sends it.
    pub source: String,
    /// When it was made.
    pub at: Timestamp,
    /// When its work is of no use any more.
    pub deadline: Option<Timestamp>,
    /// The W3C trace context.
    pub traceparent: Option<String>,
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<M> {
    /// What goes with it.
    pub about: About,
    /// How often it was tried, from 1.
    pub attempt: u32,
    /// The version that it was written in.
    pub version: u32,
    /// What it says.
    pub data: M,
}

#[derive(Serialize, Deserialize)]
struct Body<D> {
    timestamp: Timestamp,
    #[serde(rename = "eventType")]
    event_type: String,
    source: String,
    correlation_id: JobId,
    data: D,
    metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    version: u32,
    schema: String,
}

/// Only what decides whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "eventType")]
    event_type: String,
    metadata: Metadata,
}

/// Why a message is not written.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// A value that JSON has no words for.
    #[error("{event_type} cannot be written as JSON")]
    Json {
        /// Which message.
        event_type: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Larger than brokers take.
    #[error("{event_type} has {size} bytes, more than the {MAX_BODY} that are sent")]
    TooLarge {
        /// Which message.
        event_type: &'static str,
        /// Its size.
        size: usize,
    },
}

/// Why a message cannot be read. None of these goes away when it is tried again.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// No JSON, or not the expected fields.
    #[error("the message is not a readable {event_type}")]
    Malformed {
        /// What was expected.
        event_type: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Something else than expected.
    #[error("the message says {found:?} where {expected} is expected")]
    OtherType {
        /// What was expected.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// Written by a newer program.
    #[error("{event_type} has the version {found}, newer than {known}, the newest known here")]
    FutureVersion {
        /// Which message.
        event_type: &'static str,
        /// Its version.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// A header that must be there.
    #[error("the header {name} is missing or cannot be read")]
    Header {
        /// Which one.
        name: &'static str,
    },
    /// The key, the headers and the body name different jobs.
    #[error("key, headers and body do not name the same job")]
    OtherJob,
    /// Larger than anybody writes.
    #[error("the body has {size} bytes, more than {MAX_BODY}")]
    TooLarge {
        /// Its size.
        size: usize,
    },
}

impl DecodeError {
    /// The class for the dead letter's header and for metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::OtherType { .. } => "other-type",
            Self::FutureVersion { .. } => "future-version",
            Self::Header { .. } => "header",
            Self::OtherJob => "other-job",
            Self::TooLarge { .. } => "too-large",
        }
    }
}

/// Writes a message for its topic.
pub fn encode<M: Message>(about: &About, data: &M) -> Result<Outgoing, EncodeError> {
    let body = Body {
        timestamp: about.at,
        event_type: M::EVENT_TYPE.to_owned(),
        source: about.source.clone(),
        correlation_id: about.job,
        data,
        metadata: Metadata { version: M::VERSION, schema: M::EVENT_TYPE.to_owned() },
    };
    let payload = serde_json::to_vec(&body)
        .map_err(|source| EncodeError::Json { event_type: M::EVENT_TYPE, source })?;
    if payload.len() > MAX_BODY {
        return Err(EncodeError::TooLarge { event_type: M::EVENT_TYPE, size: payload.len() });
    }
    let mut headers = Headers::new().with(header::CORRELATION_ID, about.job);
    if let Some(cause) = about.caused_by {
        headers.set_text(header::CAUSATION_ID, cause);
    }
    headers.set_text(header::MESSAGE_ID, about.id);
    headers.set_text(header::EVENT_TYPE, M::EVENT_TYPE);
    headers.set_text(header::SOURCE_SERVICE, &about.source);
    headers.set_text(header::SCHEMA_VERSION, M::VERSION);
    headers.set_text(header::TIMESTAMP, about.at);
    if let Some(traceparent) = &about.traceparent {
        headers.set_text(header::TRACEPARENT, traceparent);
    }
    headers.set_text(header::ATTEMPT, 1);
    if let Some(deadline) = about.deadline {
        headers.set_text(header::DEADLINE, deadline);
    }
    Ok(Outgoing {
        topic: M::TOPIC.to_owned(),
        key: about.job.to_string(),
        headers,
        payload: Bytes::from(payload),
    })
}

/// Reads a message that should be an `M`.
pub fn decode<M: Message>(incoming: &Incoming) -> Result<Envelope<M>, DecodeError> {
    let size = incoming.payload.len();
    if size > MAX_BODY {
        return Err(DecodeError::TooLarge { size });
    }
    let head: Head = json::<M, _>(&incoming.payload)?;
    let headers = &incoming.headers;
    let event_type = headers.text(header::EVENT_TYPE).unwrap_or(&head.event_type);
    if event_type != M::EVENT_TYPE || head.event_type != M::EVENT_TYPE {
        let found = if event_type == M::EVENT_TYPE { &head.event_type } else { event_type };
        let found = found.chars().take(100).collect();
        return Err(DecodeError::OtherType { expected: M::EVENT_TYPE, found });
    }
    let version = headers.number(header::SCHEMA_VERSION).unwrap_or(0).max(head.metadata.version);
    if version > M::VERSION {
        let (event_type, known) = (M::EVENT_TYPE, M::VERSION);
        return Err(DecodeError::FutureVersion { event_type, found: version, known });
    }
    let body: Body<M> = json::<M, _>(&incoming.payload)?;
    let job = body.correlation_id;
    let named = headers.text(header::CORRELATION_ID);
    if named.is_some_and(|named| named.parse() != Ok(job))
        || incoming.key_text().is_none_or(|key| key.parse() != Ok(job))
    {
        return Err(DecodeError::OtherJob);
    }
    let id = id(headers, header::MESSAGE_ID)?;
    let id = id.ok_or(DecodeError::Header { name: header::MESSAGE_ID })?;
    Ok(Envelope {
        about: About {
            job,
            id,
            caused_by: self::id(headers, header::CAUSATION_ID)?,
            source: body.source,
            at: body.timestamp,
            deadline: headers.moment(header::DEADLINE),
            traceparent: headers.text(header::TRACEPARENT).map(str::to_owned),
        },
        attempt: headers.number(header::ATTEMPT).unwrap_or(1),
        version,
        data: body.data,
    })
}

fn json<M: Message, D: DeserializeOwned>(payload: &[u8]) -> Result<D, DecodeError> {
    serde_json::from_slice(payload)
        .map_err(|source| DecodeError::Malformed { event_type: M::EVENT_TYPE, source })
}

fn id(headers: &Headers, name: &'static str) -> Result<Option<MessageId>, DecodeError> {
    if headers.bytes(name).is_none() {
        return Ok(None);
    }
    let read = headers.text(name).and_then(|text| text.parse().ok());
    read.map(Some).ok_or(DecodeError::Header { name })
}
