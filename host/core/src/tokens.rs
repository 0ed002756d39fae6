//! The smallest pieces of JSON: white space, literals, where strings end, and what stands around keys.

use crate::fault::Fault;
use crate::marks::Marks;
use crate::row::Value;
use crate::string;

/// The byte at `at`; behind the end 0, which no JSON has outside of a fault.
#[inline(always)]
pub(crate) fn byte(payload: &[u8], at: usize) -> u8 {
    payload.get(at).copied().unwrap_or(0)
}

#[inline(always)]
pub(crate) fn skip_space(payload: &[u8], mut at: usize) -> usize {
    while let b' ' | b'\n' | b'\r' | b'\t' = byte(payload, at) {
        at += 1;
    }
    at
}

/// Whether one more object or array may begin at `at`, inside of `depth` others.
#[inline(always)]
pub(crate) fn check_depth(depth: usize, depth_max: usize, at: usize) -> Result<(), Fault> {
    if depth < depth_max { Ok(()) } else { Err(Fault::TooDeep { limit: depth_max as u32, at }) }
}

/// The closing quote of the string that begins at `at`, and whether it holds an escape.
#[inline(always)]
pub(crate) fn string_end(payload: &[u8], marks: &Marks, at: usize) -> Result<(usize, bool), Fault> {
    let mark = marks.next(at + 1);
    if byte(payload, mark) == b'"' {
        return Ok((mark, false));
    }
    Ok((string::close(payload, marks, mark)?, true))
}

#[inline(always)]
pub(crate) fn check_key_begins(payload: &[u8], at: usize) -> Result<(), Fault> {
    if byte(payload, at) == b'"' { Ok(()) } else { Err(Fault::unexpected(payload, at, "a key in double quotes")) }
}

/// Where the colon stands that must follow at `at`.
#[inline(always)]
pub(crate) fn colon(payload: &[u8], at: usize) -> Result<usize, Fault> {
    let colon = skip_space(payload, at);
    if byte(payload, colon) == b':' { Ok(colon) } else { Err(Fault::unexpected(payload, colon, "':'")) }
}

/// The literal that begins at `at`, and its end.
#[inline]
pub(crate) fn literal(payload: &[u8], at: usize) -> Result<(usize, Value), Fault> {
    let rest = &payload[at..];
    let (word, value): (&[u8], _) = match rest[0] {
        b't' => (b"true", Value::Boolean(true)),
        b'f' => (b"false", Value::Boolean(false)),
        _ => (b"null", Value::Null),
    };
    if rest.starts_with(word) {
        return Ok((at + word.len(), value));
    }
    let same = rest.iter().zip(word).take_while(|(found, wanted)| found == wanted).count();
    Err(Fault::unexpected(payload, at + same, "true, false or null"))
}
