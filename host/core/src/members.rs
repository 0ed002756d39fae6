//! The members that most objects have: an expected key, and a scalar or something unwanted at once after it.
//!
//! This is where the time goes, so nothing else is done here. What is not usual, faults too, is left to the walk.

use crate::keys::{Known, Place};
use crate::marks::Marks;
use crate::number::{self, Number};
use crate::row::{Row, Token, Value};
use crate::skip;
use crate::tokens::{byte, literal};
use crate::trie::{Trie, Usual};

/// The object whose members are taken.
pub(crate) struct Members<'s> {
    pub(crate) payload: &'s [u8],
    pub(crate) marks: &'s Marks,
    pub(crate) trie: &'s Trie,
    /// Its keys, as far as they are known.
    pub(crate) keys: &'s [Known],
    /// How many objects are open with it, and how many may be.
    pub(crate) depth: usize,
    pub(crate) depth_max: usize,
}

impl Members<'_> {
    /// Takes the members that follow at `at`, a comma's place or that of the object's brace, as long as they are usual.
    /// Answers where that ends.
    #[inline(never)]
    pub(crate) fn take(&self, mut at: usize, mut place: Place, row: &mut Row<'_>) -> (usize, Place) {
        while let Some((known, start)) = place.expected(self.keys, self.payload, at) {
            let end = match byte(self.payload, start) {
                b'"' => self.string(known, start, row),
                b'-' | b'0'..=b'9' => self.number(known, start, row),
                b't' | b'f' | b'n' => self.literal(known, start, row),
                b'{' | b'[' => self.container(known, start),
                _ => None,
            };
            let Some(end) = end else {
                break;
            };
            at = end;
            place = place.after(known);
        }
        (at, place)
    }

    #[inline(always)]
    fn string(&self, known: &Known, start: usize, row: &mut Row<'_>) -> Option<usize> {
        let close = self.marks.next(start + 1);
        if byte(self.payload, close) != b'"' {
            return None;
        }
        let end = close + 1;
        match known.usual {
            Usual::Nothing => {}
            Usual::Text(column) => row.text(column, self.payload, start, end),
            _ => row.plain_string(self.trie.node(known.child), self.payload, start, end),
        }
        Some(end)
    }

    #[inline(always)]
    fn number(&self, known: &Known, start: usize, row: &mut Row<'_>) -> Option<usize> {
        let short = number::read_short(self.payload, start);
        let (end, number) = short.or_else(|| number::read(self.payload, start).ok())?;
        match (known.usual, number) {
            (Usual::Nothing, _) => {}
            (Usual::Integer(column), Number::Integer(value)) => row.integer(column, value),
            (Usual::Float(column), Number::Float(Some(value))) => row.float(column, value),
            _ => self.any(known, start, end, Value::from(number), row),
        }
        Some(end)
    }

    #[inline(always)]
    fn literal(&self, known: &Known, start: usize, row: &mut Row<'_>) -> Option<usize> {
        let (end, value) = literal(self.payload, start).ok()?;
        if known.usual != Usual::Nothing {
            self.any(known, start, end, value, row);
        }
        Some(end)
    }

    #[inline(always)]
    fn container(&self, known: &Known, start: usize) -> Option<usize> {
        if known.usual != Usual::Nothing {
            return None;
        }
        skip::container(self.payload, self.marks, start, self.depth, self.depth_max).ok()
    }

    #[inline(always)]
    fn any(&self, known: &Known, start: usize, end: usize, value: Value, row: &mut Row<'_>) {
        row.value(self.trie.node(known.child), self.payload, &Token { start, end, value });
    }
}
