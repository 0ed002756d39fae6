//! A JSON text as a flat list of its values, in the order in which they stand: read once per event, walked as often as a schema
//! asks. Of members with the same key the last one counts, as everywhere in wasmill.
//!
//! The text is known to be JSON (the host has checked the event, the SDK the config), so that this reader only tells values
//! apart. On anything else it answers `None`, and never panics.

use crate::escape::unescape;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    Array,
    Object,
    /// A key that comes again later in its object.
    Shadowed,
}

/// A value, or a member's key, which stands before its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Whether its text is in [`Tape::unescaped`].
    is_unescaped: bool,
    /// One past the value's last node.
    pub(crate) end: u32,
    /// Where a text or number begins; of an array or object the number of its elements or members.
    from: u32,
    /// Where a text or number ends.
    to: u32,
}

/// The list of a text's values, without the text.
#[derive(Debug)]
pub(crate) struct Tape {
    nodes: Vec<Node>,
    /// Texts that have escapes in the JSON, without them.
    unescaped: String,
    /// Arrays and objects that have not ended.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    node: u32,
    /// A bit for each key so far.
    keys: u64,
}

/// Members from which on equal keys are found by sorting.
const CROWD: u32 = 32;

impl Tape {
    pub(crate) const fn new() -> Self {
        Tape { nodes: Vec::new(), unescaped: String::new(), open: Vec::new() }
    }

    /// Room for an event of this many values.
    pub(crate) fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve(nodes);
        self.open.reserve(128);
    }

    /// Reads a text.
    pub(crate) fn read<'t>(&'t mut self, text: &'t str) -> Option<Json<'t>> {
        self.nodes.clear();
        self.unescaped.clear();
        self.open.clear();
        Reader { tape: self, text, at: 0 }.document()?;
        Some(self.json(text))
    }

    /// The values of the text that was read.
    pub(crate) fn json<'t>(&'t self, text: &'t str) -> Json<'t> {
        Json { text, nodes: &self.nodes, unescaped: &self.unescaped }
    }
}

/// A JSON text that is kept.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    tape: Tape,
}

impl Document {
    /// Keeps a JSON text.
    pub(crate) fn new(text: String) -> Option<Self> {
        let mut tape = Tape::new();
        tape.read(&text)?;
        Some(Document { text, tape })
    }

    /// Its values.
    pub(crate) fn json(&self) -> Json<'_> {
        self.tape.json(&self.text)
    }
}

/// The values of a text. The first one is node 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'t> {
    text: &'t str,
    nodes: &'t [Node],
    unescaped: &'t str,
}

impl<'t> Json<'t> {
    #[inline]
    pub(crate) fn kind(self, node: u32) -> Kind {
        self.nodes[node as usize].kind
    }

    /// One past the value's last node.
    #[inline]
    pub(crate) fn end(self, node: u32) -> u32 {
        self.nodes[node as usize].end
    }

    /// A text's characters, or a number's token.
    #[inline]
    pub(crate) fn text(self, node: u32) -> &'t str {
        let Node { is_unescaped, from, to, .. } = self.nodes[node as usize];
        let all = if is_unescaped { self.unescaped } else { self.text };
        &all[from as usize..to as usize]
    }

    /// How many elements an array or members an object has.
    #[inline]
    pub(crate) fn count(self, node: u32) -> u32 {
        self.nodes[node as usize].from
    }

    /// An array's elements.
    #[inline]
    pub(crate) fn elements(self, array: u32) -> impl Iterator<Item = u32> + use<'t> {
        let (mut next, end) = (array + 1, self.end(array));
        std::iter::from_fn(move || {
            let element = (next < end).then_some(next)?;
            next = self.end(element);
            Some(element)
        })
    }

    /// An object's members, as their keys' nodes; a value's node follows its key's.
    #[inline]
    pub(crate) fn members(self, object: u32) -> impl Iterator<Item = u32> + use<'t> {
        let (mut next, end) = (object + 1, self.end(object));
        std::iter::from_fn(move || {
            loop {
                let key = (next < end).then_some(next)?;
                next = self.end(key + 1);
                if self.kind(key) == Kind::Text {
                    return Some(key);
                }
            }
        })
    }

    /// The value of an object's member; `None` of anything else.
    pub(crate) fn get(self, object: u32, key: &str) -> Option<u32> {
        if self.kind(object) != Kind::Object {
            return None;
        }
        self.members(object).find(|member| self.text(*member) == key).map(|member| member + 1)
    }
}

