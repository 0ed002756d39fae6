//! Rows between encoder and request: the event's offset, an id where it has one of its own, and the JSON document as the rest.

use std::sync::Arc;

use wasmill_core::{Batch, FieldKind, ProjectionBuilder, Rejection, State};

use super::TOO_LARGE;
use crate::config::From;
use crate::delivery::Rows;
use crate::lines::append_on_one_line;
use crate::process::refusal;

/// Makes rows, on the engine thread.
#[derive(Debug)]
pub struct DocumentEncoder {
    bytes_max: usize,
    /// Of alerts: the column of their id.
    alert_id: Option<usize>,
}

/// A row's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document<'r> {
    pub(super) offset: i64,
    pub(super) id: &'r [u8],
    pub(super) json: &'r [u8],
}

impl DocumentEncoder {
    /// Of documents that have at most so many bytes; asks `projection` for what it needs.
    pub fn bind(bytes_max: usize, from: From, projection: &mut ProjectionBuilder) -> Self {
        let id = || "id".parse().expect("a plain key is a path");
        let alert_id = (from == From::Alerts).then(|| projection.column(Some(&id()), FieldKind::Text));
        Self { bytes_max, alert_id }
    }

    /// A row for each of `events` that is small enough; with them the others.
    pub fn encode(&self, batch: &Batch, events: &[u32], sink: &Arc<str>) -> (Rows, Vec<Rejection>) {
        let (mut rows, mut refused) = (Rows::default(), Vec::new());
        for event in events {
            let start = rows.bytes.len();
            let id = self.alert_id.map_or(b"".as_slice(), |column| {
                let (state, slot) = batch.cell(*event, column);
                if state.state() == State::Present { batch.text_of(slot) } else { b"" }
            });
            begin(&mut rows.bytes, batch.raw.records()[*event as usize].offset, id);
            let json = rows.bytes.len();
            append_on_one_line(&mut rows.bytes, &batch.payload(*event));
            let bytes = rows.bytes.len() - json;
            if bytes > self.bytes_max {
                rows.bytes.truncate(start);
                let reason = format!("the event has {bytes} bytes, and a request takes {}", self.bytes_max);
                refused.push(refusal(*event, sink, TOO_LARGE, reason));
            } else {
                rows.finish_row(*event);
            }
        }
        (rows, refused)
    }
}

/// Begins a row: whatever is appended from here on is its document, on one line.
pub(super) fn begin(row: &mut Vec<u8>, offset: i64, id: &[u8]) {
    let id = &id[..id.len().min(usize::from(u8::MAX))];
    row.extend_from_slice(&offset.to_le_bytes());
    row.push(u8::try_from(id.len()).expect("it was just cut"));
    row.extend_from_slice(id);
}

/// A row's parts.
///
/// # Panics
/// When the row was not made here.
pub(super) fn read(row: &[u8]) -> Document<'_> {
    let (offset, rest) = row.split_first_chunk().expect("rows are made by `begin`");
    let (length, rest) = rest.split_first().expect("rows are made by `begin`");
    let (id, json) = rest.split_at(usize::from(*length));
    Document { offset: i64::from_le_bytes(*offset), id, json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_read_as_it_was_written() {
        for (offset, id, json) in
            [(0, b"".as_slice(), b"{}".as_slice()), (i64::MAX, b"0af", b"{\"a\":1}"), (-1, &[b'x'; 255], b"")]
        {
            let mut row = Vec::new();
            begin(&mut row, offset, id);
            row.extend_from_slice(json);
            assert_eq!(read(&row), Document { offset, id, json });
        }
    }
}
