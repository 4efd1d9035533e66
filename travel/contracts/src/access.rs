//! What each service may do on the broker, and nothing else: one user for each.

use crate::topic::{self, dead_letters, retry};

/// What the user of a service may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The service, and the name of its user.
    pub service: &'static str,
    /// The group that it reads as.
    pub group: &'static str,
    /// The topics that it reads.
    pub reads: Vec<String>,
    /// The topics that it writes.
    pub writes: Vec<String>,
    /// The topics that it must know to exist; those that it reads or writes are known anyway.
    pub sees: Vec<String>,
}

impl Access {
    fn new(
        service: &'static str,
        group: &'static str,
        consumed: &[&str],
        reads: &[&str],
        writes: &[&str],
    ) -> Self {
        let owned = |topics: &[&str]| -> Vec<String> {
            topics.iter().map(|topic| (*topic).to_owned()).collect()
        };
        let retries = consumed.iter().map(|topic| retry(topic));
        // What fails goes to be tried again, or to the dead letters.
        let failed = consumed.iter().flat_map(|topic| [retry(topic), dead_letters(topic)]);
        Self {
            service,
            group,
            reads: owned(consumed).into_iter().chain(retries).chain(owned(reads)).collect(),
            writes: owned(writes).into_iter().chain(failed).collect(),
            sees: Vec::new(),
        }
    }
}

/// The access of each service.
pub fn access() -> [Access; 3] {
    let answers = [
        topic::ENRICHMENT_PROGRESS,
        topic::ENRICHMENT_COMPLETED,
        topic::GENERATION_PROGRESS,
        topic::GENERATION_COMPLETED,
    ];
    let requests = [topic::ENRICHMENT_REQUEST, topic::GENERATION_REQUEST, topic::JOB_CANCELLED];
    let mut gateway = Access::new("api-gateway", topic::GATEWAY_GROUP, &answers, &[], &requests);
    // At its start it looks whether the whole platform has its topics.
    gateway.sees = topic::all();
    gateway.sees.retain(|topic| !gateway.reads.contains(topic) && !gateway.writes.contains(topic));
    [
        gateway,
        Access::new(
            "api-enrichment",
            topic::ENRICHMENT_GROUP,
            &[topic::ENRICHMENT_REQUEST],
            &[topic::JOB_CANCELLED],
            &[topic::ENRICHMENT_PROGRESS, topic::ENRICHMENT_COMPLETED],
        ),
        Access::new(
            "api-generation",
            topic::GENERATION_GROUP,
            &[topic::GENERATION_REQUEST],
            &[topic::JOB_CANCELLED],
            &[topic::GENERATION_PROGRESS, topic::GENERATION_COMPLETED],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r55_the_page_says_what_each_user_may_do() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/messaging.md");
        let page = std::fs::read_to_string(path).unwrap();
        let names = |topics: &[String]| {
            let name = |topic: &String| format!("`{}`", topic.trim_start_matches("travel-"));
            topics.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        for Access { service, group, reads, writes, sees } in access() {
            let mut rows = vec![
                format!("| `{service}` | read | {} |", names(&reads)),
                format!("| | write | {} |", names(&writes)),
                format!("| | read, of groups | `{group}` |"),
            ];
            if !sees.is_empty() {
                rows.push(format!("| | describe | {} |", names(&sees)));
            }
            for row in &rows {
                assert!(page.contains(row), "not on the page: {row}");
            }
        }
    }

    #[test]
    fn r55_nobody_reads_what_is_meant_for_another_and_each_topic_has_a_writer() {
        let all = access();
        let has = |topics: &[String], topic: &str| topics.iter().any(|known| known == topic);
        for topic in topic::CONSUMED {
            let readers: Vec<_> = all.iter().filter(|one| has(&one.reads, topic)).collect();
            let writers = all.iter().filter(|one| has(&one.writes, topic)).count();
            assert_eq!((readers.len(), writers), (1, 1), "{topic}");
            assert!(has(&readers[0].writes, &dead_letters(topic)), "{topic}");
        }
    }
}
