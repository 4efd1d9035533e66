use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::batch::{Stamp, sequence_after};

/// How many batches of a producer are remembered, so that one that is sent again is known: as many as a client
/// may have on their way.
const REMEMBERED: usize = 5;
/// How many producers of a partition are remembered; the one that has been silent for longest goes first.
const PRODUCERS: usize = 1000;

/// What is to be done with a batch of an idempotent producer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Append,
    /// It was appended before, at this offset.
    Duplicate(i64),
}

/// Why a batch of an idempotent producer is not taken.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SequenceError {
    #[error("a batch before this one is missing")]
    OutOfOrder,
    #[error("a newer producer has taken the place of this one")]
    Fenced,
}

impl SequenceError {
    pub(crate) fn answer(self) -> ResponseError {
        match self {
            Self::OutOfOrder => ResponseError::OutOfOrderSequenceNumber,
            Self::Fenced => ResponseError::InvalidProducerEpoch,
        }
    }
}

/// The idempotent producers of one partition.
///
/// Guarantees: a batch is appended once, and after the one before it, as long as its producer is remembered. A producer
/// that is not may begin anywhere, as with Kafka.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<(Stamp, i64)>,
}

impl Producers {
    pub(super) fn judge(&self, stamp: Stamp) -> Result<Verdict, SequenceError> {
        let Some(producer) = self.by_id.get(&stamp.id) else { return Ok(Verdict::Append) };
        if stamp.epoch < producer.epoch {
            return Err(SequenceError::Fenced);
        }
        if stamp.epoch > producer.epoch {
            let begins = stamp.first == 0;
            return if begins { Ok(Verdict::Append) } else { Err(SequenceError::OutOfOrder) };
        }
        if let Some((_, offset)) = producer.recent.iter().find(|(known, _)| *known == stamp) {
            return Ok(Verdict::Duplicate(*offset));
        }
        let next = producer.recent.back().map(|(newest, _)| sequence_after(newest.last, 1));
        if next.is_none_or(|next| next == stamp.first) {
            Ok(Verdict::Append)
        } else {
            Err(SequenceError::OutOfOrder)
        }
    }

    /// Remembers an appended batch.
    pub(super) fn appended(&mut self, stamp: Stamp, base_offset: i64) {
        let producer = self
            .by_id
            .entry(stamp.id)
            .or_insert_with(|| Producer { epoch: stamp.epoch, recent: VecDeque::new() });
        if producer.epoch != stamp.epoch {
            producer.epoch = stamp.epoch;
            producer.recent.clear();
        }
        producer.recent.push_back((stamp, base_offset));
        if producer.recent.len() > REMEMBERED {
            producer.recent.pop_front();
        }
        if self.by_id.len() > PRODUCERS {
            let silent = self
                .by_id
                .iter()
                .min_by_key(|(_, producer)| producer.recent.back().map(|(_, offset)| *offset))
                .map(|(id, _)| *id);
            if let Some(id) = silent {
                self.by_id.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, first: i32, last: i32) -> Stamp {
        Stamp { id: 1, epoch, first, last }
    }

    #[test]
    fn a_batch_that_is_sent_again_is_known() {
        let mut producers = Producers::default();
        producers.appended(stamp(0, 0, 9), 100);
        producers.appended(stamp(0, 10, 10), 110);
        assert_eq!(producers.judge(stamp(0, 0, 9)), Ok(Verdict::Duplicate(100)));
        assert_eq!(producers.judge(stamp(0, 10, 10)), Ok(Verdict::Duplicate(110)));
        assert_eq!(producers.judge(stamp(0, 11, 12)), Ok(Verdict::Append));
    }

    #[test]
    fn a_gap_is_refused_and_so_is_an_overlap() {
        let mut producers = Producers::default();
        producers.appended(stamp(0, 0, 9), 100);
        assert_eq!(producers.judge(stamp(0, 11, 11)), Err(SequenceError::OutOfOrder));
        assert_eq!(producers.judge(stamp(0, 5, 12)), Err(SequenceError::OutOfOrder));
    }

    #[test]
    fn a_newer_epoch_begins_at_zero_and_ends_the_older_one() {
        let mut producers = Producers::default();
        producers.appended(stamp(0, 0, 9), 100);
        assert_eq!(producers.judge(stamp(1, 3, 3)), Err(SequenceError::OutOfOrder));
        assert_eq!(producers.judge(stamp(1, 0, 0)), Ok(Verdict::Append));
        producers.appended(stamp(1, 0, 0), 110);
        assert_eq!(producers.judge(stamp(0, 10, 10)), Err(SequenceError::Fenced));
    }

    #[test]
    fn only_the_newest_producers_are_remembered() {
        let mut producers = Producers::default();
        for id in 0..=PRODUCERS as i64 {
            producers.appended(Stamp { id, epoch: 0, first: 0, last: 0 }, id);
        }
        assert_eq!(producers.by_id.len(), PRODUCERS);
        assert!(!producers.by_id.contains_key(&0));
    }
}
