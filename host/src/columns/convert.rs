//! From where a value stands to the column's type.

use std::str;

use serde::de::IgnoredAny;
use wasmill_core::{JsonType, SlotState, State};
use wasmill_expr::time::{TimeError, millis_to_micros, parse_rfc3339_micros};

use crate::config::ColumnType;

use super::json::{self, JsonFault};
use super::refusal::{refuse, shown};
use super::{BoundColumn, Event, Refusal, Source, TypedColumn, Value, text};
use super::{TIME_AFTER_RECORD_MAX_US, TIME_BEFORE_RECORD_MAX_US};

/// The value of `column` in `event`; nulls are not judged here.
#[inline]
pub(super) fn value<'e>(event: &'e Event<'_>, column: &'e BoundColumn) -> Result<Value<'e>, Refusal> {
    let (batch, index) = (event.reader.batch, event.index as usize);
    let typed = &column.typed;
    match &column.source {
        Source::Cell(cell) => {
            let (state, slot) = batch.cell(event.index, *cell);
            from_cell(event, typed, state, slot)
        }
        Source::Raw => batch.raw.payload(index).map_or(Ok(Value::Null), |payload| document(payload, typed)),
        Source::Payload => document(&event.reader.payload, typed),
        Source::Key => batch.raw.key(index).map_or(Ok(Value::Null), |key| foreign(event, key, typed, "bad_key")),
        Source::Header(name) => {
            let headers = batch.raw.headers(index);
            let header = headers.iter().rfind(|(found, _)| *found == &**name);
            header
                .and_then(|(_, value)| *value)
                .map_or(Ok(Value::Null), |value| foreign(event, value, typed, "bad_header"))
        }
        Source::Topic => plain_text(batch.raw.partition().topic.as_bytes(), typed),
        Source::Partition => integer(i64::from(batch.raw.partition().partition), typed),
        Source::Offset => integer(batch.raw.records()[index].offset, typed),
        Source::Timestamp if typed.column_type == ColumnType::BigInt => {
            Ok(Value::I64(batch.raw.records()[index].timestamp_ns.div_euclid(1_000_000)))
        }
        Source::Timestamp => in_window(event, record_micros(event), typed),
        Source::Digest if typed.column_type == ColumnType::Bytea => {
            Ok(Value::Bytes(event.reader.generation.as_bytes()))
        }
        Source::Digest => plain_text(event.reader.generation_hex.as_bytes(), typed),
        Source::Skipped => Ok(skipped(event)),
    }
}

/// The names of the plugins that the event passed by.
fn skipped<'e>(event: &Event<'_>) -> Value<'e> {
    let skipped = event.reader.batch.skipped_by(event.index);
    let names: Vec<_> = skipped.map(|plugin| Some(plugin.name.clone())).collect();
    if names.is_empty() { Value::Null } else { Value::TextArray(names) }
}

fn record_micros(event: &Event<'_>) -> i64 {
    event.reader.batch.raw.records()[event.index as usize].timestamp_ns.div_euclid(1_000)
}

#[inline]
fn from_cell<'e>(
    event: &'e Event<'_>,
    column: &TypedColumn,
    state: SlotState,
    slot: u64,
) -> Result<Value<'e>, Refusal> {
    match state.state() {
        State::Absent | State::Null => Ok(Value::Null),
        State::OtherType => of_other_type(event, column, state.json_type(), event.reader.batch.text_of(slot)),
        State::Present => match column.column_type {
            ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => integer(slot as i64, column),
            ColumnType::Real | ColumnType::Double => float(f64::from_bits(slot), column),
            ColumnType::Boolean => Ok(Value::Bool(slot == 1)),
            ColumnType::Jsonb => json_value(event.reader.batch.text_of(slot), column),
            ColumnType::TextArray => text_array(event.reader.batch.text_of(slot), column),
            ColumnType::Text if !event.reader.has_nul => limited(event.reader.batch.text_of(slot), column),
            _ => textual(event, event.reader.batch.text_of(slot), column),
        },
    }
}

