//! Record batches of Kafka's message format 2 (<https://kafka.apache.org/documentation/#recordbatch>).

use std::io::{self, Write};

use flate2::write::GzEncoder;

use super::window::Numbered;
use crate::config::Compression;
use crate::kafka::sink::frame::Frame;
use crate::kafka::sink::wire::{Put, part_length, varint_bytes};

/// Bytes of a batch before its records.
pub(super) const HEADER_BYTES: usize = 61;
/// Of these, those that neither the batch's length nor its checksum covers.
const BEFORE_LENGTH: usize = 12;
/// Where the bytes begin that the checksum covers: behind the length, the leader's epoch, the format and the checksum.
const CHECKED_FROM: usize = 21;
/// The format of the message.
const MAGIC: u8 = 2;
/// An LZ4 frame's beginning: its number, version 1 with independent blocks (Java clients read no others) of at most 64 KiB, a checksum of
/// these two bytes (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>).
const LZ4_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// Bytes of a block: one more, and the library takes a larger table, which is slower.
const LZ4_BLOCK: usize = u16::MAX as usize - 1;
/// The bit of a block's length that says that it is not compressed.
const LZ4_AS_IT_IS: u32 = 1 << 31;

/// How records are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codec {
    pub(super) compression: Compression,
    /// Of gzip and Zstandard; `None`: their own default.
    pub(super) level: Option<u32>,
}

/// Records on their way into a batch.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    count: i32,
}

/// A batch, but for who numbers it.
#[derive(Debug)]
pub(super) struct RecordBatch {
    /// Its records, compressed.
    records: Vec<u8>,
    attributes: i16,
    count: i32,
    time_ms: i64,
}

impl Records {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a message.
    pub(super) fn push(&mut self, message: &Frame<'_>) {
        let value = message.value.unwrap_or_default();
        let value_length = part_length(message.value);
        // Attributes and the difference of the times are a zero each.
        let length = 2
            + varint_bytes(self.count)
            + message.key_part.len()
            + varint_bytes(value_length)
            + value.len()
            + message.headers_part.len();
        let bytes = &mut self.bytes;
        bytes.reserve(5 + length);
        bytes.varint(i32::try_from(length).expect("messages are far below 2 GiB"));
        bytes.raw(&[0, 0]);
        bytes.varint(self.count);
        bytes.raw(message.key_part);
        bytes.varint(value_length);
        bytes.raw(value);
        bytes.raw(message.headers_part);
        self.count += 1;
    }

    /// A batch of what was appended, written at `time_ms` (milliseconds since 1970).
    pub(super) fn finish(self, codec: Codec, time_ms: i64) -> RecordBatch {
        let attributes = match codec.compression {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        };
        let records = compressed(self.bytes, codec).expect("memory takes what is written");
        RecordBatch { records, attributes, count: self.count, time_ms }
    }
}

impl RecordBatch {
    /// Number of records.
    pub(super) fn count(&self) -> i32 {
        self.count
    }

    /// Bytes that [`put`](Self::put) appends.
    pub(super) fn bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Appends it as it is sent.
    pub(super) fn put(&self, to: &mut Vec<u8>, numbered: Numbered) {
        let start = to.len();
        to.i64(0);
        to.length(self.bytes() - BEFORE_LENGTH);
        to.i32(-1);
        to.raw(&[MAGIC]);
        to.i32(0);
        to.i16(self.attributes);
        to.i32(self.count - 1);
        to.i64(self.time_ms);
        to.i64(self.time_ms);
        to.i64(numbered.producer.id);
        to.i16(numbered.producer.epoch);
        to.i32(numbered.sequence);
        to.i32(self.count);
        to.raw(&self.records);
        let checked = start + CHECKED_FROM;
        let crc = crc32c::crc32c(&to[checked..]);
        to[checked - 4..checked].copy_from_slice(&crc.to_be_bytes());
    }
}

