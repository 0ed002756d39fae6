//! The way over the text, byte by byte: one loop, whose few numbers stay in registers. This is what most of an event costs.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Kind, Node, Tape};
use crate::escape::unescape;

/// Members from which on equal keys are found by sorting.
const CROWD: u32 = 32;

/// An array or object that has not ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    node: u32,
    /// Elements or members so far.
    count: u32,
    is_object: bool,
    /// A bit for each key so far.
    keys: [u64; 4],
}

/// Fills an empty tape, and gives up when it has more than so many values.
pub(super) fn read(tape: &mut Tape, text: &str, values_max: usize) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut inside = Open::default();
    while tape.nodes.len() <= values_max {
        let mut byte = visible(bytes, &mut at)?;
        if inside.is_object {
            at = key(tape, text, at, byte, &mut inside)?;
            byte = visible(bytes, &mut at)?;
        }
        match byte {
            b'"' => at = string(tape, text, at + 1)?,
            b'{' | b'[' => {
                let is_object = byte == b'{';
                tape.around.push(inside);
                inside = Open { node: tape.nodes.len() as u32, count: 0, is_object, keys: [0; 4] };
                push(tape, if is_object { Kind::Object } else { Kind::Array }, false, 0, 0);
                at += 1;
                if !matches!(visible(bytes, &mut at)?, b'}' | b']') {
                    inside.count = 1;
                    continue;
                }
            }
            b'-' | b'0'..=b'9' => {
                let from = at;
                at += 1;
                while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                    if at - from == 16 {
                        at = many_digits_end(bytes, at);
                    }
                }
                // What else could follow a number are `,`, `]`, `}` and white space.
                while bytes.get(at).is_some_and(|byte| *byte > b',' && *byte | 0x20 != b'}' || *byte == b'+') {
                    at += 1;
                }
                push(tape, Kind::Number, false, from, at);
            }
            _ => at += word(tape, byte)?,
        }
        // A value has ended, and with it perhaps what it is in.
        loop {
            match visible(bytes, &mut at) {
                Some(b',') if !tape.around.is_empty() => break,
                Some(b'}' | b']') => {
                    close(tape, text, inside);
                    inside = tape.around.pop()?;
                    at += 1;
                }
                Some(_) => return None,
                None => return tape.around.is_empty().then_some(()),
            }
        }
        at += 1;
        inside.count += 1;
    }
    None
}

/// The next byte that is no white space.
#[inline(always)]
fn visible(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let byte = *bytes.get(*at)?;
        if byte > b' ' {
            return Some(byte);
        }
        *at += 1;
    }
}

#[inline(always)]
fn push(tape: &mut Tape, kind: Kind, is_unescaped: bool, from: usize, to: usize) {
    let end = tape.nodes.len() as u32 + 1;
    tape.nodes.push(Node { kind, is_unescaped, end, from: from as u32, to: to as u32 });
}

/// Pushes what a letter begins, and answers how long it is.
#[inline(always)]
fn word(tape: &mut Tape, first: u8) -> Option<usize> {
    let (kind, length) = match first {
        b'n' => (Kind::Null, 4),
        b't' => (Kind::True, 4),
        b'f' => (Kind::False, 5),
        _ => return None,
    };
    push(tape, kind, false, 0, 0);
    Some(length)
}

/// Pushes a string that begins at `from`, and answers where the text goes on.
#[inline(always)]
fn string(tape: &mut Tape, text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let end = text_end(bytes, from)?;
    if bytes[end] == b'"' {
        push(tape, Kind::Text, false, from, end);
        return Some(end + 1);
    }
    escaped_string(tape, text, from)
}

#[cold]
#[inline(never)]
fn escaped_string(tape: &mut Tape, text: &str, from: usize) -> Option<usize> {
    let start = tape.unescaped.len();
    let next = unescape(text, from, &mut tape.unescaped, &mut tape.escapes_left)?;
    push(tape, Kind::Text, true, start, tape.unescaped.len());
    Some(next)
}

