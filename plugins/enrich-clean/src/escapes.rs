//! Terminals' escape sequences, by ECMA-48 and what xterm makes of it.

use crate::bytes;

pub(crate) const ESC: u8 = 0x1b;

/// Where the escape sequence ends that begins with ESC, or with the two bytes of a C1 character, at `at`.
///
/// Of one that is not whole only the ESC or C1 character is taken: the rest is harmless without it, and no text can be hidden behind
/// a sequence that never ends.
pub(crate) fn end_of_sequence(bytes: &[u8], at: usize) -> usize {
    let is_esc = bytes[at] == ESC;
    let kind = bytes.get(at + 1).map_or(0, |second| if is_esc { *second } else { second.wrapping_sub(0x40) });
    let body = at + 2;
    let end = match kind {
        b'[' => control_sequence(bytes, body),
        b']' | b'P' | b'X' | b'^' | b'_' => string(bytes, body),
        0x20..=0x2f => last_byte(bytes, bytes::end_of(bytes, body, is_intermediate), 0x30),
        0x30..=0x7e => Some(body),
        _ => None,
    };
    end.unwrap_or(if is_esc { at + 1 } else { body })
}

/// Whether a C1 character, by its second byte of UTF-8, begins a sequence: DCS, SOS, CSI, OSC, PM, APC.
pub(crate) fn is_introducer(second: u8) -> bool {
    matches!(second, 0x90 | 0x98 | 0x9b | 0x9d | 0x9e | 0x9f)
}

/// CSI: parameters, intermediate bytes, a final byte.
fn control_sequence(bytes: &[u8], at: usize) -> Option<usize> {
    let parameters_end = bytes::end_of(bytes, at, |byte| matches!(byte, 0x30..=0x3f));
    last_byte(bytes, bytes::end_of(bytes, parameters_end, is_intermediate), 0x40)
}

fn is_intermediate(byte: u8) -> bool {
    matches!(byte, 0x20..=0x2f)
}

fn last_byte(bytes: &[u8], at: usize, lowest: u8) -> Option<usize> {
    bytes.get(at).filter(|byte| (lowest..=0x7e).contains(*byte)).map(|_| at + 1)
}

/// DCS, SOS, OSC, PM, APC: text up to ST, as ESC `\` or U+009C, or BEL. No other control character is part of it.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    let may_end = |word| bytes::below(word, 0x20) | bytes::equal(word, 0x7f) | bytes::equal(word, 0xc2);
    let mut from = at;
    loop {
        let end = bytes::find(bytes, from, |_| true, may_end)?;
        match (bytes[end], bytes.get(end + 1)) {
            (0x07, _) => return Some(end + 1),
            (ESC, Some(b'\\')) | (0xc2, Some(0x9c)) => return Some(end + 2),
            (0xc2, Some(second)) if *second > 0x9f => from = end + 2,
            _ => return None,
        }
    }
}
