//! Checks of text.

use wasmill_sdk::{Rejection, State, Suspects, TextMap};

use crate::config::{ControlCharacters, FieldConfig};
use crate::reason;
use crate::rules::add_unless;

/// What one field's text must be.
pub(crate) struct TextRules {
    one_of: Option<Words>,
    min_chars: usize,
    max_chars: usize,
    max_bytes: usize,
    /// Of so many bytes, and up to so many more, a text is plainly neither too short nor too long: a character has one to four.
    plain_bytes_min: usize,
    plain_bytes_more: usize,
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
        let plain_bytes_min = min_chars.saturating_mul(4);
        let control_characters = config.control_characters.unwrap_or(ControlCharacters::Allow);
        Ok(TextRules {
            one_of,
            min_chars,
            max_chars,
            max_bytes,
            plain_bytes_min,
            plain_bytes_more: max_chars.min(max_bytes).saturating_sub(plain_bytes_min),
            control_characters,
        })
    }

    /// Adds the events whose text does not pass at a glance; they may still pass the check. What need not be looked at is not
    /// in the loop.
    pub(crate) fn add_suspects<'a>(
        &self,
        texts: impl Iterator<Item = Result<&'a str, State>>,
        suspects: &mut Suspects,
    ) {
        // One comparison: what is too short wraps around.
        let is_as_long = |text: &str| text.len().wrapping_sub(self.plain_bytes_min) <= self.plain_bytes_more;
        let is_printable = |text: &str| !any_byte(text.as_bytes(), is_not_printable_ascii);
        let all_print = self.control_characters == ControlCharacters::Allow;
        match &self.one_of {
            None if all_print => add_texts(suspects, texts, is_as_long),
            None => add_texts(suspects, texts, |text| is_as_long(text) && is_printable(text)),
            Some(words) => {
                add_texts(suspects, texts, |text| {
                    words.set.contains(text) && is_as_long(text) && (all_print || is_printable(text))
                });
            }
        }
    }

    pub(crate) fn check(&self, path: &str, text: &str) -> Result<(), Rejection> {
        if let Some(words) = &self.one_of
            && !words.contain(text)
        {
            return Err(reason::not_allowed(path, text, &words.listed));
        }
        if text.len() > self.max_bytes {
            return Err(reason::too_many_bytes(path, text.len(), self.max_bytes));
        }
        if text.len() > self.max_chars && text.chars().count() > self.max_chars {
            return Err(reason::too_long(path, text.chars().count(), self.max_chars));
        }
        if text.len() < self.plain_bytes_min && text.chars().count() < self.min_chars {
            return Err(reason::too_short(path, text.chars().count(), self.min_chars));
        }
        match self.control_characters {
            ControlCharacters::Allow => Ok(()),
            ControlCharacters::AllowWhitespace => check_controls(
                path,
                text,
                |char| char.is_control() && !is_whitespace(char),
                |byte| may_be_control(byte) && !is_whitespace(char::from(byte)),
            ),
            ControlCharacters::Reject => check_controls(path, text, char::is_control, may_be_control),
        }
    }
}

/// Adds the events whose text does not pass. A field that is absent or null is the business of `required`.
#[inline(always)]
fn add_texts<'a>(
    suspects: &mut Suspects,
    texts: impl Iterator<Item = Result<&'a str, State>>,
    passes: impl Fn(&str) -> bool,
) {
    add_unless(suspects, texts, |text| match text {
        Ok(text) => passes(text),
        Err(state) => state != State::OtherType,
    });
}

/// Looks at characters only where a byte may be one of those that are refused, or begin it.
#[inline(always)]
fn check_controls(
    path: &str,
    text: &str,
    is_refused: impl Fn(char) -> bool,
    may_be_refused: impl Fn(u8) -> bool,
) -> Result<(), Rejection> {
    if !any_byte(text.as_bytes(), may_be_refused) {
        return Ok(());
    }
    match text.chars().position(is_refused) {
        Some(position) => Err(reason::control_character(path, text, position)),
        None => Ok(()),
    }
}

/// The control characters that `allow_whitespace` lets pass.
#[inline(always)]
fn is_whitespace(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r')
}

/// Whether a byte is one of U+0000..U+001F or U+007F, or begins what may be one of U+0080..U+009F.
#[inline(always)]
fn may_be_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f || byte == 0xc2
}

#[inline(always)]
fn is_not_printable_ascii(byte: u8) -> bool {
    !(0x20..0x7f).contains(&byte)
}

/// Whether a byte passes the test, asked of vectors of bytes at once. The last vector overlaps the one before it.
#[inline(always)]
fn any_byte(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<32>() {
        if any_of_two(last, &test) {
            return true;
        }
        for block in bytes.as_chunks::<32>().0 {
            if any_of_two(block, &test) {
                return true;
            }
        }
        false
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        any_of(last, &test) || any_of(first, &test)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        any_of(first, &test) || any_of(last, &test)
    } else {
        bytes.iter().any(|byte| test(*byte))
    }
}

/// Of two vectors, since of all 32 bytes at once the compiler would make single ones.
#[inline(always)]
fn any_of_two(bytes: &[u8; 32], test: impl Fn(u8) -> bool) -> bool {
    let (halves, _) = bytes.as_chunks::<16>();
    any_of(&halves[0], &test) || any_of(&halves[1], &test)
}

/// Asks all before it answers, so that the compiler makes one vector of them.
#[inline(always)]
fn any_of<const N: usize>(bytes: &[u8; N], test: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |any, byte| any | test(*byte))
}

/// A set of texts.
struct Words {
    /// As the operator wrote them.
    listed: Vec<String>,
    set: TextMap<()>,
    ignore_case: bool,
}

impl Words {
    fn new(words: &[String], ignore_case: bool) -> Result<Self, String> {
        if words.is_empty() {
            return Err("`one_of` is empty: no text would pass".into());
        }
        let set = words.iter().map(|word| (word, ())).collect();
        Ok(Words { listed: words.to_vec(), set, ignore_case })
    }

    fn contain(&self, text: &str) -> bool {
        self.set.contains(text) || self.ignore_case && self.listed.iter().any(|word| word.eq_ignore_ascii_case(text))
    }
}
