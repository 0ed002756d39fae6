//! The text of a batch's cells, which their slots point into.

use crate::{Span, string};

/// The most bytes of a batch's text: what a slot can name.
pub(crate) const TEXT_BYTES_MAX: usize = u32::MAX as usize;
/// Text up to these lengths is copied as one block of so many bytes, which is faster than by its own length.
const SHORT_BYTES: usize = 16;
const MIDDLE_BYTES: usize = 64;
/// So much room for text is made ready at once: it is zeroed while it is near, and what is never used never is.
const ROOM_BYTES: usize = 4096;

/// Text that grows at its end. Bytes behind `len` are room made ahead.
#[derive(Debug)]
pub struct TextArena {
    bytes: Vec<u8>,
    len: usize,
    limit: usize,
    overflowed: bool,
}

impl TextArena {
    /// Goes on after the text that is there.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self { len: bytes.len(), bytes, limit: TEXT_BYTES_MAX, overflowed: false }
    }

    /// Room for `bytes` bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self::after(Vec::with_capacity(bytes))
    }

    /// Holds at most `limit` bytes.
    #[cfg(test)]
    pub(crate) fn limited(limit: usize) -> Self {
        Self { limit, ..Self::with_room(0) }
    }

    /// The text, without the room.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.bytes
    }

    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Bytes of text.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes back what came after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = len;
        self.overflowed = false;
    }

    /// Whether something had no room below the limit; its slots are empty.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Appends `source[start..end]` and answers its slot.
    #[inline(always)]
    pub fn push(&mut self, source: &[u8], start: usize, end: usize) -> u64 {
        let length = end - start;
        if !self.make_room(length) {
            return 0;
        }
        let at = self.len;
        if length <= SHORT_BYTES && start + SHORT_BYTES <= source.len() {
            self.bytes[at..at + SHORT_BYTES].copy_from_slice(&source[start..start + SHORT_BYTES]);
        } else if length <= MIDDLE_BYTES && start + MIDDLE_BYTES <= source.len() {
            self.bytes[at..at + MIDDLE_BYTES].copy_from_slice(&source[start..start + MIDDLE_BYTES]);
        } else {
            self.bytes[at..at + length].copy_from_slice(&source[start..end]);
        }
        self.taken(length)
    }

    /// Appends the text that a string's content (checked before) stands for.
    pub(crate) fn push_unescaped(&mut self, content: &[u8]) -> u64 {
        if !self.make_room(content.len()) {
            return 0;
        }
        let length = string::unescape(content, &mut self.bytes[self.len..]);
        self.taken(length)
    }

    #[inline(always)]
    fn taken(&mut self, length: usize) -> u64 {
        let span = Span { start: self.len as u32, len: length as u32 };
        self.len += length;
        span.slot()
    }

    #[inline(always)]
    fn make_room(&mut self, length: usize) -> bool {
        let wanted = self.len + length + MIDDLE_BYTES;
        wanted <= self.bytes.len() || self.grow(wanted)
    }

    #[cold]
    fn grow(&mut self, wanted: usize) -> bool {
        if wanted - MIDDLE_BYTES > self.limit {
            self.overflowed = true;
            return false;
        }
        self.bytes.resize((wanted + ROOM_BYTES).min(self.limit + MIDDLE_BYTES), 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_limited_in_bytes() {
        let source = [b'x'; 100];
        for (lengths, fits) in [(&[40, 60][..], true), (&[40, 61], false), (&[100], true), (&[1, 9, 90, 1], false)] {
            let mut arena = TextArena::limited(100);
            for &length in lengths {
                arena.push(&source, 0, length);
            }
            assert_eq!(arena.overflowed(), !fits, "{lengths:?}");
            arena.truncate(0);
            assert!(!arena.overflowed());
        }
    }

    #[test]
    fn slots_name_what_was_pushed_whatever_its_length_and_place() {
        let source: Vec<u8> = (0..100).collect();
        let mut arena = TextArena::with_room(0);
        let ranges: Vec<_> = (0..100).flat_map(|start| (start..=100).map(move |end| (start, end))).collect();
        let slots: Vec<_> = ranges.iter().map(|&(start, end)| arena.push(&source, start, end)).collect();
        let text = arena.into_bytes();
        for ((start, end), slot) in ranges.into_iter().zip(slots) {
            assert_eq!(Span::of_slot(slot).get(&text), Some(&source[start..end]));
        }
    }
}
