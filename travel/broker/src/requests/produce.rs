use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};

use super::{Request, RequestError};
use crate::{broker::Broker, log::Batch};

/// Takes batches; the answer comes when they are on the disk, whatever `acks` asks. With `acks=0` none comes.
pub(super) async fn produce(
    broker: &Broker,
    request: &Request,
) -> Result<Option<BytesMut>, RequestError> {
    let asked: ProduceRequest = request.body()?;
    let mut topics = Vec::with_capacity(asked.topic_data.len());
    for topic in asked.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for partition in topic.partition_data {
            let answer = PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_log_append_time_ms(-1);
            let appended = if asked.transactional_id.is_some() {
                Err((ResponseError::InvalidTxnState, "there are no transactions here".to_owned()))
            } else {
                append(broker, &topic.name, partition.index, partition.records).await
            };
            partitions.push(match appended {
                Ok((base_offset, first)) => {
                    answer.with_base_offset(base_offset).with_log_start_offset(first)
                }
                Err((error, reason)) => {
                    tracing::warn!(
                        topic = %topic.name.0,
                        partition = partition.index,
                        client = %request.client_id,
                        reason,
                        "a batch was refused"
                    );
                    answer
                        .with_error_code(error.code())
                        .with_base_offset(-1)
                        .with_log_start_offset(-1)
                        .with_error_message(Some(StrBytes::from_string(reason)))
                }
            });
        }
        topics.push(
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_partition_responses(partitions),
        );
    }
    if asked.acks == 0 {
        return Ok(None);
    }
    request.answer(&ProduceResponse::default().with_responses(topics)).map(Some)
}

async fn append(
    broker: &Broker,
    topic: &str,
    partition: i32,
    records: Option<Bytes>,
) -> Result<(i64, i64), (ResponseError, String)> {
    let partition = broker.log.topics.partition(topic, partition).ok_or_else(|| {
        (ResponseError::UnknownTopicOrPartition, "there is no such partition".to_owned())
    })?;
    let batch = Batch::parse(records.unwrap_or_default(), broker.message_max_bytes)
        .map_err(|error| (error.answer(), error.to_string()))?;
    let appended = broker
        .log
        .writer
        .append(partition.id, batch)
        .await
        .map_err(|error| (error.answer(), error.to_string()))?;
    Ok((appended.base_offset, partition.first()))
}

/// Gives an idempotent producer its number. A producer that asks again gets a new one.
pub(super) async fn init(broker: &Broker, request: &Request) -> Result<BytesMut, RequestError> {
    let asked: InitProducerIdRequest = request.body()?;
    let refused = |error: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    let answer = if asked.transactional_id.is_some() {
        refused(ResponseError::InvalidRequest)
    } else {
        match broker.log.writer.producer().await {
            Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)),
            Err(error) => refused(error.answer()),
        }
    };
    request.answer(&answer)
}
