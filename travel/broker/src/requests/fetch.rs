use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, FetchRequest, FetchResponse,
        fetch_response::{FetchableTopicResponse, PartitionData},
    },
};

use super::{Request, RequestError};
use crate::{
    broker::Broker,
    log::{ReadError, Wanted},
};

/// How long a client may wait for records, whatever it asks.
const LONGEST: Duration = Duration::from_mins(1);
/// How many bytes one answer has at most, whatever the client asks; but always a whole batch.
const LARGEST: usize = 8 * 1024 * 1024;

/// What can be said of one partition before it is read.
enum Look {
    Fault(ResponseError),
    Nothing { first: i64, next: i64 },
    Records { first: i64, wanted: Wanted },
}

/// Gives records. With none there, waits until one comes or the client's patience ends; the first ends the wait,
/// however many bytes the client would like.
pub(super) async fn fetch(
    broker: &Arc<Broker>,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: FetchRequest = request.body()?;
    let patience = Duration::from_millis(u64::try_from(asked.max_wait_ms).unwrap_or(0));
    let until = Instant::now() + patience.min(LONGEST);
    let mut growth = broker.log.topics.growth();
    let looks = loop {
        growth.mark_unchanged();
        let looks = look(broker, &asked);
        let quiet = looks.iter().flatten().all(|look| matches!(look, Look::Nothing { .. }));
        if !quiet {
            break looks;
        }
        tokio::select! {
            changed = growth.changed() => {
                if changed.is_err() {
                    break looks;
                }
            }
            () = tokio::time::sleep_until(until.into()) => break looks,
            () = broker.stopping.cancelled() => break looks,
        }
    };
    let most = usize::try_from(asked.max_bytes).unwrap_or(0).clamp(1, LARGEST);
    let answer = match read(broker, &looks, most).await {
        Ok(records) => answer(asked, looks, records),
        Err(error) => {
            tracing::error!(error = %error, "records cannot be read");
            FetchResponse::default().with_error_code(ResponseError::KafkaStorageError.code())
        }
    };
    request.answer(&answer)
}

fn look(broker: &Broker, asked: &FetchRequest) -> Vec<Vec<Look>> {
    asked
        .topics
        .iter()
        .map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| {
                    let Some(view) = broker.log.topics.partition(&topic.topic, partition.partition)
                    else {
                        return Look::Fault(ResponseError::UnknownTopicOrPartition);
                    };
                    let (first, next) = (view.first(), view.next());
                    let offset = partition.fetch_offset;
                    if offset < first || offset > next {
                        Look::Fault(ResponseError::OffsetOutOfRange)
                    } else if offset == next {
                        Look::Nothing { first, next }
                    } else {
                        let max_bytes = usize::try_from(partition.partition_max_bytes).unwrap_or(0);
                        let wanted = Wanted { partition: view.id, offset, end: next, max_bytes };
                        Look::Records { first, wanted }
                    }
                })
                .collect()
        })
        .collect()
}

async fn read(
    broker: &Arc<Broker>,
    looks: &[Vec<Look>],
    most: usize,
) -> Result<Vec<Bytes>, ReadError> {
    let wanted: Vec<Wanted> = looks
        .iter()
        .flatten()
        .filter_map(|look| match look {
            Look::Records { wanted, .. } => Some(*wanted),
            Look::Fault(_) | Look::Nothing { .. } => None,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let reader = Arc::clone(&broker.log.reader);
    tokio::task::spawn_blocking(move || reader.batches(&wanted, most))
        .await
        .map_err(ReadError::Ended)?
}

fn answer(asked: FetchRequest, looks: Vec<Vec<Look>>, records: Vec<Bytes>) -> FetchResponse {
    let mut records = records.into_iter();
    let topics = asked
        .topics
        .into_iter()
        .zip(looks)
        .map(|(topic, looks)| {
            let partitions = topic
                .partitions
                .iter()
                .zip(looks)
                .map(|(partition, look)| {
                    let data = PartitionData::default()
                        .with_partition_index(partition.partition)
                        .with_preferred_read_replica(BrokerId(-1))
                        .with_aborted_transactions(Some(Vec::new()))
                        .with_records(Some(Bytes::new()));
                    match look {
                        Look::Fault(error) => data
                            .with_error_code(error.code())
                            .with_high_watermark(-1)
                            .with_last_stable_offset(-1)
                            .with_log_start_offset(-1),
                        Look::Nothing { first, next } => data
                            .with_high_watermark(next)
                            .with_last_stable_offset(next)
                            .with_log_start_offset(first),
                        Look::Records { first, wanted } => data
                            .with_high_watermark(wanted.end)
                            .with_last_stable_offset(wanted.end)
                            .with_log_start_offset(first)
                            .with_records(Some(records.next().unwrap_or_default())),
                    }
                })
                .collect();
            FetchableTopicResponse::default().with_topic(topic.topic).with_partitions(partitions)
        })
        .collect();
    FetchResponse::default().with_responses(topics)
}
