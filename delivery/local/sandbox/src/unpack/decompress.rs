use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;
use mercurious_core::image::Digest;
use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest as _, Sha256};

use super::{Bound, Compression, UnpackLimits};

const BUFFER_BYTES: usize = 128 * 1024;

/// The tar stream of a layer: decompressed, hashed and bounded while it is read.
pub(super) struct LayerStream {
    decoder: Box<dyn Read>,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
    allowance: u64,
    limits: UnpackLimits,
    hasher: Sha256,
    breached: Rc<Cell<Option<Bound>>>,
    header: Rc<Cell<Option<u64>>>,
}

impl LayerStream {
    /// `spent` bytes of the image's total are used by earlier layers.
    pub(super) fn new(
        file: File,
        compression: Compression,
        limits: UnpackLimits,
        spent: u64,
    ) -> Self {
        let packed = Rc::new(Cell::new(0));
        let source = BufReader::with_capacity(
            BUFFER_BYTES,
            Counting { inner: file, count: Rc::clone(&packed) },
        );
        let decoder: Box<dyn Read> = match compression {
            Compression::None => Box::new(source),
            Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
            Compression::Zstd => Box::new(ZstdFrames { state: Frames::Between(source) }),
        };
        Self {
            decoder,
            packed,
            unpacked: 0,
            allowance: limits.total_bytes.saturating_sub(spent),
            limits,
            hasher: Sha256::new(),
            breached: Rc::default(),
            header: Rc::default(),
        }
    }

    /// Where a met bound is found: the tar reader wraps errors beyond recognition.
    pub(super) fn breach(&self) -> Rc<Cell<Option<Bound>>> {
        Rc::clone(&self.breached)
    }

    /// Bytes that may be read before it is set again; no bound where it is `None`.
    pub(super) fn header_allowance(&self) -> Rc<Cell<Option<u64>>> {
        Rc::clone(&self.header)
    }

    /// Reads what follows the archive, which the diff id covers too, and hashes it all.
    pub(super) fn finish(mut self) -> io::Result<(Digest, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((Digest::from_sha256(&self.hasher.finalize().into()), self.unpacked))
    }

    fn check_header(&self, count: u64) -> Option<Bound> {
        let left = self.header.get()?;
        self.header.set(Some(left.saturating_sub(count)));
        (count > left).then_some(Bound::Header)
    }

    fn check(&self) -> Option<Bound> {
        if self.unpacked > self.allowance {
            return Some(Bound::TotalBytes(self.limits.total_bytes));
        }
        let by_ratio = self.packed.get().saturating_mul(self.limits.ratio);
        (self.unpacked > by_ratio.max(self.limits.ratio_floor_bytes))
            .then_some(Bound::Ratio(self.limits.ratio))
    }
}

impl Read for LayerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.unpacked += count as u64;
        if let Some(bound) = self.check().or_else(|| self.check_header(count as u64)) {
            self.breached.set(Some(bound));
            return Err(io::Error::other(bound));
        }
        Ok(count)
    }
}

struct Counting {
    inner: File,
    count: Rc<Cell<u64>>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// A file of Zstandard frames one after the other, as parallel compressors and seekable layers write them.
struct ZstdFrames<R: BufRead> {
    state: Frames<R>,
}

enum Frames<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Failed,
}

impl<R: BufRead> ZstdFrames<R> {
    /// The next frame that holds data, or nothing at the end of the file.
    fn next_frame(mut source: R) -> io::Result<Frames<R>> {
        loop {
            let buffer = source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Frames::Between(source));
            }
            // RFC 8878, 3.1.2: a skippable frame is 0x184D2A50 to 5F, its length in four bytes, and so many bytes.
            let skippable =
                buffer.len() >= 8 && buffer[0] & 0xf0 == 0x50 && buffer[1..4] == [0x2a, 0x4d, 0x18];
            if !skippable {
                let frame = StreamingDecoder::new(source)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                return Ok(Frames::Within(Box::new(frame)));
            }
            let length = u32::from_le_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
            source.consume(8);
            let skipped = io::copy(&mut (&mut source).take(length.into()), &mut io::sink())?;
            if skipped != u64::from(length) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, Frames::Failed) {
                Frames::Between(source) => {
                    self.state = Self::next_frame(source)?;
                    if matches!(self.state, Frames::Between(_)) {
                        return Ok(0);
                    }
                }
                Frames::Within(mut frame) => {
                    let count = frame.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        self.state = Frames::Within(frame);
                        return Ok(count);
                    }
                    self.state = Frames::Between(frame.into_inner());
                }
                Frames::Failed => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}
