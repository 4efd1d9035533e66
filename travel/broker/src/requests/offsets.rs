use std::sync::Arc;

use bytes::BytesMut;
use kafka_protocol::{
    ResponseError,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
};

use super::{Request, RequestError};
use crate::{broker::Broker, log::ReadError};

/// The timestamps that stand for the end and the beginning.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Where partitions begin, end, or reach a moment. A moment is found to the batch, not to the record.
pub(super) async fn list(
    broker: &Arc<Broker>,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: ListOffsetsRequest = request.body()?;
    let mut topics = Vec::with_capacity(asked.topics.len());
    for topic in asked.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let answer = ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index);
            let found =
                find(broker, &topic.name, partition.partition_index, partition.timestamp).await;
            partitions.push(match found {
                Ok((offset, timestamp)) => answer.with_offset(offset).with_timestamp(timestamp),
                Err(error) => answer.with_error_code(error.code()),
            });
        }
        topics.push(
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    request.answer(&ListOffsetsResponse::default().with_topics(topics))
}

async fn find(
    broker: &Arc<Broker>,
    topic: &str,
    partition: i32,
    timestamp: i64,
) -> Result<(i64, i64), ResponseError> {
    let view = broker
        .log
        .topics
        .partition(topic, partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    match timestamp {
        LATEST => Ok((view.next(), -1)),
        EARLIEST => Ok((view.first(), -1)),
        moment if moment >= 0 => {
            let (reader, id) = (Arc::clone(&broker.log.reader), view.id);
            let found = tokio::task::spawn_blocking(move || reader.since(id, moment))
                .await
                .map_err(ReadError::Ended)
                .and_then(|found| found);
            match found {
                Ok(found) => Ok(found.unwrap_or((-1, -1))),
                Err(error) => {
                    tracing::error!(error = %error, "offsets cannot be read");
                    Err(ResponseError::KafkaStorageError)
                }
            }
        }
        _ => Err(ResponseError::InvalidRequest),
    }
}
