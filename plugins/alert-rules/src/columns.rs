//! The columns that the rules share, and how an expression reads them.

use std::cell::Cell;

use wasmill_expr::{Column, State};
use wasmill_sdk::{Field, Kind, Slots, log};

/// Every field that a rule reads, once per kind; its place is its slot.
#[derive(Debug, Default)]
pub(crate) struct Registry(Vec<Field>);

impl Registry {
    /// The slot of an expression's column.
    pub(crate) fn column(&mut self, column: &Column) -> usize {
        let kind = match column.kind {
            wasmill_expr::Kind::Text => Kind::Text,
            wasmill_expr::Kind::Float => Kind::Float,
            wasmill_expr::Kind::Boolean => Kind::Boolean,
            wasmill_expr::Kind::Json => Kind::Json,
        };
        self.slot(&column.path, kind)
    }

    /// The slot of a field that is read as its raw JSON token.
    pub(crate) fn json(&mut self, path: &str) -> usize {
        self.slot(path, Kind::Json)
    }

    /// How many columns there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The fields in the order of their slots.
    pub(crate) fn into_fields(self) -> Vec<Field> {
        self.0
    }

    fn slot(&mut self, path: &str, kind: Kind) -> usize {
        let found = self.0.iter().position(|field| field.kind == kind && field.path == path);
        found.unwrap_or_else(|| {
            self.0.push(Field::new(path.to_owned(), kind));
            self.0.len() - 1
        })
    }
}

/// One event's columns, as an expression reads them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    slots: Slots<'a>,
    undecided: &'a Undecided,
}

/// How often a rule could not be asked about an event, since a value is longer than what is looked at.
#[derive(Debug, Default)]
pub(crate) struct Undecided(Cell<u32>);

impl Undecided {
    /// Says so, so that nobody pads a text unnoticed.
    pub(crate) fn tell(&self) {
        if self.0.get() > 0 {
            log::warn!(
                "rules that could not be decided, since only what is behind the first {} bytes of a value could tell: {}",
                <Columns<'_> as wasmill_expr::Fields>::BYTES_MAX,
                self.0.get()
            );
        }
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn new(slots: Slots<'a>, undecided: &'a Undecided) -> Self {
        Self { slots, undecided }
    }

    /// The raw JSON token of a field; `None` when it is absent or null.
    pub(crate) fn token(&self, slot: usize) -> Option<&str> {
        self.slots.json(slot)
    }
}

impl wasmill_expr::Fields for Columns<'_> {
    /// A pattern takes 44 fuel for a byte, so that an event has enough by default for 27 that look at so much.
    const BYTES_MAX: usize = 16 * 1024;

    fn too_long(&self) {
        self.undecided.0.update(|times| times.saturating_add(1));
    }

    #[inline]
    fn state(&self, slot: usize) -> State {
        match self.slots.state(slot) {
            wasmill_sdk::State::Absent => State::Absent,
            wasmill_sdk::State::Null => State::Null,
            wasmill_sdk::State::Present => State::Present,
            wasmill_sdk::State::OtherType => State::OtherType,
        }
    }

    #[inline]
    fn text(&self, slot: usize) -> Option<&str> {
        self.slots.text(slot)
    }

    #[inline]
    fn float(&self, slot: usize) -> Option<f64> {
        self.slots.float(slot)
    }

    #[inline]
    fn boolean(&self, slot: usize) -> Option<bool> {
        self.slots.boolean(slot)
    }

    #[inline]
    fn json(&self, slot: usize) -> Option<&str> {
        self.slots.json(slot)
    }
}