struct Reader<'t> {
    tape: &'t mut Tape,
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Option<()> {
        loop {
            let begun = self.value()?;
            if begun {
                continue;
            }
            // A value has ended, and with it perhaps what it is in.
            loop {
                let Some(open) = self.tape.open.last() else {
                    self.space();
                    return (self.at == self.text.len()).then_some(());
                };
                let inside = open.node as usize;
                self.tape.nodes[inside].from += 1;
                match self.space()? {
                    b',' => {
                        self.at += 1;
                        if self.tape.nodes[inside].kind == Kind::Object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' | b']' => self.close(),
                    _ => return None,
                }
            }
        }
    }

    /// Reads a value; of an array or object that is not empty only its beginning, and then answers true.
    fn value(&mut self) -> Option<bool> {
        match self.space()? {
            b'"' => self.string(),
            b'{' => {
                self.open(Kind::Object);
                if self.space()? != b'}' {
                    self.key()?;
                    return Some(true);
                }
                self.close();
                Some(false)
            }
            b'[' => {
                self.open(Kind::Array);
                if self.space()? != b']' {
                    return Some(true);
                }
                self.close();
                Some(false)
            }
            b'-' | b'0'..=b'9' => {
                let from = self.at;
                while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
                    self.at += 1;
                }
                self.push(Kind::Number, false, from, self.at);
                Some(false)
            }
            b'n' => self.word(Kind::Null, 4),
            b't' => self.word(Kind::True, 4),
            b'f' => self.word(Kind::False, 5),
            _ => None,
        }
    }

    fn word(&mut self, kind: Kind, length: usize) -> Option<bool> {
        self.push(kind, false, 0, 0);
        self.at += length;
        Some(false)
    }

    #[inline]
    fn push(&mut self, kind: Kind, is_unescaped: bool, from: usize, to: usize) {
        let end = self.tape.nodes.len() as u32 + 1;
        self.tape.nodes.push(Node { kind, is_unescaped, end, from: from as u32, to: to as u32 });
    }

    fn open(&mut self, kind: Kind) {
        self.tape.open.push(Open { node: self.tape.nodes.len() as u32, keys: 0 });
        self.push(kind, false, 0, 0);
        self.at += 1;
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(open) = self.tape.open.pop() {
            self.tape.nodes[open.node as usize].end = self.tape.nodes.len() as u32;
            let Node { kind, from: count, .. } = self.tape.nodes[open.node as usize];
            if kind == Kind::Object && count > CROWD {
                self.shadow_crowd(open.node);
            }
        }
    }

    fn string(&mut self) -> Option<bool> {
        let from = self.at + 1;
        let end = text_end(self.text.as_bytes(), from)?;
        if self.text.as_bytes()[end] == b'"' {
            self.push(Kind::Text, false, from, end);
            self.at = end + 1;
        } else {
            let start = self.tape.unescaped.len();
            self.at = unescape(self.text, from, &mut self.tape.unescaped)?;
            self.push(Kind::Text, true, start, self.tape.unescaped.len());
        }
        Some(false)
    }

    fn key(&mut self) -> Option<()> {
        if self.space()? != b'"' {
            return None;
        }
        let key = self.tape.nodes.len() as u32;
        self.string()?;
        if self.space()? != b':' {
            return None;
        }
        self.at += 1;
        let bit = key_bit(self.tape.json(self.text).text(key));
        let open = self.tape.open.last_mut()?;
        let is_perhaps_known = open.keys & bit != 0;
        open.keys |= bit;
        if is_perhaps_known {
            let object = open.node;
            self.shadow_earlier(object, key);
        }
        Some(())
    }

    /// Marks an earlier key of an object that has not ended as one that comes again.
    fn shadow_earlier(&mut self, object: u32, key: u32) {
        if self.tape.nodes[object as usize].from > CROWD {
            return;
        }
        let json = self.tape.json(self.text);
        let text = json.text(key);
        let mut earlier = object + 1;
        while earlier < key {
            if json.kind(earlier) == Kind::Text && json.text(earlier) == text {
                self.shadow(object, earlier);
                return;
            }
            earlier = json.end(earlier + 1);
        }
    }

    /// The same for all keys of an object that has ended.
    fn shadow_crowd(&mut self, object: u32) {
        let json = self.tape.json(self.text);
        let mut keys: Vec<u32> = json.members(object).collect();
        keys.sort_unstable_by(|a, b| json.text(*a).cmp(json.text(*b)).then(a.cmp(b)));
        let comes_again = |pair: &&[u32]| json.text(pair[0]) == json.text(pair[1]);
        let shadowed: Vec<u32> = keys.windows(2).filter(comes_again).map(|pair| pair[0]).collect();
        shadowed.into_iter().for_each(|key| self.shadow(object, key));
    }

    fn shadow(&mut self, object: u32, key: u32) {
        self.tape.nodes[key as usize].kind = Kind::Shadowed;
        self.tape.nodes[object as usize].from -= 1;
    }

    /// The next byte that is no white space.
    #[inline]
    fn space(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if byte > b' ' {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// One of 64 bits; equal keys have the same.
#[inline]
fn key_bit(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
    let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
    let mixed = u32::from(first) ^ (u32::from(last) << 3) ^ (u32::from(middle) << 6) ^ ((bytes.len() as u32) << 9);
    1 << (mixed.wrapping_mul(0x9e37_79b1) >> 26)
}

/// Where the first quote or backslash is, eight bytes at a time.
#[inline]
fn text_end(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut at = from;
    while let Some(chunk) = bytes.get(at..)?.first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let found = zero_bytes(word ^ (ONES * 0x22)) | zero_bytes(word ^ (ONES * 0x5c));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(at + rest)
}
