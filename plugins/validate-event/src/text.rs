//! Checks of text.

use wasmill_sdk::Rejection;

use crate::config::{ControlCharacters, FieldConfig};
use crate::reason;

/// What one field's text must be.
pub(crate) struct TextRules {
    one_of: Option<Words>,
    min_chars: usize,
    max_chars: usize,
    max_bytes: usize,
    control_characters: ControlCharacters,
}

impl TextRules {
    pub(crate) fn new(config: &FieldConfig) -> Result<Self, String> {
        let (min_chars, max_chars) = (config.min_chars.unwrap_or(0), config.max_chars.unwrap_or(usize::MAX));
        let max_bytes = config.max_bytes.unwrap_or(usize::MAX);
        if min_chars > max_chars.min(max_bytes) {
            return Err("no text is that long and that short: `min_chars` is over the maximum".into());
        }
        let one_of = config.one_of.as_ref().map(|words| Words::new(words, config.ignore_case)).transpose()?;
        let control_characters = config.control_characters.unwrap_or(ControlCharacters::Allow);
        Ok(TextRules { one_of, min_chars, max_chars, max_bytes, control_characters })
    }

    #[inline]
    pub(crate) fn check(&self, path: &str, text: &str) -> Result<(), Rejection> {
        if let Some(words) = &self.one_of
            && !words.contain(text)
        {
            return Err(reason::not_allowed(path, text, &words.words));
        }
        if text.len() > self.max_bytes {
            return Err(reason::too_many_bytes(path, text.len(), self.max_bytes));
        }
        // A character has one to four bytes: mostly the bytes alone decide.
        if text.len() > self.max_chars && text.chars().count() > self.max_chars {
            return Err(reason::too_long(path, text.chars().count(), self.max_chars));
        }
        if text.len() < self.min_chars.saturating_mul(4) && text.chars().count() < self.min_chars {
            return Err(reason::too_short(path, text.chars().count(), self.min_chars));
        }
        if self.control_characters != ControlCharacters::Allow && may_have_controls(text.as_bytes()) {
            return self.check_controls(path, text);
        }
        Ok(())
    }

    #[inline(never)]
    fn check_controls(&self, path: &str, text: &str) -> Result<(), Rejection> {
        let is_allowed =
            |char| self.control_characters == ControlCharacters::AllowWhitespace && matches!(char, '\t' | '\n' | '\r');
        match text.chars().position(|char| char.is_control() && !is_allowed(char)) {
            Some(position) => Err(reason::control_character(path, text, position)),
            None => Ok(()),
        }
    }
}

/// Whether a byte is one of U+0000..U+001F or U+007F, or begins what may be one of U+0080..U+009F.
#[inline]
fn may_have_controls(bytes: &[u8]) -> bool {
    // Of bytes below 0x80, one below 0x20 borrows and 0x7f carries into its high bit.
    let not_plain = |word: u64| word | word.wrapping_sub(each(0x20)) | word.wrapping_add(each(0x01));
    any_word(bytes, not_plain)
        && any_word(bytes, |word| below(word, 0x20) | below(word ^ each(0x7f), 1) | below(word ^ each(0xc2), 1))
}

/// Eight times the byte.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Has a high bit set when a byte is below `limit`, of at most 0x80 ("hasless" of Sean Anderson's Bit Twiddling Hacks).
#[inline(always)]
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(each(limit)) & !word
}

/// Whether `test` sets the high bit of a byte in any word of eight. The last word overlaps the one before it.
#[inline(always)]
fn any_word(bytes: &[u8], test: impl Fn(u64) -> u64) -> bool {
    let mut found = match (bytes.last_chunk(), bytes.len()) {
        (Some(last), _) => test(u64::from_ne_bytes(*last)),
        (None, 0) => 0,
        (None, length) => {
            let mut last = [bytes[0]; 8];
            last[..length].copy_from_slice(bytes);
            test(u64::from_ne_bytes(last))
        }
    };
    for word in bytes.as_chunks().0 {
        found |= test(u64::from_ne_bytes(*word));
    }
    found & each(0x80) != 0
}

/// A set of texts.
struct Words {
    words: Vec<String>,
    ignore_case: bool,
}

/// Up to here a look at each word, whose lengths mostly differ, is faster than a search.
const FEW: usize = 8;

impl Words {
    fn new(words: &[String], ignore_case: bool) -> Result<Self, String> {
        if words.is_empty() {
            return Err("`one_of` is empty: no text would pass".into());
        }
        let words = if words.len() > FEW { in_order(words) } else { words.to_vec() };
        Ok(Words { words, ignore_case })
    }

    #[inline]
    fn contain(&self, text: &str) -> bool {
        if self.ignore_case {
            self.words.iter().any(|word| word.eq_ignore_ascii_case(text))
        } else if self.words.len() > FEW {
            self.words.binary_search_by(|word| word.as_str().cmp(text)).is_ok()
        } else {
            self.words.iter().any(|word| word == text)
        }
    }
}

/// Sorted one by one: the standard sort would be 5 kB of the component, for a list that is sorted once.
fn in_order(words: &[String]) -> Vec<String> {
    let mut sorted: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        if let Err(place) = sorted.binary_search(word) {
            sorted.insert(place, word.clone());
        }
    }
    sorted
}
