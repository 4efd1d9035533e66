use std::{path::Path, sync::Arc, time::Duration};

use mercurious_runtime::SystemClock;

use super::{
    Limits, Log, Wanted,
    batch::tests::batch,
    batch::{Batch, Stamp},
};
use crate::settings::Topic;

fn open(directory: &Path, partition_bytes: u64) -> Log {
    let topics = [Topic { name: "work".to_owned(), partitions: 1 }];
    let limits = Limits { retention: Duration::from_hours(1), partition_bytes };
    Log::open(directory, &topics, limits, Arc::new(SystemClock)).unwrap()
}

async fn append(log: &Log, records: i32) -> i64 {
    let partition = log.topics.partition("work", 0).unwrap().id;
    let batch = Batch::parse(batch(records, None), 1000).unwrap();
    log.writer.append(partition, batch).await.unwrap().base_offset
}

#[tokio::test]
async fn offsets_have_no_gaps_and_are_seen_once_they_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path(), 1_000_000);
    let view = Arc::clone(log.topics.partition("work", 0).unwrap());
    assert_eq!((append(&log, 3).await, append(&log, 1).await), (0, 3));
    assert_eq!((view.first(), view.next()), (0, 4));
    let all = Wanted { partition: view.id, offset: 1, end: 4, max_bytes: 1000 };
    let found = log.reader.batches(&[all], 1000).unwrap();
    // From the batch that holds the offset on.
    assert_eq!(found[0].len(), 2 * batch(1, None).len());
}

#[tokio::test]
async fn what_is_too_much_goes_and_offsets_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let size = batch(1, None).len() as u64;
    let log = open(directory.path(), 2 * size);
    for _ in 0..5 {
        append(&log, 1).await;
    }
    log.writer.prune().await;
    // The next answer comes after the pruning.
    assert_eq!(append(&log, 1).await, 5);
    let view = Arc::clone(log.topics.partition("work", 0).unwrap());
    assert_eq!((view.first(), view.next()), (3, 6));
    let from_first = Wanted { partition: view.id, offset: 3, end: 6, max_bytes: 1000 };
    assert_eq!(log.reader.batches(&[from_first], 1000).unwrap()[0].len() as u64, 3 * size);
}

#[tokio::test]
async fn a_producer_is_known_again_when_the_log_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let stamp = |first| Stamp { id: 1, epoch: 0, first, last: first };
    let one = |first| Batch::parse(batch(1, Some(stamp(first))), 1000).unwrap();
    let log = open(directory.path(), 1_000_000);
    let partition = log.topics.partition("work", 0).unwrap().id;
    for first in 0..3 {
        log.writer.append(partition, one(first)).await.unwrap();
    }
    drop(log);
    let log = open(directory.path(), 1_000_000);
    assert_eq!(log.writer.append(partition, one(2)).await.unwrap().base_offset, 2);
    log.writer.append(partition, one(4)).await.unwrap_err();
    assert_eq!(log.writer.append(partition, one(3)).await.unwrap().base_offset, 3);
}