/// A value of another JSON type than the column's own; `token` is its raw token, or the text of a string.
#[cold]
fn of_other_type<'e>(
    event: &'e Event<'_>,
    column: &TypedColumn,
    json_type: JsonType,
    token: &'e [u8],
) -> Result<Value<'e>, Refusal> {
    match (column.column_type, json_type) {
        (ColumnType::Text, _) => plain_text(token, column),
        (ColumnType::TimestampTz, JsonType::Integer) => millis(event, token, column),
        (ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt, JsonType::Float) if is_whole(token) => {
            Err(out_of_range(column, token))
        }
        (ColumnType::Real | ColumnType::Double, JsonType::Float | JsonType::Integer) => {
            Err(out_of_range(column, token))
        }
        _ => {
            let what = format!("{} is {}, which does not go into this column", shown(token), json_name(json_type));
            Err(refuse(column, "wrong_type", what))
        }
    }
}

/// Whether a number's token has neither fraction nor exponent: it is an integer beyond 64 bits then.
fn is_whole(token: &[u8]) -> bool {
    token.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
}

fn json_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Float => "a number with a fraction or exponent",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

#[cold]
fn out_of_range(column: &TypedColumn, token: &[u8]) -> Refusal {
    refuse(column, "out_of_range", format_args!("{} is beyond what the column can hold", shown(token)))
}

#[inline]
fn integer<'e>(number: i64, column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    let narrowed = match column.column_type {
        ColumnType::SmallInt => i16::try_from(number).map(Value::I16),
        ColumnType::Integer => i32::try_from(number).map(Value::I32),
        _ => Ok(Value::I64(number)),
    };
    narrowed.map_err(|_| out_of_range(column, number.to_string().as_bytes()))
}

#[inline]
fn float<'e>(number: f64, column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    let is_real = column.column_type == ColumnType::Real;
    let narrowed = number as f32;
    // As PostgreSQL's own cast: too large is refused, and too small to be told from zero as well.
    let fits = if is_real { narrowed.is_finite() && (narrowed != 0.0 || number == 0.0) } else { number.is_finite() };
    match (fits, is_real) {
        (true, true) => Ok(Value::F32(narrowed)),
        (true, false) => Ok(Value::F64(number)),
        (false, _) => Err(out_of_range(column, format!("{number:e}").as_bytes())),
    }
}

/// The whole payload; it was found to be valid JSON before.
fn document<'e>(payload: &'e [u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    match column.column_type {
        ColumnType::Jsonb => json_value(payload, column),
        ColumnType::Bytea => Ok(Value::Bytes(payload)),
        // JSON allows no raw control character, so it holds no NUL.
        _ => limited(payload, column),
    }
}

fn json_value<'e>(token: &'e [u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    match json::fault(token) {
        None => Ok(Value::Json(token)),
        Some(JsonFault::Nul) => Err(refuse(column, "nul_in_text", "a string holds \\u0000, which jsonb cannot store")),
        Some(JsonFault::Number) => Err(refuse(
            column,
            "out_of_range",
            "a number has more than 131072 digits before or 16383 after its decimal point",
        )),
    }
}

fn text_array<'e>(token: &[u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    let texts: Vec<Option<String>> = serde_json::from_slice(token)
        .map_err(|_| refuse(column, "wrong_type", format_args!("{} is no array of strings", shown(token))))?;
    match texts.iter().flatten().find(|text| text.contains('\0')) {
        Some(text) => Err(nul_in_text(column, text.as_bytes())),
        None => Ok(Value::TextArray(texts)),
    }
}

/// Text of the payload (UTF-8) for a column that is written as text in JSON.
#[inline]
fn textual<'e>(event: &Event<'_>, value: &'e [u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    match column.column_type {
        ColumnType::TimestampTz => timestamp(event, value, column),
        ColumnType::Uuid => text::uuid(value)
            .map(Value::Uuid)
            .ok_or_else(|| refuse(column, "bad_uuid", format_args!("{} is no UUID", shown(value)))),
        ColumnType::Inet => text::inet(value).map(Value::Inet).ok_or_else(|| {
            refuse(column, "bad_inet", format_args!("{} is no IP address, with or without a prefix", shown(value)))
        }),
        ColumnType::Bytea => Ok(Value::Bytes(value)),
        _ => plain_text(value, column),
    }
}

