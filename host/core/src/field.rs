//! Fields: what is read from a payload or written to it, and how a slot says what it holds.

use serde::{Deserialize, Serialize};

use crate::Path;

/// What a field holds, and so how its slot is read. The WIT enum of the same name says it for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Unescaped UTF-8 text: a byte range of the batch's text.
    Text,
    /// A signed 64-bit integer: its bits. `1.0` and `1e3` are floats, as is what does not fit 64 bits.
    Integer,
    /// A 64-bit float: its bits. Integers are widened.
    Float,
    /// 0 or 1.
    Boolean,
    /// Any value as its raw token: a byte range of the batch's text.
    Json,
    /// The whole payload: a byte range of the batch's text. Such a field has no path.
    Raw,
}

/// What the host finds out about a field's text before plugins run. The WIT enum of the same name says it for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lookup {
    /// The name of an address.
    ReverseDns,
}

/// A field that a plugin reads or writes, or that a sink reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Where it stands; `None` only for [`FieldKind::Raw`].
    pub path: Option<Path>,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether the host rejects an event without it. Only validators may say so.
    pub required: bool,
    /// Its value is the answer to this look-up for the text at the path; of kind text.
    pub lookup: Option<Lookup>,
}

/// What a slot holds. The numbers are those of the WIT interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// The payload has no such value, or a parent of it is missing or no object.
    Absent = 0,
    /// JSON `null`.
    Null = 1,
    /// A value of the field's kind.
    Present = 2,
    /// A value of another type; the slot is the byte range of its raw token (of the unescaped text for a string).
    OtherType = 3,
}

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum JsonType {
    /// `null`, or no value at all.
    Null = 0,
    /// `true` or `false`.
    Boolean = 1,
    /// A number without fraction and exponent that fits i64.
    Integer = 2,
    /// Any other number.
    Float = 3,
    /// A string.
    String = 4,
    /// An array.
    Array = 5,
    /// An object.
    Object = 6,
}

/// A slot's [`State`] (bits 0-1) and the value's [`JsonType`] (bits 2-4) in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SlotState(u8);

impl SlotState {
    /// No value.
    pub const ABSENT: Self = Self(0);

    /// A state with the type of the value that it speaks of.
    #[inline]
    pub const fn new(state: State, json_type: JsonType) -> Self {
        Self(state as u8 | (json_type as u8) << 2)
    }

    /// The state alone.
    #[inline]
    pub const fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Absent,
            1 => State::Null,
            2 => State::Present,
            _ => State::OtherType,
        }
    }

    /// The two bits of the WIT interface.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0 & 3
    }

    /// Whether there is a value, of whatever type, that is not null.
    #[inline]
    pub const fn is_value(self) -> bool {
        // Present and of another type: the states whose upper bit is set.
        self.0 & 2 != 0
    }

    /// The type of the value.
    #[inline]
    pub const fn json_type(self) -> JsonType {
        match self.0 >> 2 {
            0 => JsonType::Null,
            1 => JsonType::Boolean,
            2 => JsonType::Integer,
            3 => JsonType::Float,
            4 => JsonType::String,
            5 => JsonType::Array,
            _ => JsonType::Object,
        }
    }
}
