//! Where in a file a resolved value came from.

use super::mistake::{Position, quoted};
use super::tree::{Node, Value};

/// A value of the file.
#[derive(Clone, Copy)]
pub(super) struct Place<'n>(pub(super) &'n Node);

impl<'n> Place<'n> {
    /// Where it begins.
    pub(super) fn at(self) -> Position {
        self.0.at
    }

    /// Whether a mistake of it has been reported already.
    pub(super) fn is_broken(self) -> bool {
        self.0.broken
    }

    /// The value of `key`; itself where the key is not written.
    pub(super) fn child(self, key: &str) -> Self {
        self.0.entry(key).map_or(self, |entry| Self(&entry.node))
    }

    /// Where `key` stands; where it would belong if it is not written.
    pub(super) fn key_at(self, key: &str) -> Position {
        self.0.entry(key).map_or(self.at(), |entry| entry.at)
    }

    /// Entry `index` of a list; itself where there is none.
    pub(super) fn item(self, index: usize) -> Self {
        match &self.0.value {
            Value::List(nodes) => nodes.get(index).map_or(self, Self),
            _ => self,
        }
    }

    /// The value in quotes, as the file has it: what the environment filled in is not shown.
    pub(super) fn quoted(self) -> String {
        match (&self.0.filled, &self.0.value) {
            (Some(filled), _) => quoted(&filled.written),
            (None, Value::Text(text)) => quoted(text),
            (None, Value::Integer(number)) => quoted(&number.to_string()),
            (None, Value::Bool(value)) => quoted(&value.to_string()),
            (None, _) => "this value".to_owned(),
        }
    }
}
