use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, GroupId, ListGroupsRequest,
        ListGroupsResponse,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        list_groups_response::ListedGroup,
    },
    protocol::StrBytes,
};

use super::{Request, RequestError};
use crate::{broker::Broker, log::ReadError};

/// The groups that have members or have committed.
pub(super) async fn list(
    broker: &Arc<Broker>,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: ListGroupsRequest = request.body()?;
    let reader = Arc::clone(&broker.log.reader);
    let committed = tokio::task::spawn_blocking(move || reader.groups())
        .await
        .map_err(ReadError::Ended)
        .and_then(|found| found);
    let committed = match committed {
        Ok(committed) => committed,
        Err(error) => {
            tracing::error!(error = %error, "groups cannot be read");
            let code = ResponseError::KafkaStorageError.code();
            return request.answer(&ListGroupsResponse::default().with_error_code(code));
        }
    };
    let mut groups: BTreeMap<StrBytes, (StrBytes, &'static str)> = committed
        .into_iter()
        .map(|name| (StrBytes::from_string(name), (StrBytes::new(), "Empty")))
        .collect();
    for (name, group) in broker.groups.list() {
        groups.insert(name, (group.protocol_type, group.state));
    }
    let wanted = |state: &str| {
        asked.states_filter.is_empty() || asked.states_filter.iter().any(|it| **it == *state)
    };
    let groups = groups
        .into_iter()
        .filter(|(_, (_, state))| wanted(state))
        .map(|(name, (protocol_type, state))| {
            let group = ListedGroup::default()
                .with_group_id(GroupId(name))
                .with_protocol_type(protocol_type);
            if request.version >= 4 {
                group.with_group_state(StrBytes::from_static_str(state))
            } else {
                group
            }
        })
        .collect();
    request.answer(&ListGroupsResponse::default().with_groups(groups))
}

/// The members of groups, and what each has been assigned.
pub(super) fn describe(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: DescribeGroupsRequest = request.body()?;
    let groups = asked
        .groups
        .into_iter()
        .map(|id| {
            let known = broker.groups.describe(&id);
            let group = DescribedGroup::default().with_group_id(id);
            let Some(known) = known else {
                return group.with_group_state(StrBytes::from_static_str("Dead"));
            };
            group
                .with_group_state(StrBytes::from_static_str(known.state))
                .with_protocol_type(known.protocol_type)
                .with_protocol_data(known.protocol)
                .with_members(
                    known
                        .members
                        .into_iter()
                        .map(|member| {
                            DescribedGroupMember::default()
                                .with_member_id(member.id)
                                .with_client_id(member.client_id)
                                .with_client_host(member.client_host)
                                .with_member_metadata(member.metadata)
                                .with_member_assignment(member.assignment)
                        })
                        .collect(),
                )
        })
        .collect();
    request.answer(&DescribeGroupsResponse::default().with_groups(groups))
}
