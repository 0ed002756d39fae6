//! A JSON text as a flat list of its values, in the order in which they stand: read once per event, walked as often as a schema
//! asks. Of members with the same key the last one counts, as everywhere in wasmill.
//!
//! The text is known to be JSON (the host has checked the event, the SDK the config), so that this reader only tells values
//! apart. On anything else it answers `None`, and never panics.

mod reader;

use crate::check::BYTES_PER_STEP;
use reader::Open;

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
struct Node {
    kind: Kind,
    /// Whether its text is in [`Tape::unescaped`].
    is_unescaped: bool,
    /// One past the value's last node.
    end: u32,
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
    /// Escapes that the text may still have.
    escapes_left: usize,
    /// While a text is read, arrays and objects that have not ended.
    around: Vec<Open>,
}

impl Tape {
    pub(crate) const fn new() -> Self {
        Tape { nodes: Vec::new(), unescaped: String::new(), escapes_left: 0, around: Vec::new() }
    }

    /// Room for an event of this many values.
    pub(crate) fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve(nodes);
        self.around.reserve(128);
    }

    /// Reads a text of at most so many values, keys counted too, and as many escapes.
    pub(crate) fn read<'t>(&'t mut self, text: &'t str, values_max: usize) -> Result<Json<'t>, Unread> {
        self.nodes.clear();
        self.unescaped.clear();
        self.around.clear();
        self.escapes_left = values_max;
        match reader::read(self, text, values_max) {
            read if self.nodes.len() > values_max || read.is_none() && self.escapes_left == 0 => Err(Unread::TooMany),
            Some(()) => Ok(self.json(text)),
            None => Err(Unread::NotJson),
        }
    }

    /// The values of the text that was read.
    pub(crate) fn json<'t>(&'t self, text: &'t str) -> Json<'t> {
        Json { text, nodes: &self.nodes, unescaped: &self.unescaped }
    }
}

/// Why a text could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    TooMany,
    NotJson,
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
        tape.read(&text, usize::MAX).ok()?;
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

    /// Steps that it takes to look at every value in a value, and at every digit of its numbers.
    pub(crate) fn weight(self, node: u32) -> usize {
        let nodes = &self.nodes[node as usize..self.end(node) as usize];
        let weight = |node: &Node| match node.kind {
            Kind::Number => 3 + (node.to - node.from) as usize / BYTES_PER_STEP,
            _ => 1,
        };
        nodes.iter().map(weight).sum()
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
