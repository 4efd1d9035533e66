//! What stands in the topics.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mercurious_contracts::topic;
use mercurious_messaging::header;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::Headers as _,
};

use super::{Sent, ledger::ENDS};

/// How long the broker may take for all of it.
const LIMIT: Duration = Duration::from_mins(2);

/// Where the broker is, and who asks.
#[derive(Debug, Clone)]
pub struct Access {
    /// `host:port`.
    pub broker: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Every message that tells an end, and every dead letter. Blocks.
pub fn read(access: &Access) -> anyhow::Result<Vec<Sent>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &access.broker)
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "SCRAM-SHA-256")
        .set("sasl.username", &access.username)
        .set("sasl.password", &access.password)
        .set("group.id", "who-looks")
        .set("enable.auto.commit", "false")
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .context("no Kafka client")?;
    let mut topics: Vec<String> = ENDS.map(str::to_owned).to_vec();
    topics.extend(topic::CONSUMED.map(topic::dead_letters));
    let (mut list, mut left) = (TopicPartitionList::new(), 0_i64);
    for topic in &topics {
        for partition in 0..topic::PARTITIONS {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, Duration::from_secs(30))
                .with_context(|| format!("{topic}/{partition} has no end"))?;
            left += high - low;
            if high > low {
                list.add_partition_offset(topic, partition, Offset::Offset(low))?;
            }
        }
    }
    let mut sent = Vec::new();
    if left == 0 {
        return Ok(sent);
    }
    consumer.assign(&list)?;
    let began = Instant::now();
    while left > 0 {
        ensure!(began.elapsed() < LIMIT, "{left} messages do not come");
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        // What fails passes: the client tries again.
        let Ok(message) = message else { continue };
        left -= 1;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let id = message.headers().and_then(|headers| {
            let header = headers.iter().find(|header| header.key == header::MESSAGE_ID)?;
            header.value.map(text)
        });
        let body: serde_json::Value =
            serde_json::from_slice(message.payload().unwrap_or_default()).unwrap_or_default();
        sent.push(Sent {
            topic: message.topic().to_owned(),
            job: message.key().map(text).unwrap_or_default(),
            id: id.unwrap_or_default(),
            outcome: body["data"]["outcome"].as_str().map(str::to_owned),
        });
    }
    Ok(sent)
}
