//! What clients ask, request by request: read, carried out, answered.

mod commits;
mod fetch;
mod groups;
mod metadata;
mod offsets;
mod people;
mod produce;
mod sasl;
mod versions;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};

use crate::{broker::Broker, scram::Attempt};

/// What is known of a client while it is connected.
pub(crate) struct Caller {
    pub(crate) host: StrBytes,
    pub(crate) standing: Standing,
}

/// How far a client has come in.
pub(crate) enum Standing {
    /// It has to say who it is.
    Stranger,
    /// It is saying who it is.
    Proving(Box<Attempt>),
    /// It may ask anything.
    Admitted,
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the request has no readable header")]
    Header,
    #[error("request {key} in version {version} is not known here")]
    Unknown { key: i16, version: i16 },
    #[error("request {key:?} in version {version} cannot be read: {reason}")]
    Malformed { key: ApiKey, version: i16, reason: String },
    #[error("an answer to {key:?} cannot be written: {reason}")]
    Unwritable { key: ApiKey, reason: String },
    #[error("the client did not authenticate before it asked")]
    Stranger,
    #[error("the client failed to authenticate")]
    Refused(BytesMut),
}

/// A request that was read up to its body.
struct Request {
    key: ApiKey,
    version: i16,
    correlation: i32,
    client_id: StrBytes,
    body: Bytes,
}

/// Answers a request: the bytes to send, or nothing where the client wants no answer.
pub(crate) async fn answer(
    broker: &Arc<Broker>,
    caller: &mut Caller,
    frame: Bytes,
) -> Result<Option<BytesMut>, RequestError> {
    let request = Request::read(frame)?;
    if request.key == ApiKey::ApiVersions {
        return versions::answer(&request).map(Some);
    }
    if !versions::offered(request.key, request.version) {
        let (key, version) = (request.key as i16, request.version);
        return Err(RequestError::Unknown { key, version });
    }
    match (request.key, &caller.standing) {
        (ApiKey::SaslHandshake, _) => return sasl::handshake(broker, caller, &request).map(Some),
        (ApiKey::SaslAuthenticate, _) => return sasl::authenticate(caller, &request).map(Some),
        (_, Standing::Admitted) => {}
        (_, Standing::Stranger | Standing::Proving(_)) => return Err(RequestError::Stranger),
    }
    match request.key {
        ApiKey::Metadata => metadata::metadata(broker, &request).map(Some),
        ApiKey::FindCoordinator => metadata::coordinator(broker, &request).map(Some),
        ApiKey::InitProducerId => produce::init(broker, &request).await.map(Some),
        ApiKey::Produce => produce::produce(broker, &request).await,
        ApiKey::Fetch => fetch::fetch(broker, &request).await.map(Some),
        ApiKey::ListOffsets => offsets::list(broker, &request).await.map(Some),
        ApiKey::OffsetCommit => commits::commit(broker, &request).await.map(Some),
        ApiKey::OffsetFetch => commits::fetch(broker, &request).await.map(Some),
        ApiKey::JoinGroup => groups::join(broker, caller, &request).await.map(Some),
        ApiKey::SyncGroup => groups::sync(broker, &request).await.map(Some),
        ApiKey::Heartbeat => groups::heartbeat(broker, &request).map(Some),
        ApiKey::LeaveGroup => groups::leave(broker, &request).map(Some),
        ApiKey::DescribeGroups => people::describe(broker, &request).map(Some),
        ApiKey::ListGroups => people::list(broker, &request).await.map(Some),
        key => Err(RequestError::Unknown { key: key as i16, version: request.version }),
    }
}

impl Request {
    fn read(mut frame: Bytes) -> Result<Self, RequestError> {
        if frame.len() < 8 {
            return Err(RequestError::Header);
        }
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        let known = ApiKey::try_from(key).map_err(|()| RequestError::Unknown { key, version })?;
        let header = RequestHeader::decode(&mut frame, known.request_header_version(version))
            .map_err(|_| RequestError::Header)?;
        Ok(Self {
            key: known,
            version,
            correlation: header.correlation_id,
            client_id: header.client_id.unwrap_or_default(),
            body: frame,
        })
    }

    fn body<T: Decodable>(&self) -> Result<T, RequestError> {
        let mut body = self.body.clone();
        T::decode(&mut body, self.version).map_err(|error| RequestError::Malformed {
            key: self.key,
            version: self.version,
            reason: error.to_string(),
        })
    }

    fn answer<T: Encodable + HeaderVersion>(&self, answer: &T) -> Result<BytesMut, RequestError> {
        self.answer_in(self.version, answer)
    }

    fn answer_in<T: Encodable + HeaderVersion>(
        &self,
        version: i16,
        answer: &T,
    ) -> Result<BytesMut, RequestError> {
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let mut bytes = BytesMut::zeroed(4);
        let written = header
            .encode(&mut bytes, T::header_version(version))
            .and_then(|()| answer.encode(&mut bytes, version));
        let length = u32::try_from(bytes.len() - 4);
        match (written, length) {
            (Ok(()), Ok(length)) => {
                bytes[..4].copy_from_slice(&length.to_be_bytes());
                Ok(bytes)
            }
            (Err(error), _) => {
                Err(RequestError::Unwritable { key: self.key, reason: error.to_string() })
            }
            (_, Err(error)) => {
                Err(RequestError::Unwritable { key: self.key, reason: error.to_string() })
            }
        }
    }
}

/// The code on the wire of how something ended.
fn code<T>(ended: Result<T, kafka_protocol::ResponseError>) -> i16 {
    ended.map_or_else(|error| error.code(), |_| 0)
}
