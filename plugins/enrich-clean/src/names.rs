//! Values that stand after a secret's name: `password=x`, `"apiKey": "x"`, `Authorization: Bearer x`.

use std::ops::Range;

use crate::bytes::{self, is_one_of};

/// Names of secrets, each in lower case and without `_`, `-` and `.`.
pub(crate) struct Names {
    /// By their last letter.
    by_last: [Vec<Box<[u8]>>; 26],
}

impl Names {
    pub(crate) fn new<'n>(names: impl Iterator<Item = &'n String>) -> Result<Self, String> {
        let mut by_last = [const { Vec::<Box<[u8]>>::new() }; 26];
        for name in names {
            let is_in_name = |char: char| char.is_ascii_alphabetic() || is_joint(char as u8);
            let letters: Vec<u8> = name.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte | 0x20).collect();
            let Some(last) = letters.last().filter(|_| name.len() <= NAME_BYTES_MAX && name.chars().all(is_in_name))
            else {
                return Err(format!(
                    "`{name}` cannot be the name of a secret: write at most {NAME_BYTES_MAX} letters, `_`, `-` and `.`"
                ));
            };
            by_last[usize::from(last - b'a')].push(letters.into());
        }
        Ok(Names { by_last })
    }

    /// Where the name begins that `bytes` end with.
    #[inline(always)]
    pub(crate) fn start_of_last(&self, bytes: &[u8]) -> Option<usize> {
        let letter = (bytes.last()? | 0x20).wrapping_sub(b'a');
        let names = self.by_last.get(usize::from(letter))?;
        names.iter().find_map(|name| start_of(name, bytes))
    }
}

/// Longer than any name in use.
const NAME_BYTES_MAX: usize = 64;

/// Whether a byte joins the parts of a name.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.')
}

/// Where `name` begins in `bytes`, which end with it, whatever the case of its letters and what joins its parts.
fn start_of(name: &[u8], bytes: &[u8]) -> Option<usize> {
    let mut at = bytes.len();
    for letter in name.iter().rev() {
        at = at.checked_sub(1)?;
        while is_joint(bytes[at]) {
            at = at.checked_sub(1)?;
        }
        if bytes[at] | 0x20 != *letter {
            return None;
        }
    }
    Some(at)
}

/// Where the key ends that the separator at `at` belongs to: before white space, quotes and a bracket.
#[inline(always)]
pub(crate) fn end_of_key(bytes: &[u8], at: usize) -> usize {
    let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']');
    bytes[..at].iter().rposition(|byte| !is_between(byte)).map_or(0, |last| last + 1)
}

/// The value behind the separator at `at`; it is empty where there is none. What is `mask` already is found as it is.
pub(crate) fn value(bytes: &[u8], at: usize, mask: &[u8]) -> Range<usize> {
    let mut at = bytes::end_of(bytes, at, |byte| matches!(byte, b'=' | b':' | b'>'));
    at = bytes::end_of(bytes, at, is_blank);
    // A list or an object: the first value in it, unless it is the mask that begins like one.
    while matches!(bytes.get(at), Some(b'[' | b'{' | b'(')) && !bytes[at..].starts_with(mask) {
        at += 1;
    }
    let slashes = bytes::end_of(bytes, at, |byte| byte == b'\\') - at;
    match bytes.get(at + slashes) {
        Some(quote @ (b'"' | b'\'')) => quoted(bytes, at + slashes + 1, *quote, slashes),
        _ => bare(bytes, at, mask),
    }
}

/// What is in quotes: up to the next quote that is escaped no more than the first one, else up to the end of the line.
fn quoted(bytes: &[u8], start: usize, quote: u8, slashes: usize) -> Range<usize> {
    let mut seen = 0;
    for (distance, byte) in bytes[start..].iter().enumerate() {
        let at = start + distance;
        match *byte {
            b'\\' => seen += 1,
            byte if byte == quote && slashes == 0 && seen % 2 == 0 => return start..at,
            byte if byte == quote && slashes > 0 && seen <= slashes => return start..at - seen,
            b'\n' => return start..at,
            _ => seen = 0,
        }
    }
    start..bytes.len()
}

/// A word without quotes; after the name of a scheme, as in `Bearer x`, the next word too.
fn bare(bytes: &[u8], start: usize, mask: &[u8]) -> Range<usize> {
    let end = end_of_word(bytes, start);
    if bytes[start..].starts_with(mask) && end <= start + mask.len() {
        return start..start + mask.len();
    }
    let word = &bytes[start..end];
    if is_one_of(word, &["null", "none", "nil", "true", "false", "undefined"]) {
        return end..end;
    }
    let next = bytes::end_of(bytes, end, is_blank);
    let is_scheme = || is_one_of(word, &["bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey"]);
    if next > end && is_scheme() { start..end_of_word(bytes, next).max(end) } else { start..end }
}

/// Without what closes something around it.
fn end_of_word(bytes: &[u8], start: usize) -> usize {
    let is_in_word = |byte: u8| byte > b' ' && !matches!(byte, b',' | b';' | b'&' | b'"' | b'\'' | b'`' | 0x7f);
    let end = bytes::end_of(bytes, start, is_in_word);
    let is_closing = |byte: &u8| matches!(byte, b')' | b']' | b'}' | b'>' | b'\\');
    let word = &bytes[start..end];
    start + word.iter().rposition(|byte| !is_closing(byte)).map_or(0, |last| last + 1)
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
