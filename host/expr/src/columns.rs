//! What a program reads, and how it is read: the same columns, states and kinds as in a plugin's batch.

/// What a column holds, one for one with the plugin interface's `field-kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// UTF-8 text, unescaped.
    Text,
    /// A 64-bit float; a JSON integer is widened. The compiler asks for it only where that cannot change a result.
    Float,
    /// True or false.
    Boolean,
    /// Any JSON value as its raw token.
    Json,
}

/// A field that a program reads, as one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Keys joined by `.`; a dot or backslash inside a key has a backslash before it.
    pub path: String,
    /// How it is read.
    pub kind: Kind,
}

/// What the event has in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The event has no such field, or one of its parents is missing or no object.
    Absent,
    /// JSON's null.
    Null,
    /// A value of the column's kind.
    Present,
    /// A value that is not of the column's kind.
    OtherType,
}

/// One event's columns. A program asks for a value only in the kind that it declared for the column; each getter answers
/// `None` exactly when the state is not [`State::Present`].
pub trait Fields {
    /// How much is looked at, so that a bound on an event's size is not all that bounds what an expression costs: of a text that is longer
    /// `contains` and `matches` see the first so many bytes, and a JSON value that is longer is not read. What only the rest could tell is
    /// [`crate::EvalError::TooLong`].
    const BYTES_MAX: usize = usize::MAX;

    /// Told each time that only the rest of a value could tell.
    fn too_long(&self) {}

    /// What the event has in the column.
    fn state(&self, slot: usize) -> State;
    /// The value of a [`Kind::Text`] column.
    fn text(&self, slot: usize) -> Option<&str>;
    /// The value of a [`Kind::Float`] column.
    fn float(&self, slot: usize) -> Option<f64>;
    /// The value of a [`Kind::Boolean`] column.
    fn boolean(&self, slot: usize) -> Option<bool>;
    /// The raw token of a [`Kind::Json`] column.
    fn json(&self, slot: usize) -> Option<&str>;
}
