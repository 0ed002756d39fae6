//! Why a column does not take a value, in a sentence.

use std::fmt;

use crate::config::{ColumnType, ValueFrom};

use super::TypedColumn;

/// The most characters of a value that a sentence shows.
const SHOWN_CHARS_MAX: usize = 60;

/// Why an event does not fit a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A short stable word, such as `wrong_type`.
    pub code: &'static str,
    /// A sentence with column, origin and shortened value.
    pub reason: String,
}

/// A refusal of `column`: `what` completes the sentence that begins with the column's name, type and origin.
#[cold]
pub(super) fn refuse(column: &TypedColumn, code: &'static str, what: impl fmt::Display) -> Refusal {
    let reason =
        format!("column {} ({}) from {}: {what}", column.name, type_name(column.column_type), origin_of(&column.from));
    Refusal { code, reason }
}

/// The refusal of an event that lacks a value.
#[cold]
pub(super) fn missing(column: &TypedColumn) -> Refusal {
    refuse(column, "missing_value", "the event has no value, and the column takes no null")
}

/// A value as sentences show it: quoted, its beginning only, control characters escaped.
pub(super) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(4 * SHOWN_CHARS_MAX)]);
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_CHARS_MAX || value.len() > 4 * SHOWN_CHARS_MAX {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// A type by PostgreSQL's name for it, as it stands in SQL.
pub fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::SmallInt => "smallint",
        ColumnType::Integer => "integer",
        ColumnType::BigInt => "bigint",
        ColumnType::Real => "real",
        ColumnType::Double => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::TimestampTz => "timestamptz",
        ColumnType::Uuid => "uuid",
        ColumnType::Inet => "inet",
        ColumnType::Jsonb => "jsonb",
        ColumnType::Bytea => "bytea",
        ColumnType::TextArray => "text[]",
    }
}

/// Where a value comes from, as the configuration writes it.
pub(super) fn origin_of(from: &ValueFrom) -> String {
    match from {
        ValueFrom::Path(path) => path.to_string(),
        ValueFrom::Raw => "$raw".into(),
        ValueFrom::Payload => "$payload".into(),
        ValueFrom::Key => "$key".into(),
        ValueFrom::Topic => "$topic".into(),
        ValueFrom::Partition => "$partition".into(),
        ValueFrom::Offset => "$offset".into(),
        ValueFrom::Timestamp => "$timestamp".into(),
        ValueFrom::Header(name) => format!("$headers.{name}"),
        ValueFrom::Digest => "$digest".into(),
        ValueFrom::Skipped => "$skipped".into(),
    }
}
