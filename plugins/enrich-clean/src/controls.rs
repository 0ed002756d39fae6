//! Control characters and terminals' escape sequences.

use std::ops::Range;

use crate::bytes::{self, Block, any};
use crate::cleaner::Counts;
use crate::config::{Config, ControlCharacters, TerminalEscapes, WhiteSpace};
use crate::escapes::{self, ESC};

/// What is taken out, and what comes in its place.
pub(crate) struct Controls {
    removes_escapes: bool,
    cleans_controls: bool,
    cleans_white_space: bool,
    /// What comes in the place of a control character.
    replacement: &'static str,
}

impl Controls {
    pub(crate) fn new(config: &Config) -> Self {
        Controls {
            removes_escapes: config.terminal_escapes == TerminalEscapes::Remove,
            cleans_controls: config.control_characters != ControlCharacters::Keep,
            cleans_white_space: config.white_space == WhiteSpace::Space,
            replacement: if config.control_characters == ControlCharacters::Replace { "\u{fffd}" } else { "" },
        }
    }

    /// Whether there is anything to be taken out of any text.
    pub(crate) fn is_on(&self) -> bool {
        self.removes_escapes || self.cleans_controls || self.cleans_white_space
    }

    /// The text without what is to be taken out; `None`: it has nothing of it.
    #[inline(always)]
    pub(crate) fn clean(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let first = self.next(text.as_bytes(), 0)?;
        Some(self.without(text, first, counts))
    }

    #[inline(never)]
    fn without(&self, text: &str, first: Found, counts: &mut Counts) -> String {
        let mut cleaned = String::with_capacity(text.len());
        let mut kept_from = 0;
        let mut next = Some(first);
        while let Some(Found { span, what }) = next {
            // Many may stand side by side, and then nothing is copied.
            if span.start > kept_from {
                cleaned.push_str(&text[kept_from..span.start]);
            }
            let (count, replacement) = match what {
                What::Escape => (&mut counts.terminal_escapes, ""),
                What::Control => (&mut counts.control_characters, self.replacement),
                What::WhiteSpace => (&mut counts.control_characters, " "),
            };
            *count += 1;
            if !replacement.is_empty() {
                cleaned.push_str(replacement);
            }
            kept_from = span.end;
            next = self.next(text.as_bytes(), kept_from);
        }
        cleaned.push_str(&text[kept_from..]);
        cleaned
    }

    #[inline(always)]
    fn next(&self, bytes: &[u8], from: usize) -> Option<Found> {
        let mut from = from;
        loop {
            let at = bytes::find(bytes, from, may_be_in, may_begin)?;
            match self.found(bytes, at) {
                Some(found) => return Some(found),
                None => from = at + 1,
            }
        }
    }

    /// What begins at this byte that is to be taken out.
    #[inline(never)]
    fn found(&self, bytes: &[u8], at: usize) -> Option<Found> {
        let byte_after = |distance: usize| bytes.get(at + distance).copied().unwrap_or(0);
        let (what, end) = match bytes[at] {
            b'\t' | b'\n' | b'\r' => (What::WhiteSpace, at + 1),
            ESC if self.removes_escapes => (What::Escape, escapes::end_of_sequence(bytes, at)),
            0xc2 if byte_after(1) > 0x9f => return None,
            0xc2 if self.removes_escapes && escapes::is_introducer(byte_after(1)) => {
                (What::Escape, escapes::end_of_sequence(bytes, at))
            }
            0xc2 => (What::Control, at + 2),
            0xe2 if !is_direction(byte_after(1), byte_after(2)) => return None,
            0xe2 => (What::Control, at + 3),
            _ => (What::Control, at + 1),
        };
        let is_wanted = match what {
            What::Escape => true,
            What::Control => self.cleans_controls,
            What::WhiteSpace => self.cleans_white_space,
        };
        is_wanted.then_some(Found { span: at..end, what })
    }
}

struct Found {
    span: Range<usize>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Escape,
    Control,
    WhiteSpace,
}

/// Whether [`may_begin`] marks a byte of the block.
#[inline(always)]
fn may_be_in(block: &Block) -> bool {
    any(block, |byte| byte < 0x20) | any(block, |byte| byte == 0x7f) | any(block, |byte| byte | 0x20 == 0xe2)
}

/// Marks the bytes that are one of U+0000..U+001F or U+007F, or begin what may be one of U+0080..U+009F (0xc2) or turn the text's
/// direction (0xe2).
#[inline(always)]
fn may_begin(word: u64) -> u64 {
    bytes::below(word, 0x20) | bytes::equal(word, 0x7f) | bytes::equal(word | bytes::all(0x20), 0xe2)
}

/// Whether U+202A..U+202E or U+2066..U+2069: with them text is shown in another order than it is read by programs.
fn is_direction(second: u8, third: u8) -> bool {
    matches!((second, third), (0x80, 0xaa..=0xae) | (0x81, 0xa6..=0xa9))
}
