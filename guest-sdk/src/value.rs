//! The types that a field of a `derive(Fields)` struct may have.

use crate::batch::Cell;
use crate::field::{Kind, State};

/// A JSON value as its raw token, exactly as it stands in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Json<'a>(
    /// The token: `{"a":1}`, `"text"`, `12`, ...
    pub &'a str,
);

/// A field that tells why it is not present, where `Option` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<T> {
    /// The field, or a parent of it, is not there.
    Absent,
    /// The field is `null`.
    Null,
    /// The field's value.
    Present(T),
    /// The field has a value of another type.
    OtherType,
}

impl<T> Slot<T> {
    /// The value, if present.
    pub fn present(self) -> Option<T> {
        match self {
            Slot::Present(value) => Some(value),
            _ => None,
        }
    }
}

/// A value that a slot can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event",
    label = "not a type of a field",
    note = "a field is `&'a str`, `i64`, `f64`, `bool` or `Json<'a>`, or an `Option` or `Slot` of one of these",
    note = "for owned or smaller types read one of these and convert it in the plugin's function"
)]
pub trait Value<'a>: Copy {
    #[doc(hidden)]
    const KIND: Kind;
    #[doc(hidden)]
    fn from_cell(cell: Cell<'a>) -> Self;
}

macro_rules! value {
    ($type:ty, $kind:ident, $cell:ident => $read:expr) => {
        impl<'a> Value<'a> for $type {
            const KIND: Kind = Kind::$kind;
            #[inline(always)]
            fn from_cell($cell: Cell<'a>) -> Self {
                $read
            }
        }

        impl<'a> FromSlot<'a> for $type {
            const KIND: Kind = Kind::$kind;
            const REQUIRED: bool = true;
            #[inline(always)]
            fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State> {
                if state == State::Present { Ok(Self::from_cell(cell)) } else { Err(state) }
            }
        }
    };
}

value!(&'a str, Text, cell => cell.text());
value!(i64, Integer, cell => cell.bits() as i64);
value!(f64, Float, cell => f64::from_bits(cell.bits()));
value!(bool, Boolean, cell => cell.bits() != 0);
value!(Json<'a>, Json, cell => Json(cell.text()));

/// A type that a field of a `derive(Fields)` struct may have: a [`Value`], or an `Option` or [`Slot`] of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a `derive(Fields)` struct",
    label = "not a type of a field",
    note = "a field is `&'a str`, `i64`, `f64`, `bool` or `Json<'a>`, or an `Option` or `Slot` of one of these",
    note = "for owned or smaller types read one of these and convert it in the plugin's function"
)]
pub trait FromSlot<'a>: Sized {
    #[doc(hidden)]
    const KIND: Kind;
    #[doc(hidden)]
    const REQUIRED: bool;
    /// `Err`: the event does not fit the struct.
    #[doc(hidden)]
    fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State>;
}

impl<'a, T: Value<'a>> FromSlot<'a> for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    #[inline(always)]
    fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State> {
        Ok((state == State::Present).then(|| T::from_cell(cell)))
    }
}

impl<'a, T: Value<'a>> FromSlot<'a> for Slot<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    #[inline(always)]
    fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State> {
        Ok(match state {
            State::Absent => Slot::Absent,
            State::Null => Slot::Null,
            State::Present => Slot::Present(T::from_cell(cell)),
            State::OtherType => Slot::OtherType,
        })
    }
}

/// A type that a `#[field(raw)]` field may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[field(raw)]` field",
    note = "the whole payload is read as `&'a str` or `&'a [u8]`"
)]
pub trait RawPayload<'a>: Sized {
    #[doc(hidden)]
    fn from_payload(cell: Cell<'a>) -> Self;
}

impl<'a> RawPayload<'a> for &'a str {
    #[inline(always)]
    fn from_payload(cell: Cell<'a>) -> Self {
        cell.text()
    }
}

impl<'a> RawPayload<'a> for &'a [u8] {
    #[inline(always)]
    fn from_payload(cell: Cell<'a>) -> Self {
        cell.text().as_bytes()
    }
}
