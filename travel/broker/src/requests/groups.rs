use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
        join_group_response::JoinGroupResponseMember,
    },
    protocol::StrBytes,
};

use super::{Caller, Request, RequestError, code};
use crate::{
    broker::Broker,
    group::{JoinRequest, Protocol},
};

/// The version since which a client comes again with the id that it was given.
const COMES_AGAIN: i16 = 4;

pub(super) async fn join(
    broker: &Broker,
    caller: &Caller,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: JoinGroupRequest = request.body()?;
    let millis = |number: i32| Duration::from_millis(u64::try_from(number).unwrap_or(0));
    let session_timeout = millis(asked.session_timeout_ms);
    if asked.group_id.is_empty() {
        let error = ResponseError::InvalidGroupId.code();
        return request.answer(&JoinGroupResponse::default().with_error_code(error));
    }
    let joined = broker
        .groups
        .join(
            &asked.group_id.0,
            JoinRequest {
                member_id: asked.member_id,
                comes_again: request.version >= COMES_AGAIN,
                client_id: request.client_id.clone(),
                client_host: caller.host.clone(),
                session_timeout,
                // The first version has none of its own.
                rebalance_timeout: match asked.rebalance_timeout_ms {
                    ..=0 => session_timeout,
                    given => millis(given),
                },
                protocol_type: asked.protocol_type,
                protocols: asked
                    .protocols
                    .into_iter()
                    .map(|it| Protocol { name: it.name, metadata: it.metadata })
                    .collect(),
            },
        )
        .await;
    let answer = match joined {
        Ok(joined) => JoinGroupResponse::default()
            .with_generation_id(joined.generation)
            .with_protocol_type(Some(joined.protocol_type))
            .with_protocol_name(Some(joined.protocol))
            .with_leader(joined.leader)
            .with_member_id(joined.member_id)
            .with_members(
                joined
                    .members
                    .into_iter()
                    .map(|(id, metadata)| {
                        JoinGroupResponseMember::default()
                            .with_member_id(id)
                            .with_metadata(metadata)
                    })
                    .collect(),
            ),
        Err(refusal) => JoinGroupResponse::default()
            .with_error_code(refusal.error.code())
            .with_generation_id(-1)
            .with_protocol_name(Some(StrBytes::default()))
            .with_member_id(refusal.member_id),
    };
    request.answer(&answer)
}

pub(super) async fn sync(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: SyncGroupRequest = request.body()?;
    let assignments =
        asked.assignments.into_iter().map(|it| (it.member_id, it.assignment)).collect();
    let part = broker
        .groups
        .sync(&asked.group_id, &asked.member_id, asked.generation_id, assignments)
        .await;
    let answer = match part {
        Ok(part) => SyncGroupResponse::default().with_assignment(part),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    };
    request.answer(&answer)
}

pub(super) fn heartbeat(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: HeartbeatRequest = request.body()?;
    let ended = broker.groups.heartbeat(&asked.group_id, &asked.member_id, asked.generation_id);
    request.answer(&HeartbeatResponse::default().with_error_code(code(ended)))
}

pub(super) fn leave(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: LeaveGroupRequest = request.body()?;
    let ended = broker.groups.leave(&asked.group_id, &asked.member_id);
    request.answer(&LeaveGroupResponse::default().with_error_code(code(ended)))
}
