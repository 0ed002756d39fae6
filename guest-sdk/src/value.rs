//! The types that a field of a `derive(Fields)` struct may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::batch::Cell;
use crate::field::{Kind, State};
use crate::output::Timestamp;
use crate::time;

/// A JSON value as its raw token, exactly as it stands in the payload.
///
/// ```
/// use wasmill_sdk::{Fields, Json, Loaded, Slot, Verdict};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     tags: Option<Json<'a>>,
///     user: Slot<&'a str>,
/// }
///
/// #[wasmill_sdk::validator]
/// fn tagged(log: Log<'_>) -> Verdict {
///     match (log.tags, log.user) {
///         (_, Slot::OtherType) => Verdict::reject("no_user", "the field `user` is no text"),
///         (Some(Json(tags)), _) if tags.starts_with('[') => Verdict::pass(),
///         _ => Verdict::drop(),
///     }
/// }
///
/// let plugin = Loaded::<tagged>::configure("{}").unwrap();
/// let verdicts = plugin.validate_json(&[r#"{"tags": ["a"]}"#, r#"{"user": 1}"#, "{}"]);
/// assert!(verdicts[0].is_pass() && verdicts[1].rejection().is_some() && verdicts[2].is_drop());
/// ```
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
    note = "a field is `&'a str`, `&'a [u8]`, `i64`, `f64`, `bool`, `Json<'a>`, an IP address, `Timestamp` or an enum with `#[derive(wasmill_sdk::FieldEnum)]`, or an `Option` or `Slot` of one of these",
    note = "for owned or smaller types read one of these and convert it in the plugin's function"
)]
pub trait Value<'a>: Copy {
    #[doc(hidden)]
    const KIND: Kind;
    /// What it is, in a sentence for people.
    #[doc(hidden)]
    const NOUN: &'static str = Self::KIND.noun();
    /// `None`: the value is of the right kind and yet none of this type, such as a text that is no address.
    #[doc(hidden)]
    fn from_cell(cell: Cell<'a>) -> Option<Self>;
}

/// A word of an enum that derives [`macro@crate::FieldEnum`], which implements this.
///
/// ```
/// use wasmill_sdk::{FieldEnum, Fields, Loaded, Verdict};
///
/// #[derive(FieldEnum, Clone, Copy, PartialEq)]
/// enum Severity {
///     Info,
///     #[field(word = "WARN")]
///     Warning,
/// }
///
/// #[derive(Fields)]
/// struct Log { severity: Severity }
///
/// #[wasmill_sdk::validator]
/// fn only_warnings(log: Log) -> Verdict {
///     if log.severity == Severity::Warning { Verdict::pass() } else { Verdict::drop() }
/// }
///
/// let plugin = Loaded::<only_warnings>::configure("{}").unwrap();
/// let verdicts = plugin.validate_json(&[r#"{"severity":"WARN"}"#, r#"{"severity":"info"}"#, r#"{"severity":"Info"}"#]);
/// assert!(verdicts[0].is_pass());
/// let refused = verdicts[2].rejection().unwrap();
/// assert_eq!((&*refused.code, &*refused.reason), ("wrong_type", "the field `severity` is not one of `info`, `WARN`"));
/// ```
pub trait FieldEnum: Copy + 'static {
    /// Every variant, with its word, in the order in which they are written.
    const WORDS: &'static [(&'static str, Self)];
    /// They in a sentence: "one of `low`, `high`".
    #[doc(hidden)]
    const NOUN: &'static str;

    /// The variant of a word.
    fn from_word(word: &str) -> Option<Self>;

    /// Its word.
    fn word(self) -> &'static str;
}

macro_rules! value {
    ($type:ty, $kind:ident, $cell:ident => $read:expr $(, $noun:literal)?) => {
        impl<'a> Value<'a> for $type {
            const KIND: Kind = Kind::$kind;
            $(const NOUN: &'static str = $noun;)?
            #[inline(always)]
            fn from_cell($cell: Cell<'a>) -> Option<Self> {
                $read
            }
        }

        impl<'a> FromSlot<'a> for $type {
            const KIND: Kind = Kind::$kind;
            const REQUIRED: bool = true;
            const NOUN: &'static str = <Self as Value<'a>>::NOUN;
            #[inline(always)]
            fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State> {
                required(state, cell)
            }
        }
    };
}

value!(&'a str, Text, cell => Some(cell.text()));
value!(&'a [u8], Text, cell => Some(cell.text().as_bytes()));
value!(i64, Integer, cell => Some(cell.bits() as i64));
value!(f64, Float, cell => Some(f64::from_bits(cell.bits())));
value!(bool, Boolean, cell => Some(cell.bits() != 0));
value!(Json<'a>, Json, cell => Some(Json(cell.text())));
value!(IpAddr, Text, cell => cell.text().parse().ok(), "an IP address");
value!(Ipv4Addr, Text, cell => cell.text().parse().ok(), "an IPv4 address");
value!(Ipv6Addr, Text, cell => cell.text().parse().ok(), "an IPv6 address");
value!(Timestamp, Text, cell => time::parse(cell.text()).map(|ns| Timestamp { ns }), "a time such as 2026-11-21T08:45:00.250Z");

/// A value that must be there; `OtherType` where it is of the right kind and yet none of the type.
#[doc(hidden)]
#[inline(always)]
pub fn required<'a, T: Value<'a>>(state: State, cell: Cell<'a>) -> Result<T, State> {
    if state == State::Present { T::from_cell(cell).ok_or(State::OtherType) } else { Err(state) }
}

/// A type that a field of a `derive(Fields)` struct may have: a [`Value`], or an `Option` or [`Slot`] of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a `derive(Fields)` struct",
    label = "not a type of a field",
    note = "a field is `&'a str`, `&'a [u8]`, `i64`, `f64`, `bool`, `Json<'a>`, an IP address, `Timestamp` or an enum with `#[derive(wasmill_sdk::FieldEnum)]`, or an `Option` or `Slot` of one of these",
    note = "for owned or smaller types read one of these and convert it in the plugin's function"
)]
pub trait FromSlot<'a>: Sized {
    #[doc(hidden)]
    const KIND: Kind;
    #[doc(hidden)]
    const REQUIRED: bool;
    /// What it is, in a sentence for people.
    #[doc(hidden)]
    const NOUN: &'static str = Self::KIND.noun();
    /// `Err`: the event does not fit the struct.
    #[doc(hidden)]
    fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State>;
}

impl<'a, T: Value<'a>> FromSlot<'a> for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    #[inline(always)]
    fn from_slot(state: State, cell: Cell<'a>) -> Result<Self, State> {
        Ok(if state == State::Present { T::from_cell(cell) } else { None })
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
            State::Present => T::from_cell(cell).map_or(Slot::OtherType, Slot::Present),
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
