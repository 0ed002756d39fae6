//! The scanner: walks a payload once, the whole of it, and hands over the wanted values.
//!
//! It is iterative, with stacks of fixed size, so that no payload can overflow the program's. It takes what RFC 8259
//! calls JSON, in UTF-8, without lone surrogates, to a depth of [`DEPTH_MAX`]. Of duplicate keys the last one wins, and takes
//! back what the earlier ones' values held.

use crate::fault::Fault;
use crate::keys::{Keys, Place};
use crate::marks::Marks;
use crate::number;
use crate::row::{Row, Token, Value};
use crate::trie::{ROOT, Trie, UNWANTED};
use crate::{PATH_KEYS_MAX, skip, string};

/// The most objects and arrays inside each other, the payload's own object included.
pub const DEPTH_MAX: usize = 128;

/// The most objects inside each other that are looked into: one per key of a path.
const WANTED_DEPTH_MAX: usize = PATH_KEYS_MAX;

/// Scans payloads for the paths of one trie. Its buffers and what it learnt of the payloads' keys serve the next one.
pub(crate) struct Scanner<'t> {
    trie: &'t Trie,
    keys: Keys,
    marks: Marks,
    key_text: Vec<u8>,
}

/// An object in which something is wanted, and that is open.
#[derive(Clone, Copy)]
struct Frame {
    /// What it is in the trie.
    node: u32,
    /// Where it begins.
    start: u32,
    /// Where in its keys' order the walk stands.
    place: Place,
}

impl Frame {
    /// Around the payload's own value.
    const OUTERMOST: Self = Self { node: UNWANTED, start: 0, place: Place::NOWHERE };
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(trie: &'t Trie) -> Self {
        Self { trie, keys: Keys::new(trie), marks: Marks::new(), key_text: Vec::new() }
    }

    /// Scans a payload, which must be an object. After a fault the row holds nothing of use.
    #[inline]
    pub(crate) fn object(&mut self, payload: &[u8], row: &mut Row<'_>) -> Result<(), Fault> {
        let start = skip_space(payload, 0);
        if byte(payload, start) == b'{' {
            return self.value(payload, DEPTH_MAX, row);
        }
        Err(self.no_object(payload, start, row))
    }

    /// Scans any value nested in at most `depth_max` levels; the trie's root is the value itself.
    #[inline]
    pub(crate) fn value(&mut self, payload: &[u8], depth_max: usize, row: &mut Row<'_>) -> Result<(), Fault> {
        if !self.marks.mark(payload) {
            self.check_utf8(payload, depth_max, row)?;
        }
        self.walk(payload, depth_max, row)?;
        if row.text.overflowed() { Err(Fault::TooMuchText) } else { Ok(()) }
    }

    #[cold]
    fn no_object(&mut self, payload: &[u8], start: usize, row: &mut Row<'_>) -> Fault {
        if start == payload.len() {
            return Fault::Empty;
        }
        if payload.starts_with(b"\xef\xbb\xbf") {
            return Fault::ByteOrderMark;
        }
        self.value(payload, DEPTH_MAX, row).err().unwrap_or(Fault::NotAnObject)
    }

    #[inline(never)]
    fn check_utf8(&mut self, payload: &[u8], depth_max: usize, row: &mut Row<'_>) -> Result<(), Fault> {
        let Err(error) = std::str::from_utf8(payload) else {
            return Ok(());
        };
        let at = error.valid_up_to();
        if error.error_len().is_none() {
            // The payload ends within a character. Was it good so far?
            self.marks.mark(&payload[..at]);
            if let Err(Fault::Truncated { .. }) = self.walk(&payload[..at], depth_max, row) {
                return Err(Fault::Truncated { length: payload.len() });
            }
        }
        Err(Fault::BadUtf8 { at })
    }