fn plain_text<'e>(value: &'e [u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    if value.contains(&0) {
        return Err(nul_in_text(column, value));
    }
    limited(value, column)
}

#[cold]
fn nul_in_text(column: &TypedColumn, value: &[u8]) -> Refusal {
    refuse(column, "nul_in_text", format_args!("{} holds a NUL, which the column cannot store", shown(value)))
}

/// Text without NUL, if it is not too long.
#[inline]
fn limited<'e>(value: &'e [u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    match column.length_max {
        Some(limit) if text::is_longer(value, limit) => {
            Err(refuse(column, "too_long", format_args!("{} has more than {limit} characters", shown(value))))
        }
        _ => Ok(Value::Text(value)),
    }
}

fn timestamp<'e>(event: &Event<'_>, value: &[u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    let text = str::from_utf8(value).map_err(|_| bad_timestamp(column, value, TimeError::Malformed))?;
    let micros = parse_rfc3339_micros(text).map_err(|error| bad_timestamp(column, value, error))?;
    in_window(event, micros, column)
}

/// Milliseconds since 1970, given as an integer.
fn millis<'e>(event: &Event<'_>, token: &[u8], column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    let text = str::from_utf8(token).unwrap_or_default();
    let millis = text.parse().map_err(|_| bad_timestamp(column, token, TimeError::OutOfRange))?;
    let micros = millis_to_micros(millis).map_err(|error| bad_timestamp(column, token, error))?;
    in_window(event, micros, column)
}

#[cold]
fn bad_timestamp(column: &TypedColumn, value: &[u8], error: TimeError) -> Refusal {
    refuse(column, "bad_timestamp", format_args!("{}: {error}", shown(value)))
}

#[inline]
fn in_window<'e>(event: &Event<'_>, micros: i64, column: &TypedColumn) -> Result<Value<'e>, Refusal> {
    if column.is_time {
        let ahead = micros.saturating_sub(record_micros(event));
        if micros < 0 || !(-TIME_BEFORE_RECORD_MAX_US..=TIME_AFTER_RECORD_MAX_US).contains(&ahead) {
            return Err(out_of_window(column, micros));
        }
    }
    Ok(Value::TimestampMicros(micros))
}

#[cold]
fn out_of_window(column: &TypedColumn, micros: i64) -> Refusal {
    let what = format_args!(
        "{} seconds since 1970 lie before 1970, over ten years before the record's own time or over a year after it; \
         the table would get a chunk for it alone",
        micros.div_euclid(1_000_000)
    );
    refuse(column, "timestamp_out_of_window", what)
}

/// Bytes that nobody has looked at yet: a key or a header's value, read as the text form of the column's type.
fn foreign<'e>(
    event: &Event<'_>,
    value: &'e [u8],
    column: &TypedColumn,
    code: &'static str,
) -> Result<Value<'e>, Refusal> {
    if column.column_type == ColumnType::Bytea {
        return Ok(Value::Bytes(value));
    }
    let text =
        str::from_utf8(value).map_err(|_| refuse(column, code, format_args!("{} is no UTF-8 text", shown(value))))?;
    let unfit = || refuse(column, "wrong_type", format_args!("{} does not go into this column", shown(value)));
    match column.column_type {
        ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => {
            integer(text.parse().map_err(|_| unfit())?, column)
        }
        ColumnType::Real | ColumnType::Double => float(text.parse().map_err(|_| unfit())?, column),
        ColumnType::Boolean => text.parse().map(Value::Bool).map_err(|_| unfit()),
        ColumnType::Jsonb => {
            serde_json::from_str::<IgnoredAny>(text).map_err(|_| unfit())?;
            json_value(value, column)
        }
        ColumnType::TimestampTz if !text.is_empty() && is_whole(value) => millis(event, value, column),
        _ => textual(event, value, column),
    }
}
