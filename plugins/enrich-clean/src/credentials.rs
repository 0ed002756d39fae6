//! Credentials that are known by their own form: `Bearer x`, `Basic dTpw`, `scheme://user:password@host`.

use std::ops::Range;

use crate::bytes::{self, is_one_of};
use crate::names::is_blank;

/// The token of a `Bearer x` whose first letter is at `at`.
pub(crate) fn bearer(bytes: &[u8], at: usize, mask: &[u8]) -> Option<Range<usize>> {
    const PROSE: [&str; 9] =
        ["token", "tokens", "auth", "authentication", "authorization", "scheme", "realm", "error", "of"];
    let token = word_after(bytes, at, b"bearer", mask)?;
    let letters = bytes::end_of(bytes, token.start, |byte| byte.is_ascii_alphabetic());
    let is_prose = letters == token.end || bytes[letters] == b'=';
    (!is_prose || !is_one_of(&bytes[token.start..letters], &PROSE)).then_some(token)
}

/// The credentials of a `Basic dTpw` whose first letter is at `at`: base64 of something with a colon.
pub(crate) fn basic(bytes: &[u8], at: usize, mask: &[u8]) -> Option<Range<usize>> {
    let word = word_after(bytes, at, b"basic", mask)?;
    has_colon_in_base64(&bytes[word.clone()]).then_some(word)
}

/// The word after the name of a scheme, where that is a word of its own and its token is not masked yet.
fn word_after(bytes: &[u8], at: usize, scheme: &[u8], mask: &[u8]) -> Option<Range<usize>> {
    let is_inside_word = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
    if is_inside_word || !bytes::begins_with(&bytes[at..], scheme) {
        return None;
    }
    let scheme_end = at + scheme.len();
    let start = bytes::end_of(bytes, scheme_end, is_blank);
    let end = bytes::end_of(bytes, start, is_in_token);
    let is_masked = bytes[start..].starts_with(mask) && end <= start + mask.len();
    (start > scheme_end && end > start && !is_masked).then_some(start..end)
}

/// Whether a byte is one of RFC 6750's token.
fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn has_colon_in_base64(word: &[u8]) -> bool {
    let mut bits: u32 = 0;
    let mut count = 0;
    for byte in word {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            if (bits >> count) as u8 == b':' {
                return true;
            }
        }
    }
    false
}

/// The password of the URL whose `://` is at `at`: what is between the first colon of its authority and the last `@`.
pub(crate) fn url_password(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + b"://".len();
    if bytes.get(at..start) != Some(b"://") {
        return None;
    }
    let is_in_authority =
        |byte: u8| byte > b' ' && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\');
    let authority = &bytes[start..bytes::end_of(bytes, start, is_in_authority)];
    let host = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..host].iter().position(|byte| *byte == b':')?;
    Some(start + colon + 1..start + host)
}