/// Pushes a key, and answers where the text goes on after its colon.
#[inline(always)]
fn key(tape: &mut Tape, text: &str, at: usize, first: u8, inside: &mut Open) -> Option<usize> {
    if first != b'"' {
        return None;
    }
    let number = tape.nodes.len();
    let mut next = string(tape, text, at + 1)?;
    if visible(text.as_bytes(), &mut next)? != b':' {
        return None;
    }
    let digest = key_digest(tape.json(text).text(number as u32).as_bytes());
    let (keys, bit) = (&mut inside.keys[usize::from(digest >> 6)], 1 << (digest & 63));
    if *keys & bit != 0 {
        inside.count -= shadow_earlier(tape, text, *inside, number as u32);
    } else {
        *keys |= bit;
    }
    Some(next + 1)
}

#[inline(always)]
fn close(tape: &mut Tape, text: &str, open: Open) {
    let end = tape.nodes.len() as u32;
    let node = &mut tape.nodes[open.node as usize];
    node.end = end;
    node.from = open.count;
    if open.is_object && open.count > CROWD {
        shadow_crowd(tape, text, open.node);
    }
}

/// Marks an earlier key of an object that has not ended as one that comes again, and answers how many that are.
#[cold]
#[inline(never)]
fn shadow_earlier(tape: &mut Tape, text: &str, open: Open, key: u32) -> u32 {
    let json = tape.json(text);
    let mut earlier = open.node + 1;
    while open.count <= CROWD && earlier < key {
        if json.kind(earlier) == Kind::Text && json.text(earlier) == json.text(key) {
            tape.nodes[earlier as usize].kind = Kind::Shadowed;
            return 1;
        }
        earlier = json.end(earlier + 1);
    }
    0
}

/// The same for all keys of an object that has ended.
#[cold]
#[inline(never)]
fn shadow_crowd(tape: &mut Tape, text: &str, object: u32) {
    let json = tape.json(text);
    // By a digest that nobody finds two keys for, since comparing texts takes many times as long.
    let digest = |key: u32| (digest_of(json.text(key)), key);
    let mut keys: Vec<(u64, u32)> = json.members(object).map(digest).collect();
    keys.sort_unstable();
    let comes_again = |pair: &&[(u64, u32)]| pair[0].0 == pair[1].0 && json.text(pair[0].1) == json.text(pair[1].1);
    let shadowed: Vec<u32> = keys.windows(2).filter(comes_again).map(|pair| pair[0].1).collect();
    tape.nodes[object as usize].from -= shadowed.len() as u32;
    shadowed.into_iter().for_each(|key| tape.nodes[key as usize].kind = Kind::Shadowed);
}

fn digest_of(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Equal keys have the same.
#[inline(always)]
fn key_digest(key: &[u8]) -> u8 {
    let (Some(first), Some(last)) = (key.first(), key.last()) else { return 0 };
    let middle = key[key.len() / 2];
    let mixed = u32::from(*first) ^ u32::from(*last) << 8 ^ u32::from(middle) << 16 ^ (key.len() as u32) << 24;
    (mixed.wrapping_mul(0x9e37_79b1) >> 24) as u8
}

/// Past all digits but the last few, eight at a time.
#[cold]
#[inline(never)]
fn many_digits_end(bytes: &[u8], mut at: usize) -> usize {
    const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const DIGITS: u64 = 0x3030_3030_3030_3030;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let over_nine = word.wrapping_add(0x0606_0606_0606_0606);
        if word & HIGH_HALVES != DIGITS || over_nine & HIGH_HALVES != DIGITS {
            break;
        }
        at += 8;
    }
    at
}

/// Where the first quote or backslash is, eight bytes at a time.
#[inline(always)]
fn text_end(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let mut at = from;
    let mut rest = bytes.get(from..)?;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let (quotes, backslashes) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        let found = (quotes.wrapping_sub(ONES) & !quotes | backslashes.wrapping_sub(ONES) & !backslashes) & HIGH;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
        rest = after;
    }
    Some(at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?)
}
