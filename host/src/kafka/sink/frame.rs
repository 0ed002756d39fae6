//! A message between the encoder and the producer: one row of bytes, so that rows of all sinks are kept alike.
//!
//! The index of its topic, the lengths of its value and of its key, then the value, the key, and the headers. Key and headers are written as
//! a record has them, so that the producer only copies them.

use wasmill_core::HeaderRef;

use super::wire::{Answer, Put};

/// The length of a value that is null.
const NULL: u32 = u32::MAX;
/// Bytes before the value: the topic's index and the two lengths.
const PREFIX_BYTES: usize = 2 + 4 + 4;
/// Most bytes that Kafka adds to a message: 61 of the batch that it may be alone in; of the record two and three lengths.
const KAFKA_BYTES: usize = 61 + 2 + 3 * 5;

/// A message in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// The index of its topic.
    pub(super) topic: usize,
    /// The value.
    pub(super) value: Option<&'a [u8]>,
    /// The key as a record has it.
    pub(super) key_part: &'a [u8],
    /// The headers as a record has them: their number, and each.
    pub(super) headers_part: &'a [u8],
}

/// Begins a message whose value is appended next, if there is one; then [`finish`] is to follow.
pub(super) fn begin(row: &mut Vec<u8>) {
    row.raw(&[0; PREFIX_BYTES]);
}

/// Ends the message that began at `start`.
pub(super) fn finish<'h>(
    row: &mut Vec<u8>,
    start: usize,
    topic: u16,
    has_value: bool,
    key: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = HeaderRef<'h>>,
) {
    let value_end = row.len();
    row.part(key);
    let key_bytes = length(row.len() - value_end);
    row.varint(i32::try_from(headers.len()).expect("headers are fewer than bytes"));
    for (name, value) in headers {
        row.part(Some(name));
        row.part(value);
    }
    let value_bytes = if has_value { length(value_end - start - PREFIX_BYTES) } else { NULL };
    let prefix = &mut row[start..start + PREFIX_BYTES];
    prefix[..2].copy_from_slice(&topic.to_le_bytes());
    prefix[2..6].copy_from_slice(&value_bytes.to_le_bytes());
    prefix[6..].copy_from_slice(&key_bytes.to_le_bytes());
}

/// Appends a whole message.
pub(super) fn put<'h>(
    row: &mut Vec<u8>,
    topic: u16,
    key: Option<&[u8]>,
    headers: impl ExactSizeIterator<Item = HeaderRef<'h>>,
    value: Option<&[u8]>,
) {
    let start = row.len();
    begin(row);
    row.raw(value.unwrap_or_default());
    finish(row, start, topic, value.is_some(), key, headers);
}

/// The most bytes in Kafka of the message of a row of `row_bytes`, with all that is added to it.
pub(super) fn bytes_max(row_bytes: usize) -> usize {
    row_bytes - PREFIX_BYTES + KAFKA_BYTES
}

impl<'a> Frame<'a> {
    /// The message of a row.
    ///
    /// # Panics
    /// When the row was not made here.
    pub(super) fn read(row: &'a [u8]) -> Self {
        let (prefix, rest) = row.split_at(PREFIX_BYTES);
        let number = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        let (value, rest) = match number(2) {
            NULL => (None, rest),
            length => {
                let (value, rest) = rest.split_at(length as usize);
                (Some(value), rest)
            }
        };
        let (key_part, headers_part) = rest.split_at(number(6) as usize);
        Self { topic: usize::from(u16::from_le_bytes([prefix[0], prefix[1]])), value, key_part, headers_part }
    }

    /// The key.
    pub(super) fn key(&self) -> Option<&'a [u8]> {
        Answer(self.key_part).part().expect("rows are made by `finish`")
    }

    /// The headers, in order.
    #[cfg(test)]
    pub(super) fn headers(&self) -> Vec<HeaderRef<'a>> {
        let mut rest = Answer(self.headers_part);
        let count = rest.varint().unwrap();
        (0..count).map(|_| (rest.part().unwrap().unwrap(), rest.part().unwrap())).collect()
    }

    /// See [`bytes_max`].
    pub(super) fn bytes_max(&self) -> usize {
        let value = self.value.map_or(0, <[u8]>::len);
        KAFKA_BYTES + value + self.key_part.len() + self.headers_part.len()
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("messages are far below 4 GiB")
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
            let mut row = vec![b'x'];
            let refs: Vec<_> = headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())).collect();
            put(&mut row, topic, key.as_deref(), refs.iter().copied(), value.as_deref());
            let frame = Frame::read(&row[1..]);
            prop_assert_eq!((frame.topic, frame.key()), (usize::from(topic), key.as_deref()));
            prop_assert_eq!(frame.headers(), refs);
            prop_assert_eq!(frame.value, value.as_deref());
            prop_assert_eq!(frame.bytes_max(), bytes_max(row.len() - 1));
        }
    }
}
