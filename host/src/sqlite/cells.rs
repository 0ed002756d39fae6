//! Rows for SQLite: values in a compact form of our own from the engine thread to the transaction.
//!
//! A row is its cells back to back: a tag byte, then 8 bytes (little endian) for numbers, or a length (4 bytes, little endian)
//! and that many bytes for text and blobs. SQLite has no types of its own for the rest: times are RFC 3339 text in UTC,
//! booleans 0 and 1, UUIDs, addresses, JSON and text arrays text.

use std::fmt::Write;
use std::str;
use std::sync::Arc;

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use wasmill_core::{Batch, Digest, ProjectionBuilder, Rejection};
use wasmill_expr::time::format_rfc3339_micros;

use crate::columns::{BindError, BoundColumns, Refusal, TypedColumn, Value};
use crate::delivery::Rows;
use crate::process::refusal;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const FLOAT: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Makes rows of a batch's events.
#[derive(Debug)]
pub struct CellEncoder {
    columns: BoundColumns,
}

impl CellEncoder {
    /// Asks `projection` for the fields that the columns need.
    ///
    /// # Errors
    /// When a column's type does not suit where its value comes from.
    pub fn bind(columns: &[TypedColumn], projection: &mut ProjectionBuilder) -> Result<Self, BindError> {
        Ok(Self { columns: BoundColumns::bind(columns, projection)? })
    }

    /// A row for each of `events`; with them those that do not fit.
    pub fn encode(
        &self,
        batch: &Batch,
        events: &[u32],
        generation: &Digest,
        sink: &Arc<str>,
    ) -> (Rows, Vec<Rejection>) {
        let mut rows = Rows::default();
        let mut refused = Vec::new();
        let mut reader = self.columns.reader(batch, generation);
        for event in events {
            let start = rows.bytes.len();
            let row = reader.event(*event);
            let encoded = (0..self.columns.len()).try_for_each(|column| {
                append(&mut rows.bytes, &row.value(column)?);
                Ok(())
            });
            match encoded {
                Ok(()) => rows.finish_row(*event),
                Err(Refusal { code, reason }) => {
                    rows.bytes.truncate(start);
                    refused.push(refusal(*event, sink, code, reason));
                }
            }
        }
        (rows, refused)
    }
}

fn append(cells: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => cells.push(NULL),
        Value::Bool(value) => integer(cells, i64::from(*value)),
        Value::I16(value) => integer(cells, i64::from(*value)),
        Value::I32(value) => integer(cells, i64::from(*value)),
        Value::I64(value) => integer(cells, *value),
        Value::F32(value) => float(cells, f64::from(*value)),
        Value::F64(value) => float(cells, *value),
        Value::Text(text) | Value::Json(text) => bytes(cells, TEXT, text),
        Value::Bytes(blob) => bytes(cells, BLOB, blob),
        Value::TimestampMicros(micros) => bytes(cells, TEXT, format_rfc3339_micros(*micros).as_str().as_bytes()),
        Value::Uuid(uuid) => bytes(cells, TEXT, hyphenated(uuid).as_bytes()),
        Value::Inet(inet) => {
            let full = if inet.address.is_ipv4() { 32 } else { 128 };
            let text = match inet.prefix {
                prefix if prefix == full => inet.address.to_string(),
                prefix => format!("{}/{prefix}", inet.address),
            };
            bytes(cells, TEXT, text.as_bytes());
        }
        Value::TextArray(texts) => {
            let json = serde_json::to_vec(texts).expect("texts and nulls always serialize");
            bytes(cells, TEXT, &json);
        }
    }
}

fn integer(cells: &mut Vec<u8>, value: i64) {
    cells.push(INTEGER);
    cells.extend_from_slice(&value.to_le_bytes());
}

fn float(cells: &mut Vec<u8>, value: f64) {
    cells.push(FLOAT);
    cells.extend_from_slice(&value.to_le_bytes());
}

fn bytes(cells: &mut Vec<u8>, tag: u8, value: &[u8]) {
    cells.push(tag);
    cells.extend_from_slice(&(value.len() as u32).to_le_bytes());
    cells.extend_from_slice(value);
}

fn hyphenated(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (n, byte) in uuid.iter().enumerate() {
        let hyphen = if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{hyphen}{byte:02x}");
    }
    text
}

/// Binds the cells of one row to the next parameters of `query`.
pub(super) fn bind_row<'q>(
    query: Query<'q, Sqlite, SqliteArguments<'q>>,
    row: &'q [u8],
) -> Query<'q, Sqlite, SqliteArguments<'q>> {
    let mut query = query;
    let mut rest = row;
    while let Some((tag, cell)) = rest.split_first() {
        (query, rest) = bind_cell(query, *tag, cell);
    }
    query
}

fn bind_cell<'q>(
    query: Query<'q, Sqlite, SqliteArguments<'q>>,
    tag: u8,
    cell: &'q [u8],
) -> (Query<'q, Sqlite, SqliteArguments<'q>>, &'q [u8]) {
    const OURS: &str = "rows are read as they were written";
    match tag {
        NULL => (query.bind(None::<i64>), cell),
        INTEGER | FLOAT => {
            let (number, rest) = cell.split_first_chunk::<8>().expect(OURS);
            let query = match tag {
                INTEGER => query.bind(i64::from_le_bytes(*number)),
                _ => query.bind(f64::from_le_bytes(*number)),
            };
            (query, rest)
        }
        _ => {
            let (length, rest) = cell.split_first_chunk::<4>().expect(OURS);
            let (value, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            let query = match tag {
                TEXT => query.bind(str::from_utf8(value).expect("text cells are UTF-8")),
                _ => query.bind(value),
            };
            (query, rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_is_written_with_hyphens() {
        let uuid: [u8; 16] = std::array::from_fn(|n| n as u8);
        assert_eq!(hyphenated(&uuid), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
