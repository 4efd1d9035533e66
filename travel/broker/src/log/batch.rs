use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::ResponseError;

/// The bytes of a batch before its records, in the format of version 2.
const HEADER: usize = 61;
/// Where the bytes that the checksum covers begin.
const CHECKED: usize = 21;
/// Attribute bits: the batch is of a transaction, or carries its markers.
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// A batch of records as a producer sent it; the records themselves stay as they are, compressed or not.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The whole batch, its header included.
    pub(crate) bytes: Bytes,
    /// How many records it holds, at least one.
    pub(crate) records: i32,
    /// The newest timestamp, in milliseconds since 1970.
    pub(crate) max_timestamp: i64,
    /// Who sent it, where the producer is idempotent.
    pub(crate) producer: Option<Stamp>,
}

/// The place of a batch in the sequence of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) first: i32,
    pub(crate) last: i32,
}

/// Why a batch is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BatchError {
    #[error("the batch ends before its length says so, or holds more than one batch")]
    Length,
    #[error("the batch has format {0}; only format 2 is taken")]
    Format(i8),
    #[error("the batch is damaged: its checksum does not match")]
    Damaged,
    #[error("the batch has {bytes} bytes, more than the {limit} that one may have")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the batch counts its records wrongly, or has none")]
    Count,
    #[error("the batch belongs to a transaction; there are none here")]
    Transaction,
}

impl BatchError {
    /// What the producer is told.
    pub(crate) fn answer(&self) -> ResponseError {
        match self {
            Self::Length | Self::Damaged => ResponseError::CorruptMessage,
            Self::Format(_) => ResponseError::UnsupportedForMessageFormat,
            Self::TooLarge { .. } => ResponseError::MessageTooLarge,
            Self::Count => ResponseError::InvalidRecord,
            Self::Transaction => ResponseError::InvalidTxnState,
        }
    }
}

impl Batch {
    /// Reads the header of the one batch in `bytes` and checks the whole.
    pub(crate) fn parse(bytes: Bytes, limit: usize) -> Result<Self, BatchError> {
        if bytes.len() < HEADER {
            return Err(BatchError::Length);
        }
        let format = bytes[16] as i8;
        if format != 2 {
            return Err(BatchError::Format(format));
        }
        let mut header = &bytes[8..HEADER];
        let length = header.get_i32();
        if usize::try_from(length).is_ok_and(|length| length + 12 == bytes.len()) {
            if bytes.len() > limit {
                return Err(BatchError::TooLarge { bytes: bytes.len(), limit });
            }
        } else {
            return Err(BatchError::Length);
        }
        header.advance(5); // leader epoch, format
        let checksum = header.get_u32();
        if crc32c::crc32c(&bytes[CHECKED..]) != checksum {
            return Err(BatchError::Damaged);
        }
        let attributes = header.get_i16();
        let last_delta = header.get_i32();
        header.advance(8); // the first record's timestamp
        let max_timestamp = header.get_i64();
        let id = header.get_i64();
        let epoch = header.get_i16();
        let first = header.get_i32();
        let records = header.get_i32();
        if records < 1 || last_delta != records - 1 {
            return Err(BatchError::Count);
        }
        if attributes & (TRANSACTIONAL | CONTROL) != 0 {
            return Err(BatchError::Transaction);
        }
        let producer =
            (id >= 0).then(|| Stamp { id, epoch, first, last: sequence_after(first, last_delta) });
        Ok(Self { bytes, records, max_timestamp, producer })
    }

    /// The bytes of the batch at its place in the log; the checksum does not cover what is written here.
    pub(crate) fn placed(&self, base_offset: i64) -> BytesMut {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
        bytes
    }
}

/// A sequence number that many further on: after the largest comes 0.
pub(crate) fn sequence_after(first: i32, steps: i32) -> i32 {
    ((i64::from(first) + i64::from(steps)) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::BufMut as _;

    use super::*;

    /// A batch of `records` records with no content, as a producer would send it.
    pub(crate) fn batch(records: i32, stamp: Option<Stamp>) -> Bytes {
        let mut checked = BytesMut::new();
        checked.put_i16(0);
        checked.put_i32(records - 1);
        checked.put_i64(1);
        checked.put_i64(2);
        checked.put_i64(stamp.map_or(-1, |stamp| stamp.id));
        checked.put_i16(stamp.map_or(-1, |stamp| stamp.epoch));
        checked.put_i32(stamp.map_or(-1, |stamp| stamp.first));
        checked.put_i32(records);
        checked.put_slice(b"records");
        let mut bytes = BytesMut::new();
        bytes.put_i64(0);
        bytes.put_i32((checked.len() + 9) as i32);
        bytes.put_i32(-1);
        bytes.put_i8(2);
        bytes.put_u32(crc32c::crc32c(&checked));
        bytes.put_slice(&checked);
        bytes.freeze()
    }

    #[test]
    fn a_batch_is_read_and_placed() {
        let stamp = Stamp { id: 7, epoch: 1, first: 5, last: 7 };
        let parsed = Batch::parse(batch(3, Some(stamp)), 1000).unwrap();
        assert_eq!((parsed.records, parsed.max_timestamp), (3, 2));
        assert_eq!(parsed.producer, Some(stamp));
        let placed = parsed.placed(41).freeze();
        assert_eq!(placed[..8], 41_i64.to_be_bytes());
        Batch::parse(placed, 1000).unwrap();
    }

    #[test]
    fn a_wrong_batch_is_refused_by_its_fault() {
        let good = batch(3, None);
        let changed = |at: usize, to: u8| {
            let mut bytes = BytesMut::from(&good[..]);
            bytes[at] = to;
            Batch::parse(bytes.freeze(), 1000).unwrap_err()
        };
        assert_eq!(changed(65, 0), BatchError::Damaged);
        assert_eq!(changed(16, 1), BatchError::Format(1));
        assert_eq!(changed(11, 1), BatchError::Length);
        assert_eq!(Batch::parse(good.slice(..40), 1000).unwrap_err(), BatchError::Length);
        assert_eq!(Batch::parse(good.slice(..67), 1000).unwrap_err(), BatchError::Length);
        let two = [&good[..], &good[..]].concat();
        assert_eq!(Batch::parse(two.into(), 1000).unwrap_err(), BatchError::Length);
        assert_eq!(Batch::parse(batch(0, None), 1000).unwrap_err(), BatchError::Count);
        assert_eq!(
            Batch::parse(good, 67).unwrap_err(),
            BatchError::TooLarge { bytes: 68, limit: 67 }
        );
    }

    #[test]
    fn the_sequence_begins_again_after_its_largest_number() {
        assert_eq!(sequence_after(5, 2), 7);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    }
}
