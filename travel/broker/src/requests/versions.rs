use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, ApiVersionsResponse, api_versions_response::ApiVersion},
};

use super::{Request, RequestError};

/// What is offered: the request, its first and its last version.
///
/// Static members come with `JoinGroup` 5, topics by id with `Metadata` 10 and `Fetch` 13, many groups at once with
/// `OffsetFetch` 8 and `FindCoordinator` 4: none of them is offered, and clients do without. `Produce` begins at 0 as with
/// Kafka 4, because librdkafka compresses only where it does; 0 to 2 are refused all the same.
const OFFERED: [(ApiKey, i16, i16); 17] = [
    (ApiKey::Produce, 0, 9),
    (ApiKey::Fetch, 4, 11),
    (ApiKey::ListOffsets, 1, 5),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::OffsetCommit, 2, 6),
    (ApiKey::OffsetFetch, 1, 7),
    (ApiKey::FindCoordinator, 0, 3),
    (ApiKey::JoinGroup, 0, 4),
    (ApiKey::Heartbeat, 0, 2),
    (ApiKey::LeaveGroup, 0, 2),
    (ApiKey::SyncGroup, 0, 2),
    (ApiKey::DescribeGroups, 0, 3),
    (ApiKey::ListGroups, 0, 4),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::SaslAuthenticate, 0, 1),
];

/// Whether a request in this version is answered.
pub(super) fn offered(key: ApiKey, version: i16) -> bool {
    let written = key != ApiKey::Produce || version >= 3;
    written
        && OFFERED
            .iter()
            .any(|(offered, first, last)| *offered == key && (*first..=*last).contains(&version))
}

pub(super) fn answer(request: &Request) -> Result<BytesMut, RequestError> {
    let known = offered(request.key, request.version);
    let error = if known { 0 } else { ResponseError::UnsupportedVersion.code() };
    let keys = OFFERED
        .iter()
        .map(|(key, first, last)| {
            ApiVersion::default()
                .with_api_key(*key as i16)
                .with_min_version(*first)
                .with_max_version(*last)
        })
        .collect();
    let answer = ApiVersionsResponse::default().with_error_code(error).with_api_keys(keys);
    // A client that asks in an unknown version is answered in the first.
    request.answer_in(if known { request.version } else { 0 }, &answer)
}
