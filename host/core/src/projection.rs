//! Which fields are read from every payload, and their extraction.

use std::sync::Arc;

use crate::batch::UNSET;
use crate::fault::Fault;
use crate::row::{Place, Row, TextArena};
use crate::scan::Scanner;
use crate::trie::{Target, Trie};
use crate::writes::Writes;
use crate::{Batch, FieldKind, Format, Lookup, Path, RawBatch, Rejection, SlotState};

/// So many cells are cleared at once, or one row.
const CELLS_AHEAD: usize = 256;

/// One thing that is read from every payload. A (path, kind) pair is one column, whoever asks for it. The answers of a look-up are a
/// column too, which is absent until [`Batch::answer`] fills it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Where it stands; `None` only for [`FieldKind::Raw`].
    pub path: Option<Path>,
    /// What it holds.
    pub kind: FieldKind,
    /// It holds the answers to this look-up for the texts at the path.
    pub lookup: Option<Lookup>,
}

/// A look-up: where its questions stand, and where its answers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupColumns {
    /// What is looked up.
    pub lookup: Lookup,
    /// The column of the texts that it is asked for.
    pub asked: usize,
    /// The column of the answers.
    pub answers: usize,
}

/// How an event's time is found. What enrichers write does not change it.
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
    trie: Trie,
    raw_columns: Vec<usize>,
    format: Format,
    event_bytes_max: usize,
    writes: Writes,
}

/// Collects columns, each (path, kind) once.
#[derive(Clone, Debug)]
pub struct ProjectionBuilder {
    columns: Vec<Column>,
    writes: Vec<Path>,
    event_time: EventTime,
    format: Format,
    event_bytes_max: usize,
}

impl ProjectionBuilder {
    /// No column yet; payloads over `event_bytes_max` bytes are rejected (code `too_large`).
    pub fn new(event_time: EventTime, event_bytes_max: usize) -> Self {
        Self { columns: Vec::new(), writes: Vec::new(), event_time, format: Format::Json, event_bytes_max }
    }

    /// Says what the payloads are, where that is not JSON.
    pub fn format(&mut self, format: Format) {
        self.format = format;
    }

    /// The index of the column for `path` and `kind`, made if it is not there.
    ///
    /// # Panics
    /// When there is no path though `kind` is not [`FieldKind::Raw`], or there is one though it is.
    pub fn column(&mut self, path: Option<&Path>, kind: FieldKind) -> usize {
        assert_eq!(path.is_none(), kind == FieldKind::Raw, "all columns but raw ones have a path");
        self.column_of(Column { path: path.cloned(), kind, lookup: None })
    }

    /// The index of the column for the answers to a look-up of the text at `path`, made if it is not there. The text is read too.
    pub fn lookup(&mut self, path: &Path, lookup: Lookup) -> usize {
        self.column(Some(path), FieldKind::Text);
        self.column_of(Column { path: Some(path.clone()), kind: FieldKind::Text, lookup: Some(lookup) })
    }

    fn column_of(&mut self, column: Column) -> usize {
        self.columns.iter().position(|c| *c == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }

    /// Says that an enricher may write `path`: only such paths can be given to [`Batch::apply`].
    pub fn write(&mut self, path: &Path) {
        if !self.writes.contains(path) {
            self.writes.push(path.clone());
        }
    }

    /// The finished projection.
    pub fn build(self) -> Arc<Projection> {
        let writes = Writes::new(&self.writes, &self.columns);
        let mut trie = Trie::new();
        for (target, path) in cells(&self.columns) {
            trie.add(path.keys(), target);
        }
        if let EventTime::Field(path) = &self.event_time {
            trie.add(path.keys(), Target::Time);
        }
        writes.add_places(&mut trie);
        let raw = |column: &usize| self.columns[*column].path.is_none();
        Arc::new(Projection {
            raw_columns: (0..self.columns.len()).filter(raw).collect(),
            columns: self.columns,
            trie,
            format: self.format,
            event_bytes_max: self.event_bytes_max,
            writes,
        })
    }
}

/// The columns that are read at a path, as targets of a trie.
pub(crate) fn cells(columns: &[Column]) -> impl Iterator<Item = (Target, &Path)> {
    columns.iter().enumerate().filter(|(_, column)| column.lookup.is_none()).filter_map(|(index, column)| {
        let index = u32::try_from(index).expect("far fewer columns than 2^32 are configured");
        Some((Target::Cell { kind: column.kind, column: index }, column.path.as_ref()?))
    })
}

impl Projection {
    /// The columns in the order of a batch's cells.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The look-ups whose answers are columns.
    pub fn lookups(&self) -> Vec<LookupColumns> {
        let asked = |path: &Option<Path>| {
            let text =
                |column: &Column| column.kind == FieldKind::Text && column.lookup.is_none() && column.path == *path;
            self.columns.iter().position(text).expect("the column of the text is made with that of the answers")
        };
        let with_answers = self.columns.iter().enumerate();
        with_answers
            .filter_map(|(answers, column)| {
                Some(LookupColumns { lookup: column.lookup?, asked: asked(&column.path), answers })
            })
            .collect()
    }

