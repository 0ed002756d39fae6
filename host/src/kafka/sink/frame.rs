//! A message between the encoder and the producer: one row of bytes, so that rows of all sinks are kept alike.
//!
//! Its topic's index, its key, its headers, and the value as the rest. Parts begin with their length; null has one that no part
//! can have.

use wasmill_core::HeaderRef;

/// The length of what is null.
const NULL: u32 = u32::MAX;
/// Bytes of a row's own: index, key's length, number of headers, whether there is a value.
const ROW_BYTES: usize = 2 + 4 + 4 + 1;
/// Bytes of a row's own for each header.
const ROW_HEADER_BYTES: usize = 4 + 4;
/// Most bytes that Kafka adds to a message: 61 of the batch that it may be alone in, 36 of the record.
const KAFKA_BYTES: usize = 61 + 36;
/// Most bytes that Kafka adds for each header: two lengths.
const KAFKA_HEADER_BYTES: usize = 10;

/// A message in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// The index of its topic.
    pub(super) topic: usize,
    /// The key.
    pub(super) key: Option<&'a [u8]>,
    headers: u32,
    header_bytes: &'a [u8],
    bytes: usize,
}

/// Appends a message without its value to `row`, with `count` headers: [`begin_value`] is to follow.
pub(super) fn begin<'h>(
    row: &mut Vec<u8>,
    topic: u16,
    key: Option<&[u8]>,
    count: usize,
    headers: impl Iterator<Item = HeaderRef<'h>>,
) {
    row.extend_from_slice(&topic.to_le_bytes());
    put(row, key);
    row.extend_from_slice(&length(count).to_le_bytes());
    for (name, value) in headers {
        put(row, Some(name));
        put(row, value);
    }
}

/// Says whether there is a value; if so, whatever is appended from here on is it.
pub(super) fn begin_value(row: &mut Vec<u8>, is_there: bool) {
    row.push(u8::from(is_there));
}

/// The most bytes of a row's message in Kafka, with all that is added to it.
pub(super) fn bytes_max(row_bytes: usize, headers: usize) -> usize {
    row_bytes - ROW_BYTES + KAFKA_BYTES + headers * (KAFKA_HEADER_BYTES - ROW_HEADER_BYTES)
}

impl<'a> Frame<'a> {
    /// The message of a row.
    ///
    /// # Panics
    /// When the row was not made here.
    pub(super) fn read(row: &'a [u8]) -> Self {
        let (topic, mut rest) = row.split_at(2);
        let topic = usize::from(u16::from_le_bytes([topic[0], topic[1]]));
        let key = take(&mut rest);
        let headers = take_number(&mut rest);
        Self { topic, key, headers, header_bytes: rest, bytes: row.len() }
    }

    /// Gives each header to `each`, in order; then answers the value.
    pub(super) fn walk(&self, mut each: impl FnMut(HeaderRef<'a>)) -> Option<&'a [u8]> {
        let mut rest = self.header_bytes;
        for _ in 0..self.headers {
            let name = take(&mut rest).unwrap_or_default();
            each((name, take(&mut rest)));
        }
        let (is_there, value) = rest.split_at(1);
        (is_there[0] == 1).then_some(value)
    }

    /// Number of headers.
    pub(super) fn headers(&self) -> usize {
        self.headers as usize
    }

    /// See [`bytes_max`].
    pub(super) fn bytes_max(&self) -> usize {
        bytes_max(self.bytes, self.headers())
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("messages are far below 4 GiB")
}

fn put(row: &mut Vec<u8>, part: Option<&[u8]>) {
    row.extend_from_slice(&part.map_or(NULL, |part| length(part.len())).to_le_bytes());
    row.extend_from_slice(part.unwrap_or_default());
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest);
    if length == NULL {
        return None;
    }
    let (part, after) = rest.split_at(length as usize);
    *rest = after;
    Some(part)
}

fn take_number(rest: &mut &[u8]) -> u32 {
    let (number, after) = rest.split_first_chunk().expect("rows are made by `begin`");
    *rest = after;
    u32::from_le_bytes(*number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Part = Option<Vec<u8>>;

    fn part() -> impl Strategy<Value = Part> {
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20))
    }

    proptest! {
        #[test]
        fn message_is_read_as_it_was_written(
            topic in any::<u16>(),
            key in part(),
            headers in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..9), part()), 0..4),
            value in part(),
        ) {
            let mut row = Vec::new();
            let refs = headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
            begin(&mut row, topic, key.as_deref(), headers.len(), refs);
            begin_value(&mut row, value.is_some());
            row.extend_from_slice(value.as_deref().unwrap_or_default());
            let frame = Frame::read(&row);
            let mut read = Vec::new();
            let found = frame.walk(|(name, value)| read.push((name.to_vec(), value.map(<[u8]>::to_vec))));
            prop_assert_eq!((frame.topic, frame.key), (usize::from(topic), key.as_deref()));
            prop_assert_eq!(read, headers.clone());
            prop_assert_eq!(found, value.as_deref());
            let sum = |part: &Part| part.as_ref().map_or(0, Vec::len);
            let of_headers: usize = headers.iter().map(|(name, value)| 10 + name.len() + sum(value)).sum();
            prop_assert_eq!(frame.bytes_max(), 97 + sum(&key) + sum(&value) + of_headers);
        }
    }
}
