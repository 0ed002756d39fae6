//! The members that most objects have: an expected key, and a scalar or something unwanted at once after it.
//!
//! This is where the time goes, so nothing else is done here. What is not usual, faults too, is left to the walk.

use crate::keys::{Known, Place};
use crate::marks::Marks;
use crate::number::{self, Number};
use crate::row::{Row, Token, Value};
use crate::skip;
use crate::tokens::{byte, literal};
use crate::trie::{Trie, Wanted};

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
        if known.wanted.is_nothing() {
            return Some(end);
        }
        if known.wanted.is_for_columns() {
            row.plain_string(&known.wanted, self.payload, start, end);
        } else {
            self.any(known, start, end, Value::String { escaped: false }, row);
        }
        Some(end)
    }

    #[inline(always)]
    fn number(&self, known: &Known, start: usize, row: &mut Row<'_>) -> Option<usize> {
        let short = number::read_short(self.payload, start);
        let (end, number) = short.or_else(|| number::read(self.payload, start).ok())?;
        let wanted = &known.wanted;
        match number {
            Number::Integer(value) if wanted.is_within(Wanted::INTEGER | Wanted::FLOAT | Wanted::JSON) => {
                row.integer(wanted, value, self.payload, start, end);
            }
            Number::Float(Some(value)) if wanted.is_within(Wanted::FLOAT | Wanted::JSON) => {
                row.float(wanted, value, self.payload, start, end);
            }
            _ => self.any(known, start, end, Value::from(number), row),
        }
        Some(end)
    }

    #[inline(always)]
    fn literal(&self, known: &Known, start: usize, row: &mut Row<'_>) -> Option<usize> {
        let (end, value) = literal(self.payload, start).ok()?;
        self.any(known, start, end, value, row);
        Some(end)
    }

    #[inline(always)]
    fn container(&self, known: &Known, start: usize) -> Option<usize> {
        if !known.wanted.is_nothing() {
            return None;
        }
        skip::container(self.payload, self.marks, start, self.depth, self.depth_max).ok()
    }

    #[inline(never)]
    fn any(&self, known: &Known, start: usize, end: usize, value: Value, row: &mut Row<'_>) {
        if !known.wanted.is_nothing() {
            row.value(self.trie.node(known.child), self.payload, &Token { start, end, value });
        }
    }
}
