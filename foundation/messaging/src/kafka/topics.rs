//! Creating topics: by whoever sets a broker up, never by a service that needs them.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};
use thiserror::Error;

use super::{Expected, Settings, client::Plain};

/// Why topics were not created.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The whole request failed.
    #[error("no topics were created: {0}")]
    Request(String),
    /// Some were not.
    #[error("topics that were not created: {}", .0.join(", "))]
    Topics(Vec<String>),
}

/// Creates the topics that are not there; those that are stay as they are. Messages are kept for `retention_hours`,
/// on `replicas` brokers.
pub async fn create_topics(
    settings: &Settings,
    wanted: &Expected,
    replicas: i32,
    retention_hours: i64,
) -> Result<(), CreateError> {
    let failed = |error: rdkafka::error::KafkaError| CreateError::Request(error.to_string());
    let client: AdminClient<Plain> =
        settings.client().create_with_context(Plain::default()).map_err(failed)?;
    let retention = (retention_hours * 3_600_000).to_string();
    let topics: Vec<NewTopic<'_>> = (wanted.topics.iter())
        .map(|topic| {
            NewTopic::new(topic, wanted.partitions, TopicReplication::Fixed(replicas))
                .set("retention.ms", &retention)
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let results = client.create_topics(&topics, &options).await.map_err(failed)?;
    let not_created: Vec<String> = (results.into_iter().filter_map(Result::err))
        .filter(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists)
        .map(|(topic, code)| format!("{topic} ({code})"))
        .collect();
    if not_created.is_empty() { Ok(()) } else { Err(CreateError::Topics(not_created)) }
}
