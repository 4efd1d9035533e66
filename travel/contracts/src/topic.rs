//! The topics and the groups that read them. Nothing else in the project spells these names.

use mercurious_messaging::Route;

/// Requests from the gateway to enrichment.
pub const ENRICHMENT_REQUEST: &str = "travel-enrichment-request";
/// How far enrichment is.
pub const ENRICHMENT_PROGRESS: &str = "travel-enrichment-progress";
/// Facts, or why there are none.
pub const ENRICHMENT_COMPLETED: &str = "travel-enrichment-completed";
/// Requests from the gateway to generation.
pub const GENERATION_REQUEST: &str = "travel-generation-request";
/// How far generation is, and each finished day.
pub const GENERATION_PROGRESS: &str = "travel-generation-progress";
/// An itinerary, or why there is none.
pub const GENERATION_COMPLETED: &str = "travel-generation-completed";
/// Jobs that are not wanted any more. Every worker reads all of it, without a group.
pub const JOB_CANCELLED: &str = "travel-job-cancelled";

/// The topics that a consumer group reads; each has a topic for retries and one for dead letters beside it.
pub const CONSUMED: [&str; 6] = [
    ENRICHMENT_REQUEST,
    ENRICHMENT_PROGRESS,
    ENRICHMENT_COMPLETED,
    GENERATION_REQUEST,
    GENERATION_PROGRESS,
    GENERATION_COMPLETED,
];

/// The partitions of each topic.
pub const PARTITIONS: i32 = 3;
/// How long messages are kept, in hours: seven days. Dedup records live at least as long.
pub const RETENTION_HOURS: i64 = 7 * 24;

/// The group of the gateways.
pub const GATEWAY_GROUP: &str = "gateway-group";
/// The group of the enrichment workers.
pub const ENRICHMENT_GROUP: &str = "enrichment-consumers";
/// The group of the generation workers.
pub const GENERATION_GROUP: &str = "generation-consumers";

/// The topic on which messages of `topic` wait for another try.
pub fn retry(topic: &str) -> String {
    format!("{topic}-retry")
}

/// The topic where messages of `topic` end that cannot be handled.
pub fn dead_letters(topic: &str) -> String {
    format!("{topic}-dlq")
}

/// How a group reads `topic`.
pub fn route(topic: &str) -> Route {
    Route { topic: topic.to_owned(), retry: retry(topic), dead_letters: dead_letters(topic) }
}

/// Every topic that must exist, with [`PARTITIONS`] partitions each.
pub fn all() -> Vec<String> {
    let mut topics = vec![JOB_CANCELLED.to_owned()];
    for topic in CONSUMED {
        topics.extend([topic.to_owned(), retry(topic), dead_letters(topic)]);
    }
    topics.sort();
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_of_one_machine_makes_these_topics_and_no_others() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/local/broker.yaml");
        let manifest = std::fs::read_to_string(path).unwrap();
        let end = format!(":{PARTITIONS}");
        let mut made: Vec<&str> = manifest
            .split([',', ' ', '\n'])
            .filter_map(|word| word.strip_suffix(&end))
            .filter(|name| name.starts_with("travel-"))
            .collect();
        made.sort_unstable();
        assert_eq!(made, all());
    }

    #[test]
    fn r44_topics_are_spelt_with_dashes_and_each_once() {
        let topics = all();
        assert_eq!(topics.len(), 19);
        for topic in &topics {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(topic.bytes().all(plain), "{topic}");
        }
        let mut once = topics.clone();
        once.dedup();
        assert_eq!(once, topics);
    }
}
