//! What an enricher writes: the types that a field of a `derive(Output)` struct may have.

use std::borrow::Cow;
use std::sync::Arc;

use crate::field::{FixedField, Kind};
use crate::value::Json;
use crate::writer::{Put, Writer};

/// What a plugin writes to each event. Implemented by `#[derive(Output)]`.
///
/// | a field of type | writes |
/// |---|---|
/// | `&'a str`, `String`, `Cow<'a, str>` | text |
/// | `i64`, `f64`, `bool` | an integer, a number, a boolean |
/// | [`Json<'a>`](crate::Json) | any JSON value, by its token |
/// | [`Timestamp`] | text: a time in RFC 3339 |
/// | `Option<T>` of these | `None` leaves the event's field as it is |
/// | [`Write<T>`] of these | the value, null, or nothing |
/// | `#[field(dynamic)]` `&'a [Cell]`, `Vec<Cell>` | the fields that only the config names: rows made once, or of this event |
/// | `#[field(dynamic)]` [`Texts<'a>`] | the same, where all are texts |
///
/// `#[field(path = "metadata.region")]` names a path; else it is the field's own name. Absent parents are made.
/// Text borrowed for `'a` (from the event, the config or a constant) that is written again in a batch is stored once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which fields it writes",
    note = "put `#[derive(wasmill_sdk::Output)]` on the struct that the enricher's function returns"
)]
pub trait Output<'a>: Sized {
    #[doc(hidden)]
    const FIELDS: &'static [FixedField];
    #[doc(hidden)]
    const DYNAMIC: bool;
    #[doc(hidden)]
    fn write(self, writer: &mut Writer<'a>);
}

/// `None` leaves the event as it is.
impl<'a, O: Output<'a>> Output<'a> for Option<O> {
    const FIELDS: &'static [FixedField] = O::FIELDS;
    const DYNAMIC: bool = O::DYNAMIC;
    #[inline]
    fn write(self, writer: &mut Writer<'a>) {
        match self {
            Some(output) => output.write(writer),
            None => writer.keep_event(),
        }
    }
}

/// A field that may also be left as it is, or be made null.
///
/// ```
/// use wasmill_sdk::{Fields, Loaded, Output, Write};
///
/// #[derive(Fields)]
/// struct Log<'a> { user: &'a str }
///
/// #[derive(Output)]
/// struct Hidden { user: Write<String> }
///
/// #[wasmill_sdk::enricher]
/// fn hide(log: Log<'_>) -> Hidden {
///     let user = match log.user {
///         "" => Write::Null,
///         "root" => Write::Keep,
///         user => Write::Value(user.chars().take(1).collect()),
///     };
///     Hidden { user }
/// }
///
/// let written = Loaded::<hide>::configure("{}").unwrap().enrich_json(&[r#"{"user":"eve"}"#, r#"{"user":"root"}"#]);
/// assert_eq!(written[0]["user"], "e");
/// assert!(written[1].is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<T> {
    /// Leaves the event's field as it is.
    Keep,
    /// Writes null.
    Null,
    /// Writes the value.
    Value(T),
}

/// A time as RFC 3339 text. It is written in UTC, without a fraction or with 3, 6 or 9 digits of it, as many as it needs:
/// `2026-11-21T08:45:00.250Z`. It is read with any offset and with up to nine digits of a fraction; a leap second is the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub ns: i64,
}

/// The value of a field that only the config names, for a `#[field(dynamic)]` output: cell i is written to the i-th of
/// [`Prepare::writes`](crate::Prepare::writes), whose kind it must have. Make the rows of cells once, in
/// [`Prepare::prepare`](crate::Prepare::prepare), where they do not depend on more than a look-up; else a `Vec` for the event.
///
/// ```
/// use wasmill_sdk::{Cell, Config, Field, Fields, Kind, Loaded, Output, Prepare};
///
/// #[derive(Config)]
/// struct Settings { path: String, value: String }
///
/// struct Row { path: String, cells: [Cell; 1] }
///
/// impl Prepare for Row {
///     type Config = Settings;
///     fn prepare(settings: Settings) -> Result<Self, String> {
///         Ok(Row { path: settings.path, cells: [Cell::Text(settings.value.into())] })
///     }
///     fn writes(&self) -> Vec<Field> {
///         vec![Field::new(self.path.clone(), Kind::Text)]
///     }
/// }
///
/// #[derive(Fields)]
/// struct Log { status: i64 }
///
/// #[derive(Output)]
/// struct Written<'a> {
///     #[field(dynamic)]
///     cells: &'a [Cell],
/// }
///
/// #[wasmill_sdk::enricher]
/// fn mark<'a>(log: Log, row: &'a Row) -> Option<Written<'a>> {
///     (log.status >= 500).then_some(Written { cells: &row.cells })
/// }
///
/// let plugin = Loaded::<mark>::configure(r#"{"path": "meta.team", "value": "core"}"#).unwrap();
/// let written = plugin.enrich_json(&[r#"{"status": 500}"#, r#"{"status": 200}"#]);
/// assert_eq!(written[0]["meta.team"], "core");
/// assert!(written[1].is_empty());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Leaves the event's field as it is.
    Keep,
    /// Writes null.
    Null,
    /// Writes text. Rows that share it by `Arc` share its bytes in the answer too.
    Text(Arc<str>),
    /// Writes an integer.
    Integer(i64),
    /// Writes a number.
    Float(f64),
    /// Writes a boolean.
    Boolean(bool),
    /// Writes any JSON value, by its token.
    Json(Arc<str>),
}