    /// One turn of the outer loop takes one value, at `at`, for the node `target`.
    fn walk(&mut self, payload: &[u8], depth_max: usize, row: &mut Row<'_>) -> Result<(), Fault> {
        let mut frames = [Frame::OUTERMOST; WANTED_DEPTH_MAX];
        let mut frame = Frame::OUTERMOST;
        let mut depth = 0;
        let mut target = ROOT;
        let mut at = 0;
        loop {
            let start = at;
            let value = match byte(payload, at) {
                b'"' => {
                    let (close, escaped) = string_end(payload, &self.marks, at)?;
                    at = close + 1;
                    Value::String { escaped }
                }
                b'-' | b'0'..=b'9' => {
                    let (end, number) = number::read(payload, at)?;
                    at = end;
                    Value::from(number)
                }
                b'{' if target != UNWANTED && self.trie.node(target).has_children() => {
                    check_depth(depth, depth_max, at)?;
                    frames[depth] = frame;
                    depth += 1;
                    frame = Frame { node: target, start: start as u32, place: self.keys.start(target) };
                    if depth > 1 {
                        row.clear(&self.trie.node(target).below);
                    }
                    let first = skip_space(payload, at + 1);
                    let within = Within { node: target, depth, depth_max };
                    (at, frame.place) = self.usual_members(payload, first, true, within, frame.place, row);
                    if at == first && byte(payload, at) != b'}' {
                        (target, at, frame.place) = self.member(payload, at, frame.node, frame.place)?;
                        continue;
                    }
                    // It is closed, and stored, below.
                    target = UNWANTED;
                    Value::Object
                }
                b'{' => {
                    at = skip::container(payload, &self.marks, at, depth, depth_max)?;
                    Value::Object
                }
                b'[' => {
                    at = skip::container(payload, &self.marks, at, depth, depth_max)?;
                    Value::Array
                }
                b't' | b'f' | b'n' => {
                    let (end, value) = literal(payload, at)?;
                    at = end;
                    value
                }
                b' ' | b'\n' | b'\r' | b'\t' => {
                    at = skip_space(payload, at);
                    continue;
                }
                _ => return Err(Fault::unexpected(payload, at, "a value")),
            };
            if target != UNWANTED {
                row.value(self.trie.node(target), payload, &Token { start, end: at, value });
            }
            // Closes what ends here, up to a comma or the payload's end.
            loop {
                if depth == 0 {
                    at = skip_space(payload, at);
                    return if at < payload.len() { Err(Fault::Garbage { at }) } else { Ok(()) };
                }
                if byte(payload, at) == b',' {
                    let within = Within { node: frame.node, depth, depth_max };
                    (at, frame.place) = self.usual_members(payload, at, false, within, frame.place, row);
                }
                at = skip_space(payload, at);
                match byte(payload, at) {
                    b',' => {
                        at = skip_space(payload, at + 1);
                        (target, at, frame.place) = self.member(payload, at, frame.node, frame.place)?;
                        break;
                    }
                    b'}' => at += 1,
                    _ => return Err(Fault::unexpected(payload, at, "',' or '}'")),
                }
                let token = Token { start: frame.start as usize, end: at, value: Value::Object };
                row.store(self.trie.node(frame.node), payload, &token);
                depth -= 1;
                frame = frames[depth];
            }
        }
    }

    /// Takes the members that follow at `at` (the `first` ones of their object, or others) as long as they are what most are: an
    /// expected key, and a scalar or something unwanted at once after its colon. Answers where that ends; whatever stands
    /// there, faults too, is for [`Self::walk`].
    ///
    /// This loop is where the time goes, so it does nothing else.
    #[inline(never)]
    fn usual_members(
        &self,
        payload: &[u8],
        mut at: usize,
        first: bool,
        within: Within,
        mut place: Place,
        row: &mut Row<'_>,
    ) -> (usize, Place) {
        let (marks, trie) = (&self.marks, self.trie);
        let keys = self.keys.of(within.node);
        let mut member =
            if first { place.expected_first(keys, payload, at) } else { place.expected(keys, payload, at) };
        while let Some((child, start)) = member {
            match byte(payload, start) {
                b'"' => {
                    let close = marks.next(start + 1);
                    if byte(payload, close) != b'"' {
                        break;
                    }
                    at = close + 1;
                    if child != UNWANTED {
                        row.plain_string(trie.node(child), payload, start, at);
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let short = number::read_short(payload, start);
                    let Some((end, number)) = short.or_else(|| number::read(payload, start).ok()) else {
                        break;
                    };
                    at = end;
                    if child != UNWANTED {
                        row.number(trie.node(child), payload, start, at, number);
                    }
                }
                b't' | b'f' | b'n' => {
                    let Ok((end, value)) = literal(payload, start) else {
                        break;
                    };
                    at = end;
                    if child != UNWANTED {
                        row.value(trie.node(child), payload, &Token { start, end, value });
                    }
                }
                b'{' | b'[' if child == UNWANTED => {
                    match skip::container(payload, marks, start, within.depth, within.depth_max) {
                        Ok(end) => at = end,
                        Err(_) => break,
                    }
                }
                _ => break,
            }
            place = place.advanced(keys);
            member = place.expected(keys, payload, at);
        }
        (at, place)
    }

    /// The node and the beginning of the value of the member whose key begins at `at`, and the place after it.
    #[inline]
    fn member(&mut self, payload: &[u8], at: usize, node: u32, place: Place) -> Result<(u32, usize, Place), Fault> {
        match self.keys.known(node, place, payload, at) {
            Some(known) => Ok(known),
            None => self.new_key(payload, at, node, place),
        }
    }

    #[inline(never)]
    fn new_key(
        &mut self,
        payload: &[u8],
        at: usize,
        node: u32,
        mut place: Place,
    ) -> Result<(u32, usize, Place), Fault> {
        check_key_begins(payload, at)?;
        let (close, escaped) = string_end(payload, &self.marks, at)?;
        let colon = colon(payload, close + 1)?;
        let child = self.child(node, &payload[at + 1..close], escaped);
        if !escaped && colon == close + 1 {
            place = self.keys.learn(node, place, &payload[at..=colon], child);
        }
        Ok((child, colon + 1, place))
    }

    fn child(&mut self, node: u32, key: &[u8], escaped: bool) -> u32 {
        if !escaped {
            return self.trie.child(node, key);
        }
        if self.key_text.len() < key.len() {
            self.key_text.resize(key.len(), 0);
        }
        let length = string::unescape(key, &mut self.key_text);
        self.trie.child(node, &self.key_text[..length])
    }
}

/// The object whose members are taken: its node, how many are open with it, and how many may be.
#[derive(Clone, Copy)]
struct Within {
    node: u32,
    depth: usize,
    depth_max: usize,
}

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
