//! What the operator writes.

use std::collections::BTreeMap;

use wasmill_sdk::Scalar;

/// The whole config; `README.md` has it as a table.
#[derive(wasmill_sdk::Config)]
pub struct Config {
    /// Checks by the path of their field.
    #[config(default)]
    pub(crate) fields: BTreeMap<String, FieldConfig>,
    /// An event that matches one of these is dropped.
    #[config(default)]
    pub(crate) drop: Vec<DropConfig>,
}

/// The checks of one field.
#[derive(Default, wasmill_sdk::Config)]
#[config(default)]
pub(crate) struct FieldConfig {
    pub(crate) required: bool,
    #[config(rename = "type")]
    pub(crate) ty: Option<Type>,
    pub(crate) one_of: Option<Vec<String>>,
    pub(crate) ignore_case: bool,
    pub(crate) min_chars: Option<usize>,
    pub(crate) max_chars: Option<usize>,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) control_characters: Option<ControlCharacters>,
    pub(crate) timestamp: Option<TimestampConfig>,
}

impl FieldConfig {
    /// Whether a check is set that only text can fail.
    pub(crate) fn is_about_text(&self) -> bool {
        self.one_of.is_some()
            || self.min_chars.is_some()
            || self.max_chars.is_some()
            || self.max_bytes.is_some()
            || self.control_characters.is_some()
    }
}

/// What a field must hold.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum Type {
    Any,
    Text,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
}

/// Which control characters text may have.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum ControlCharacters {
    Allow,
    /// Tab, line feed and carriage return pass.
    AllowWhitespace,
    Reject,
}

/// A field that holds a time.
#[derive(wasmill_sdk::Config)]
pub(crate) struct TimestampConfig {
    pub(crate) format: Format,
    pub(crate) max_past: Option<String>,
    pub(crate) max_future: Option<String>,
    pub(crate) earliest_year: Option<u16>,
    pub(crate) latest_year: Option<u16>,
}

/// How a time is written.
#[derive(Clone, Copy, PartialEq, Eq, wasmill_sdk::Config)]
pub(crate) enum Format {
    Rfc3339,
    EpochMs,
    Either,
}

/// A rule for events that nobody wants.
#[derive(wasmill_sdk::Config)]
pub(crate) struct DropConfig {
    pub(crate) field: String,
    pub(crate) equals: Option<Scalar>,
    pub(crate) one_of: Option<Vec<Scalar>>,
}
