//! The scanner: walks a payload once, the whole of it, and hands over the wanted values.
//!
//! It is iterative, with stacks that the wanted paths bound, so that no payload can overflow the program's. It takes what RFC 8259
//! calls JSON, in UTF-8, without lone surrogates, to a depth of [`DEPTH_MAX`]. Of duplicate keys the last one wins, and takes
//! back what the earlier ones' values held.

use crate::fault::Fault;
use crate::keys::{Keys, Place};
use crate::marks::Marks;
use crate::members::Members;
use crate::number;
use crate::row::{Row, Token, Value};
use crate::tokens::{byte, check_depth, check_key_begins, colon, literal, skip_space, string_end};
use crate::trie::{ROOT, Trie, UNWANTED, Wanted};
use crate::{skip, string};

/// The most objects and arrays inside each other, the payload's own object included.
pub const DEPTH_MAX: usize = 128;

/// Scans payloads for the paths of one trie. Its buffers and what it learnt of the payloads' keys serve the next one.
pub(crate) struct Scanner<'t> {
    trie: &'t Trie,
    keys: Keys,
    marks: Marks,
    key_text: Vec<u8>,
    /// The objects around the innermost one that is open and in which something is wanted: at most one per key of a path.
    frames: Vec<Frame>,
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
        Self { trie, keys: Keys::new(trie), marks: Marks::new(), key_text: Vec::new(), frames: Vec::new() }
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

    /// Most payloads are one object, from the first byte to the last, of usual members alone: then there is nothing left to walk.
    #[inline]
    fn walk(&mut self, payload: &[u8], depth_max: usize, row: &mut Row<'_>) -> Result<(), Fault> {
        let mut begun = None;
        if byte(payload, 0) == b'{' {
            let root = Frame { node: ROOT, start: 0, place: self.keys.start(ROOT) };
            let (at, place) = self.usual_members(payload, 0, 1, depth_max, root, row);
            if payload.get(at..) == Some(b"}") && self.trie.node(ROOT).targets.is_empty() {
                return Ok(());
            }
            begun = Some((at, place));
        }
        self.walk_on(payload, depth_max, begun, row)
    }

    /// Walks from the beginning; where the payload's own object has `begun`, its usual members up to there are taken. One turn of
    /// the outer loop takes one value, at `at`, for the node `target`.
    #[inline(never)]
    fn walk_on(
        &mut self,
        payload: &[u8],
        depth_max: usize,
        mut begun: Option<(usize, Place)>,
        row: &mut Row<'_>,
    ) -> Result<(), Fault> {
        self.frames.clear();
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
                    self.frames.push(frame);
                    depth += 1;
                    frame = Frame { node: target, start: start as u32, place: self.keys.start(target) };
                    if depth > 1 {
                        row.clear(&self.trie.node(target).below);
                    }
                    (at, frame.place) = begun
                        .take()
                        .unwrap_or_else(|| self.usual_members(payload, start, depth, depth_max, frame, row));
                    if at == start {
                        at = skip_space(payload, at + 1);
                        if byte(payload, at) != b'}' {
                            (target, at, frame.place) = self.member(payload, start, frame)?;
                            continue;
                        }
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
                    (at, frame.place) = self.usual_members(payload, at, depth, depth_max, frame, row);
                }
                at = skip_space(payload, at);
                match byte(payload, at) {
                    b',' => {
                        (target, at, frame.place) = self.member(payload, at, frame)?;
                        break;
                    }
                    b'}' => at += 1,
                    _ => return Err(Fault::unexpected(payload, at, "',' or '}'")),
                }
                let token = Token { start: frame.start as usize, end: at, value: Value::Object };
                row.store(self.trie.node(frame.node), payload, &token);
                depth -= 1;
                frame = self.frames.pop().expect("one was pushed per level");
            }
        }
    }

    /// Takes usual members from `at` on; answers where that ends.
    #[inline(always)]
    fn usual_members(
        &self,
        payload: &[u8],
        at: usize,
        depth: usize,
        depth_max: usize,
        frame: Frame,
        row: &mut Row<'_>,
    ) -> (usize, Place) {
        let keys = self.keys.of(frame.node);
        Members { payload, marks: &self.marks, trie: self.trie, keys, depth, depth_max }.take(at, frame.place, row)
    }

    /// The node and the beginning of the value of the member that follows the comma or brace at `at`, and the place after
    /// its key.
    #[inline]
    fn member(&mut self, payload: &[u8], at: usize, frame: Frame) -> Result<(u32, usize, Place), Fault> {
        match self.keys.known(frame.node, frame.place, payload, at) {
            Some(known) => Ok(known),
            None => self.new_key(payload, at, frame),
        }
    }

    #[inline(never)]
    fn new_key(&mut self, payload: &[u8], at: usize, frame: Frame) -> Result<(u32, usize, Place), Fault> {
        let key = skip_space(payload, at + 1);
        check_key_begins(payload, key)?;
        let (close, escaped) = string_end(payload, &self.marks, key)?;
        let value = skip_space(payload, colon(payload, close + 1)? + 1);
        let child = self.child(frame.node, &payload[key + 1..close], escaped);
        if escaped {
            return Ok((child, value, frame.place));
        }
        let wanted = if child == UNWANTED { Wanted::NOTHING } else { self.trie.node(child).wanted() };
        Ok((child, value, self.keys.learn(frame.node, frame.place, &payload[at..value], child, wanted)))
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
