use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest,
        MetadataResponse, TopicName,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::StrBytes,
};

use super::{Request, RequestError};
use crate::{
    broker::{Broker, NODE},
    log::PartitionView,
};

/// The one broker, its topics and their partitions. A topic that is not there is never made.
pub(super) fn metadata(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: MetadataRequest = request.body()?;
    // Version 0 has no null: an empty list means all.
    let named = asked.topics.filter(|topics| request.version > 0 || !topics.is_empty());
    let topics = match named {
        None => broker
            .log
            .topics
            .iter()
            .map(|(name, partitions)| {
                topic(StrBytes::from_string(name.to_owned()), Some(partitions))
            })
            .collect(),
        Some(named) => named
            .into_iter()
            .filter_map(|topic| topic.name)
            .map(|TopicName(name)| {
                let partitions = broker.log.topics.partitions(&name);
                topic(name, partitions)
            })
            .collect(),
    };
    let node = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(broker.advertised.host.clone()))
        .with_port(i32::from(broker.advertised.port));
    request.answer(
        &MetadataResponse::default()
            .with_brokers(vec![node])
            .with_cluster_id(Some(StrBytes::from_string(broker.log.cluster.clone())))
            .with_controller_id(BrokerId(NODE))
            .with_topics(topics),
    )
}

fn topic(
    name: StrBytes,
    partitions: Option<&[std::sync::Arc<PartitionView>]>,
) -> MetadataResponseTopic {
    let topic = MetadataResponseTopic::default().with_name(Some(TopicName(name)));
    match partitions {
        None => topic.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
        Some(partitions) => topic.with_partitions(
            partitions
                .iter()
                .map(|partition| {
                    MetadataResponsePartition::default()
                        .with_partition_index(partition.number)
                        .with_leader_id(BrokerId(NODE))
                        .with_replica_nodes(vec![BrokerId(NODE)])
                        .with_isr_nodes(vec![BrokerId(NODE)])
                })
                .collect(),
        ),
    }
}

/// The coordinator of every group is this broker; of transactions there is none.
pub(super) fn coordinator(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: FindCoordinatorRequest = request.body()?;
    let answer = if asked.key_type == 0 {
        FindCoordinatorResponse::default()
            .with_node_id(BrokerId(NODE))
            .with_host(StrBytes::from_string(broker.advertised.host.clone()))
            .with_port(i32::from(broker.advertised.port))
    } else {
        FindCoordinatorResponse::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_error_message(Some(StrBytes::from_static_str("there are no transactions here")))
            .with_node_id(BrokerId(-1))
            .with_port(-1)
    };
    request.answer(&answer)
}
