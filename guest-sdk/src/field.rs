//! What a plugin reads and writes: paths into the payload and what they hold.

use std::borrow::Cow;

/// What a field holds, and so how its slot is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// UTF-8 text, unescaped.
    Text,
    /// A signed 64-bit integer.
    Integer,
    /// A 64-bit float; a JSON integer is widened.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Any JSON value, as its raw token.
    Json,
    /// The event's whole payload.
    Raw,
}

impl Kind {
    /// The kind in a sentence for people: "text", "an integer", ...
    pub const fn noun(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "an integer",
            Kind::Float => "a number",
            Kind::Boolean => "a boolean",
            Kind::Json => "a JSON value",
            Kind::Raw => "the payload",
        }
    }

    /// Whether the slot is a byte range in the batch's text.
    pub(crate) fn is_range(self) -> bool {
        matches!(self, Kind::Text | Kind::Json | Kind::Raw)
    }
}

/// Whether an event has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// The field, or a parent of it, is not there.
    Absent = 0,
    /// The field is `null`.
    Null = 1,
    /// The field has a value of the kind that was asked for.
    Present = 2,
    /// The field has a value of another kind.
    OtherType = 3,
}

impl State {
    /// From the two bits that cross the boundary.
    pub(crate) fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => State::Absent,
            1 => State::Null,
            2 => State::Present,
            _ => State::OtherType,
        }
    }
}

/// What the host finds out about a field's text before the plugin is called. The operator grants it.
///
/// ```
/// use wasmill_sdk::{Fields, Loaded, Lookup, Verdict};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     #[field(reverse_dns = "source.ip")]
///     name: Option<&'a str>,
/// }
///
/// #[wasmill_sdk::validator]
/// fn named(log: Log<'_>) -> Verdict {
///     if log.name.is_some() { Verdict::pass() } else { Verdict::drop() }
/// }
///
/// let plugin = Loaded::<named>::configure("{}").unwrap();
/// assert_eq!(plugin.manifest().reads[0].lookup, Some(Lookup::ReverseDns));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The name of the address that the field holds.
    ReverseDns,
}

/// A field that a plugin reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Keys joined by `.`; a dot or backslash inside a key is written with a backslash before it. Empty for [`Kind::Raw`].
    pub path: Cow<'static, str>,
    /// What it holds.
    pub kind: Kind,
    /// Validators only: the host rejects an event without it (code `missing_field`), and the plugin never sees that event.
    pub required: bool,
    /// It holds the answer to this look-up for the text at `path`, as the source's payload has it.
    pub lookup: Option<Lookup>,
}

impl Field {
    /// A field that may be absent.
    pub fn new(path: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Field { path: path.into(), kind, required: false, lookup: None }
    }

    /// The name of the address at `path`, a text: in lower case, of letters, digits, `-`, `_` and dots. It is absent where there is no
    /// name, none in time, or no address. The operator grants `reverse-dns`.
    pub fn reverse_dns(path: impl Into<Cow<'static, str>>) -> Self {
        Field { lookup: Some(Lookup::ReverseDns), ..Field::new(path, Kind::Text) }
    }

    /// The same field, required (validators only).
    #[must_use]
    pub fn required(self) -> Self {
        Field { required: true, ..self }
    }
}

/// A field known at compile time, as the derives write it down.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct FixedField {
    pub path: &'static str,
    pub kind: Kind,
    pub required: bool,
    /// What a value that is read is, in a sentence for people.
    pub noun: &'static str,
    pub lookup: Option<Lookup>,
}

impl From<&FixedField> for Field {
    fn from(fixed: &FixedField) -> Self {
        let FixedField { path, kind, required, lookup, .. } = *fixed;
        Field { path: Cow::Borrowed(path), kind, required, lookup }
    }
}

/// Whether `path` is keys joined by `.`, none of them empty, each backslash before a dot or a backslash.
///
/// # Errors
/// A sentence that names what is wrong with it.
///
/// ```
/// use wasmill_sdk::check_path;
///
/// assert!(check_path(r"kubernetes.labels.app\.name").is_ok());
/// assert!(check_path("a..b").is_err());
/// ```
#[inline(never)]
pub fn check_path(path: &str) -> Result<(), String> {
    let mut key_is_empty = true;
    // Whatever matters here is ASCII.
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'.' if key_is_empty => break,
            b'.' => key_is_empty = true,
            b'\\' if !matches!(bytes.next(), Some(b'.' | b'\\')) => {
                return Err(format!("the path `{path}` has a backslash that is not before a dot or a backslash"));
            }
            _ => key_is_empty = false,
        }
    }
    if key_is_empty { Err(format!("the path `{path}` has an empty key")) } else { Ok(()) }
}