fn compressed(records: Vec<u8>, codec: Codec) -> io::Result<Vec<u8>> {
    // Logs shrink to a quarter or less.
    let mut to = Vec::with_capacity(records.len() / 4);
    match codec.compression {
        Compression::None => return Ok(records),
        Compression::Gzip => {
            let level = codec.level.map_or_else(flate2::Compression::default, flate2::Compression::new);
            let mut encoder = GzEncoder::new(to, level);
            encoder.write_all(&records)?;
            to = encoder.finish()?;
        }
        // One block as it is, without the frame of Java's library, whose reader takes both.
        Compression::Snappy => to = snap::raw::Encoder::new().compress_vec(&records).map_err(io::Error::other)?,
        Compression::Lz4 => lz4_frame(&records, &mut to),
        Compression::Zstd => {
            let level = codec.level.map_or(zstd::DEFAULT_COMPRESSION_LEVEL, |level| level.cast_signed());
            let mut encoder = zstd::Encoder::new(to, level)?;
            encoder.write_all(&records)?;
            to = encoder.finish()?;
        }
    }
    Ok(to)
}

/// As the library's own writer of frames, but without its copy of what is written.
fn lz4_frame(records: &[u8], to: &mut Vec<u8>) {
    to.raw(&LZ4_HEADER);
    let mut room = vec![0; lz4_flex::block::get_maximum_output_size(records.len().min(LZ4_BLOCK))];
    for block in records.chunks(LZ4_BLOCK) {
        let written = lz4_flex::block::compress_into(block, &mut room).unwrap_or(block.len());
        let (length, bytes) = if written < block.len() {
            (written as u32, &room[..written])
        } else {
            (block.len() as u32 | LZ4_AS_IT_IS, block)
        };
        to.raw(&length.to_le_bytes());
        to.raw(bytes);
    }
    to.raw(&[0; 4]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window::ProducerId;
    use super::*;
    use crate::kafka::sink::frame;
    use crate::kafka::sink::wire::Answer;

    fn row(key: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)], value: Option<&[u8]>) -> Vec<u8> {
        let mut row = Vec::new();
        frame::put(&mut row, 0, key, headers.iter().copied(), value);
        row
    }

    fn batch(rows: &[Vec<u8>], compression: Compression) -> RecordBatch {
        let mut records = Records::default();
        rows.iter().for_each(|row| records.push(&Frame::read(row)));
        records.finish(Codec { compression, level: None }, 1_000)
    }

    #[test]
    fn batch_has_the_bytes_of_the_format() {
        let rows = [row(Some(b"k"), &[(b"h", None), (b"i", Some(b"x"))], Some(b"v")), row(None, &[], None)];
        let batch = batch(&rows, Compression::None);
        let mut bytes = vec![0xaa];
        batch.put(&mut bytes, Numbered { ticket: 1, producer: ProducerId { id: 7, epoch: 2 }, sequence: 9 });
        let bytes = &bytes[1..];
        assert_eq!(bytes.len(), batch.bytes());
        #[rustfmt::skip]
        let records: &[u8] = &[
            30, 0, 0, 0, 2, b'k', 2, b'v', 4, 2, b'h', 1, 2, b'i', 2, b'x',
            12, 0, 0, 2, 1, 1, 0,
        ];
        assert_eq!(&bytes[HEADER_BYTES..], records);
        let mut header = Answer(bytes);
        assert_eq!((header.i64(), header.i32()), (Ok(0), Ok(bytes.len() as i32 - 12)));
        assert_eq!((header.i32(), header.bool()), (Ok(-1), Ok(true)));
        assert_eq!(header.i32().map(i32::cast_unsigned), Ok(crc32c::crc32c(&bytes[21..])));
        assert_eq!((header.i16(), header.i32()), (Ok(0), Ok(1)));
        assert_eq!((header.i64(), header.i64()), (Ok(1_000), Ok(1_000)));
        assert_eq!((header.i64(), header.i16(), header.i32(), header.i32()), (Ok(7), Ok(2), Ok(9), Ok(2)));
    }

    proptest! {
        #[test]
        fn lz4_frame_is_read_by_the_library(records in proptest::collection::vec(any::<u8>(), 0..200), times in 1..2_000_usize) {
            // Both what shrinks and what does not.
            let records = records.repeat(times);
            let mut frame = Vec::new();
            lz4_frame(&records, &mut frame);
            let mut read = Vec::new();
            io::Read::read_to_end(&mut lz4_flex::frame::FrameDecoder::new(frame.as_slice()), &mut read).unwrap();
            prop_assert_eq!(read, records);
        }
    }
}
