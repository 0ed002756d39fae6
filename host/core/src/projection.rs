//! Which fields are read from every payload, and their extraction.

use std::sync::Arc;

use crate::{Batch, FieldKind, Path, RawBatch, Rejection};

/// One thing that is read from every payload. A (path, kind) pair is one column, whoever asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Where it stands; `None` only for [`FieldKind::Raw`].
    pub path: Option<Path>,
    /// What it holds.
    pub kind: FieldKind,
}

/// How an event's time is found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum EventTime {
    /// The record's own time.
    #[default]
    Record,
    /// A field: RFC 3339 text, or an integer of milliseconds since 1970. The record's time where it has neither.
    Field(Path),
}

/// The set of columns that plugins and sinks asked for, ready to be extracted.
#[derive(Debug)]
pub struct Projection {
    columns: Vec<Column>,
}

/// Collects columns, each (path, kind) once.
#[derive(Clone, Debug)]
pub struct ProjectionBuilder {
    columns: Vec<Column>,
    writes: Vec<Path>,
    event_time: EventTime,
    event_bytes_max: usize,
}

impl ProjectionBuilder {
    /// No column yet; payloads over `event_bytes_max` bytes are rejected (code `too_large`).
    pub fn new(event_time: EventTime, event_bytes_max: usize) -> Self {
        Self { columns: Vec::new(), writes: Vec::new(), event_time, event_bytes_max }
    }

    /// The index of the column for `path` and `kind`, made if it is not there.
    pub fn column(&mut self, path: Option<&Path>, kind: FieldKind) -> usize {
        let column = Column { path: path.cloned(), kind };
        self.columns.iter().position(|c| *c == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }

    /// Says that an enricher may write `path`, so that conflicts with the payload's shape are found.
    pub fn write(&mut self, path: &Path) {
        if !self.writes.contains(path) {
            self.writes.push(path.clone());
        }
    }

    /// The finished projection.
    pub fn build(self) -> Arc<Projection> {
        todo!("core helper: {:?} {:?} {}", self.writes, self.event_time, self.event_bytes_max)
    }
}

impl Projection {
    /// The columns in the order of a batch's cells.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Walks each payload once, the whole of it, and reads the columns. Events that cannot be taken are rejected and not live
    /// in the batch: `tombstone`, `empty`, `too_large`, `not_json` (with byte position), `not_an_object`, `too_deep`, `bad_utf8`,
    /// `lone_surrogate`, ...
    pub fn extract(self: &Arc<Self>, raw: RawBatch) -> (Batch, Vec<Rejection>) {
        todo!("core helper: {raw:?}")
    }
}