    pub(crate) fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Walks each payload once, the whole of it, and reads the columns. Events that cannot be taken are not live in the
    /// batch but rejected, in event order, with a reason that names the byte:
    ///
    /// | code | the payload |
    /// |---|---|
    /// | `tombstone` | is not there (a Kafka record whose value is null) |
    /// | `empty` | has no byte, or nothing but white space |
    /// | `too_large` | has more bytes than allowed, or was cut by its source |
    /// | `bad_utf8` | is not UTF-8 |
    /// | `not_json` | is not JSON, or something follows its object |
    /// | `truncated` | ends before its JSON does |
    /// | `not_an_object` | is JSON, but no object |
    /// | `too_deep` | nests more than [`crate::DEPTH_MAX`] objects and arrays |
    /// | `lone_surrogate` | has an escape that is half of a surrogate pair |
    ///
    /// Numbers are integers when they have no fraction and no exponent and fit 64 bits (`-0` is 0); all others are floats,
    /// rounded correctly; one beyond the floats' range is of another type in a float column.
    ///
    /// Of [`Format::Text`] an event's document is the object made of its text; only `tombstone`, `too_large` and `bad_utf8` are
    /// left of these rejections, and of white space is made a message of white space.
    pub fn extract(self: &Arc<Self>, mut raw: RawBatch) -> (Batch, Vec<Rejection>) {
        if self.format == Format::Text {
            raw.read_as_text(self.event_bytes_max);
        }
        let (columns, places) = (self.columns.len(), self.writes.places());
        // Rows are cleared some at a time, so that they are at hand when they are filled.
        let rows_ahead = (CELLS_AHEAD / columns.max(1)).max(1);
        let mut cleared = 0;
        let mut slots = Vec::with_capacity(raw.len() * columns);
        let mut states = Vec::with_capacity(raw.len() * columns);
        let mut place_rows = Vec::with_capacity(raw.len() * places);
        // The payloads' bytes are more than most texts need; what is not needed is never touched.
        let mut text = TextArena::with_room(raw.bytes() * (1 + self.raw_columns.len()));
        let mut times = Vec::with_capacity(raw.len());
        let mut live = Vec::with_capacity(raw.len());
        let mut rejections = Vec::new();
        let mut scanner = Scanner::new(&self.trie);
        for (event, record) in raw.records().iter().enumerate() {
            let text_before = text.len();
            if event == cleared {
                cleared = (event + rows_ahead).min(raw.len());
                slots.resize(cleared * columns, UNSET);
                states.resize(cleared * columns, SlotState::ABSENT);
                place_rows.resize(cleared * places, Place::ABSENT);
            }
            let mut row = Row {
                slots: &mut slots[event * columns..][..columns],
                states: &mut states[event * columns..][..columns],
                places: &mut place_rows[event * places..][..places],
                time_ns: None,
                text: &mut text,
            };
            match self.extract_event(&raw, event, &mut scanner, &mut row) {
                Ok(()) => {
                    live.push(event as u32);
                    times.push(row.time_ns.unwrap_or(record.timestamp_ns));
                }
                Err(fault) => {
                    row.states.fill(SlotState::ABSENT);
                    row.places.fill(Place::ABSENT);
                    text.truncate(text_before);
                    times.push(record.timestamp_ns);
                    rejections.push(fault.reject(event as u32));
                }
            }
        }
        let text = text.into_bytes();
        (Batch::extracted(raw, self.clone(), live, text, slots, states, place_rows, times), rejections)
    }

    #[inline]
    fn extract_event(
        &self,
        raw: &RawBatch,
        event: usize,
        scanner: &mut Scanner<'_>,
        row: &mut Row<'_>,
    ) -> Result<(), Fault> {
        let document = self.document(raw, event)?;
        scanner.object(document, row)?;
        for &column in &self.raw_columns {
            row.raw(column, document);
        }
        if row.text.overflowed() { Err(Fault::TooMuchText) } else { Ok(()) }
    }

    #[inline]
    fn document<'r>(&self, raw: &'r RawBatch, event: usize) -> Result<&'r [u8], Fault> {
        let payload = raw.payload(event).ok_or(Fault::Tombstone)?;
        let cut_from = raw.records()[event].cut_from;
        if cut_from.is_some() || payload.len() > self.event_bytes_max {
            let length = cut_from.unwrap_or(payload.len() as u64);
            return Err(Fault::TooLarge { length, limit: self.event_bytes_max as u64 });
        }
        match self.format {
            Format::Json if payload.is_empty() => Err(Fault::Empty),
            Format::Json => Ok(payload),
            Format::Text => raw.document(event).ok_or_else(|| no_text(payload)),
        }
    }
}

fn no_text(payload: &[u8]) -> Fault {
    Fault::BadUtf8 { at: std::str::from_utf8(payload).map_or_else(|error| error.valid_up_to(), str::len) }
}
