use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        TopicName,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic},
    },
    protocol::StrBytes,
};

use super::{Request, RequestError};
use crate::{
    broker::Broker,
    log::{Commit, Committed, ReadError},
};

/// How many bytes a commit may say about itself.
const METADATA: usize = 4096;

/// Keeps how far a group has come; the answer comes when that is on the disk.
pub(super) async fn commit(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: OffsetCommitRequest = request.body()?;
    let group = asked.group_id.0;
    let generation = asked.generation_id_or_member_epoch;
    let mut ended = if group.is_empty() {
        Err(ResponseError::InvalidGroupId)
    } else {
        broker.groups.may_commit(&group, &asked.member_id, generation)
    };
    let fault = |topic: &TopicName, partition: i32, metadata: Option<&StrBytes>| {
        if broker.log.topics.partition(topic, partition).is_none() {
            Err(ResponseError::UnknownTopicOrPartition)
        } else if metadata.is_some_and(|metadata| metadata.len() > METADATA) {
            Err(ResponseError::OffsetMetadataTooLarge)
        } else {
            Ok(())
        }
    };
    if ended.is_ok() {
        let mut commits = Vec::new();
        for topic in &asked.topics {
            for partition in &topic.partitions {
                let metadata = partition.committed_metadata.as_ref();
                if fault(&topic.name, partition.partition_index, metadata).is_err() {
                    continue;
                }
                commits.push(Commit {
                    topic: topic.name.to_string(),
                    partition: partition.partition_index,
                    committed: Committed {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: metadata.map(ToString::to_string),
                    },
                });
            }
        }
        ended = broker
            .log
            .writer
            .commit(group.to_string(), commits)
            .await
            .map_err(|error| error.answer());
    }
    let topics = asked
        .topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| {
                    let ended = ended.and_then(|()| {
                        let metadata = partition.committed_metadata.as_ref();
                        fault(&topic.name, partition.partition_index, metadata)
                    });
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(partition.partition_index)
                        .with_error_code(super::code(ended))
                })
                .collect();
            OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        })
        .collect();
    request.answer(&OffsetCommitResponse::default().with_topics(topics))
}

/// Says how far a group has come: in the partitions that are named, or in all that it has committed.
pub(super) async fn fetch(
    broker: &Arc<Broker>,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: OffsetFetchRequest = request.body()?;
    let (reader, group) = (Arc::clone(&broker.log.reader), asked.group_id.to_string());
    let found = tokio::task::spawn_blocking(move || reader.committed(&group))
        .await
        .map_err(ReadError::Ended)
        .and_then(|found| found);
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(error = %error, "commits cannot be read");
            let code = ResponseError::KafkaStorageError.code();
            return request.answer(&OffsetFetchResponse::default().with_error_code(code));
        }
    };
    let mut wanted: BTreeMap<TopicName, Vec<i32>> = BTreeMap::new();
    match asked.topics {
        Some(topics) => {
            for topic in topics {
                wanted.entry(topic.name).or_default().extend(topic.partition_indexes);
            }
        }
        None => {
            for (topic, partition) in found.keys() {
                let name = TopicName(StrBytes::from_string(topic.clone()));
                wanted.entry(name).or_default().push(*partition);
            }
        }
    }
    let topics = wanted
        .into_iter()
        .map(|(name, partitions)| {
            let partitions = partitions
                .into_iter()
                .map(|number| {
                    let partition =
                        OffsetFetchResponsePartition::default().with_partition_index(number);
                    match found.get(&(name.to_string(), number)) {
                        Some(committed) => partition
                            .with_committed_offset(committed.offset)
                            .with_committed_leader_epoch(committed.leader_epoch)
                            .with_metadata(committed.metadata.clone().map(StrBytes::from_string)),
                        None => partition
                            .with_committed_offset(-1)
                            .with_committed_leader_epoch(-1)
                            .with_metadata(Some(StrBytes::new())),
                    }
                })
                .collect();
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    request.answer(&OffsetFetchResponse::default().with_topics(topics))
}
