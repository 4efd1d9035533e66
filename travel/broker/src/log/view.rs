use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

/// Where a partition begins and ends, as readers may know it.
#[derive(Debug)]
pub(crate) struct PartitionView {
    /// Its key in the log.
    pub(crate) id: i64,
    /// Its number in its topic.
    pub(crate) number: i32,
    first: AtomicI64,
    next: AtomicI64,
}

impl PartitionView {
    pub(super) fn new(id: i64, number: i32, first: i64, next: i64) -> Self {
        Self { id, number, first: AtomicI64::new(first), next: AtomicI64::new(next) }
    }

    /// The first offset that is kept.
    pub(crate) fn first(&self) -> i64 {
        self.first.load(Ordering::Acquire)
    }

    /// The offset after the last one that is kept.
    pub(crate) fn next(&self) -> i64 {
        self.next.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, first: i64, next: i64) {
        self.first.store(first, Ordering::Release);
        self.next.store(next, Ordering::Release);
    }
}

/// All topics by name. Which there are is settled at the start.
#[derive(Debug)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Vec<Arc<PartitionView>>>,
    grown: watch::Sender<u64>,
    /// How many records were appended since the start.
    appended: AtomicU64,
}

impl Topics {
    pub(super) fn new(topics: BTreeMap<String, Vec<PartitionView>>) -> Self {
        let by_name = topics
            .into_iter()
            .map(|(name, partitions)| (name, partitions.into_iter().map(Arc::new).collect()))
            .collect();
        Self { by_name, grown: watch::Sender::new(0), appended: AtomicU64::new(0) }
    }

    /// The partitions of a topic, by their number.
    pub(crate) fn partitions(&self, topic: &str) -> Option<&[Arc<PartitionView>]> {
        self.by_name.get(topic).map(Vec::as_slice)
    }

    pub(crate) fn partition(&self, topic: &str, number: i32) -> Option<&Arc<PartitionView>> {
        self.by_name.get(topic)?.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Arc<PartitionView>])> {
        self.by_name.iter().map(|(name, partitions)| (name.as_str(), partitions.as_slice()))
    }

    /// Changes whenever any partition has grown.
    pub(crate) fn growth(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// Says that partitions have grown by this many records.
    pub(super) fn announce(&self, records: u64) {
        self.appended.fetch_add(records, Ordering::Relaxed);
        self.grown.send_modify(|count| *count += 1);
    }

    /// How many records were appended since the start.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }
}