impl Cell {
    /// The kind of field that the cell can be written to; `None`: any.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Cell::Keep | Cell::Null => None,
            Cell::Text(_) => Some(Kind::Text),
            Cell::Integer(_) => Some(Kind::Integer),
            Cell::Float(_) => Some(Kind::Float),
            Cell::Boolean(_) => Some(Kind::Boolean),
            Cell::Json(_) => Some(Kind::Json),
        }
    }
}

/// Texts for a `#[field(dynamic)]` output, without memory of their own: text i is written to the i-th of
/// [`Prepare::writes`](crate::Prepare::writes), a text; `None` leaves the event's field as it is.
///
/// ```
/// let mut texts = wasmill_sdk::Texts::default();
/// texts.push(Some("eu-west"));
/// texts.push(None);
/// assert!(!texts.is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Texts<'a> {
    texts: [Option<&'a str>; Texts::MAX],
    len: usize,
}

impl<'a> Texts<'a> {
    /// The most texts that there can be.
    pub const MAX: usize = 8;

    /// Adds the text of the next field.
    ///
    /// # Panics
    /// When there are [`Texts::MAX`] already.
    #[inline]
    pub fn push(&mut self, text: Option<&'a str>) {
        self.texts[self.len] = text;
        self.len += 1;
    }

    /// Whether all fields are left as they are.
    pub fn is_empty(&self) -> bool {
        self.texts[..self.len].iter().all(Option::is_none)
    }
}

/// A type that the `#[field(dynamic)]` field of a `derive(Output)` struct may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the `#[field(dynamic)]` field of a `derive(Output)` struct",
    note = "it is `&'a [Cell]`, a row made once in `Prepare::prepare`, or `Vec<Cell>` or `Texts<'a>`, made for the event"
)]
pub trait Cells<'a> {
    #[doc(hidden)]
    fn write<const N: usize>(self, fixed: [Put; N], writer: &mut Writer<'a>);
}

impl<'a, 'b: 'a> Cells<'a> for &'b [Cell] {
    #[inline(always)]
    fn write<const N: usize>(self, fixed: [Put; N], writer: &mut Writer<'a>) {
        writer.event(fixed, self);
    }
}

impl<'a> Cells<'a> for Vec<Cell> {
    #[inline]
    fn write<const N: usize>(self, fixed: [Put; N], writer: &mut Writer<'a>) {
        writer.event_of_its_own(fixed, &self);
    }
}

impl<'a, 'b: 'a> Cells<'a> for Texts<'b> {
    #[inline]
    fn write<const N: usize>(self, fixed: [Put; N], writer: &mut Writer<'a>) {
        writer.event_of_texts(fixed, &self.texts[..self.len]);
    }
}

/// A type that a field of a `derive(Output)` struct may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a `derive(Output)` struct",
    label = "not a type of a written field",
    note = "a written field is `&'a str`, `String`, `Cow<'a, str>`, `i64`, `f64`, `bool`, `Json<'a>` or `Timestamp`, or an `Option` or `Write` of one of these"
)]
pub trait Written<'a> {
    #[doc(hidden)]
    const KIND: Kind;
    #[doc(hidden)]
    fn put(self, writer: &mut Writer<'a>) -> Put;
}

macro_rules! written {
    ($type:ty, $kind:ident, $self:ident, $writer:ident => $slot:expr) => {
        impl<'a> Written<'a> for $type {
            const KIND: Kind = Kind::$kind;
            #[inline(always)]
            fn put($self, $writer: &mut Writer<'a>) -> Put {
                Put::Value($slot)
            }
        }
    };
}

written!(String, Text, self, writer => writer.copy_text(&self));
written!(i64, Integer, self, _writer => self as u64);
written!(f64, Float, self, _writer => self.to_bits());
written!(bool, Boolean, self, _writer => u64::from(self));
written!(Timestamp, Text, self, writer => writer.timestamp(self.ns));

// A constant's lifetime may be longer than the batch's.
impl<'a, 'b: 'a> Written<'a> for &'b str {
    const KIND: Kind = Kind::Text;
    #[inline(always)]
    fn put(self, writer: &mut Writer<'a>) -> Put {
        Put::Value(writer.text(self))
    }
}

impl<'a, 'b: 'a> Written<'a> for Json<'b> {
    const KIND: Kind = Kind::Json;
    #[inline(always)]
    fn put(self, writer: &mut Writer<'a>) -> Put {
        Put::Value(writer.text(self.0))
    }
}

impl<'a, 'b: 'a> Written<'a> for Cow<'b, str> {
    const KIND: Kind = Kind::Text;
    #[inline(always)]
    fn put(self, writer: &mut Writer<'a>) -> Put {
        Put::Value(match self {
            Cow::Borrowed(text) => writer.text(text),
            Cow::Owned(text) => writer.copy_text(&text),
        })
    }
}

impl<'a, T: Written<'a>> Written<'a> for Option<T> {
    const KIND: Kind = T::KIND;
    #[inline(always)]
    fn put(self, writer: &mut Writer<'a>) -> Put {
        self.map_or(Put::Keep, |value| value.put(writer))
    }
}

impl<'a, T: Written<'a>> Written<'a> for Write<T> {
    const KIND: Kind = T::KIND;
    #[inline(always)]
    fn put(self, writer: &mut Writer<'a>) -> Put {
        match self {
            Write::Keep => Put::Keep,
            Write::Null => Put::Null,
            Write::Value(value) => value.put(writer),
        }
    }
}
