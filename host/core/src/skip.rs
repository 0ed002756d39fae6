//! Objects and arrays in which nothing is wanted: checked as strictly as all else, and passed over.

use crate::fault::Fault;
use crate::marks::Marks;
use crate::number;
use crate::scan::DEPTH_MAX;
use crate::tokens::{byte, check_depth, check_key_begins, colon, literal, skip_space, string_end};

/// One bit per open level: set for an array. The lowest is the innermost.
type Levels = u128;

const _: () = assert!(DEPTH_MAX <= Levels::BITS as usize, "each level has its bit");

/// The end of the object or array that begins at `start`, inside of `outside` others of which `depth_max` are allowed.
pub(crate) fn container(
    payload: &[u8],
    marks: &Marks,
    start: usize,
    outside: usize,
    depth_max: usize,
) -> Result<usize, Fault> {
    let mut levels: Levels = 0;
    let mut depth = outside;
    let mut at = start;
    loop {
        match byte(payload, at) {
            b'"' => at = string_end(payload, marks, at)?.0 + 1,
            b'-' | b'0'..=b'9' => at = number_end(payload, at)?,
            opening @ (b'{' | b'[') => {
                check_depth(depth, depth_max, at)?;
                depth += 1;
                levels = levels << 1 | Levels::from(opening == b'[');
                at = skip_space(payload, at + 1);
                // Both closing brackets stand two after their opening ones.
                if byte(payload, at) != opening + 2 {
                    at = member(payload, marks, at, levels)?;
                    continue;
                }
            }
            b't' | b'f' | b'n' => at = literal(payload, at)?.0,
            b' ' | b'\n' | b'\r' | b'\t' => {
                at = skip_space(payload, at);
                continue;
            }
            _ => return Err(Fault::unexpected(payload, at, "a value")),
        }
        // Closes what ends here, up to a comma.
        loop {
            at = skip_space(payload, at);
            let after = byte(payload, at);
            if after == b',' {
                at = member(payload, marks, skip_space(payload, at + 1), levels)?;
                break;
            }
            let (close, wanted) = if is_array(levels) { (b']', "',' or ']'") } else { (b'}', "',' or '}'") };
            if after != close {
                return Err(Fault::unexpected(payload, at, wanted));
            }
            at += 1;
            depth -= 1;
            levels >>= 1;
            if depth == outside {
                return Ok(at);
            }
        }
    }
}

#[inline(always)]
fn is_array(levels: Levels) -> bool {
    levels & 1 == 1
}

/// Where the next value of the innermost level may begin: in an object after its key.
#[inline(always)]
fn member(payload: &[u8], marks: &Marks, at: usize, levels: Levels) -> Result<usize, Fault> {
    if is_array(levels) {
        return Ok(at);
    }
    check_key_begins(payload, at)?;
    let close = string_end(payload, marks, at)?.0;
    Ok(colon(payload, close + 1)? + 1)
}

#[inline(always)]
fn number_end(payload: &[u8], at: usize) -> Result<usize, Fault> {
    match number::read_short(payload, at) {
        Some((end, _)) => Ok(end),
        None => Ok(number::read(payload, at)?.0),
    }
}
