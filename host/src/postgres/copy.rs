//! Rows of a batch in COPY BINARY form, made on the engine threads.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmill_core::{Batch, Digest, Rejection, Stage};

use crate::columns::{BoundColumns, Event, Refusal};
use crate::delivery::Rows;

use super::binary;

/// Encodes batches for one table.
#[derive(Debug)]
pub struct CopyEncoder {
    columns: BoundColumns,
    /// By column: whether it is jsonb and not json.
    jsonb: Vec<bool>,
    /// About how many bytes a row of the last batch had, so that the next one is not moved while it grows.
    row_bytes: AtomicUsize,
}

impl CopyEncoder {
    pub(super) fn new(columns: BoundColumns, jsonb: Vec<bool>) -> Self {
        Self { columns, jsonb, row_bytes: AtomicUsize::new(0) }
    }

    /// The rows of `events` (indices of `batch`, rising), which ran in `generation`, and a rejection for each event that
    /// does not fit the columns of `sink`.
    pub fn encode(
        &self,
        batch: &Batch,
        events: &[u32],
        generation: &Digest,
        sink: &Arc<str>,
    ) -> (Rows, Vec<Rejection>) {
        let mut rows = Rows::default();
        rows.ends.reserve(events.len());
        rows.events.reserve(events.len());
        rows.bytes.reserve(self.row_bytes.load(Ordering::Relaxed) * events.len());
        let mut rejections = Vec::new();
        let mut reader = self.columns.reader(batch, generation);
        for &event in events {
            let start = rows.bytes.len();
            match self.row(&reader.event(event), &mut rows.bytes) {
                Ok(()) => rows.finish_row(event),
                Err(refusal) => {
                    rows.bytes.truncate(start);
                    rows.refused += 1;
                    rejections.push(rejection(event, refusal, sink));
                }
            }
        }
        if !rows.is_empty() {
            self.row_bytes.store(rows.bytes.len() / rows.len() * 17 / 16, Ordering::Relaxed);
        }
        (rows, rejections)
    }

    #[inline]
    fn row(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        binary::begin_row(self.jsonb.len() as u16, out);
        for (column, jsonb) in self.jsonb.iter().enumerate() {
            match event.value(column) {
                Ok(ref value) => binary::value(value, *jsonb, out),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }
}

#[cold]
fn rejection(event: u32, refusal: Refusal, sink: &Arc<str>) -> Rejection {
    Rejection {
        event,
        stage: Stage::Sink,
        plugin: None,
        sink: Some(Arc::clone(sink)),
        code: Cow::Borrowed(refusal.code),
        reason: refusal.reason,
    }
}
