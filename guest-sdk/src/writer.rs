//! The columns that an enricher writes, appended event by event.

use crate::field::{Kind, State};
use crate::output::Cell;
use crate::time;

/// The written fields of a batch, as they cross the boundary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The bytes that text slots are ranges of.
    pub text: Vec<u8>,
    /// Event e's written field f is slot `e * writes + f`.
    pub slots: Vec<u64>,
    /// Two bits per slot: 0 keeps the event's field, 1 writes null, 2 writes the value. Empty: all are written.
    pub states: Vec<u64>,
}

/// What is written to a field.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Keep,
    Null,
    /// By its slot.
    Value(u64),
}

impl Put {
    #[inline(always)]
    fn slot(self) -> u64 {
        if let Put::Value(slot) = self { slot } else { 0 }
    }

    #[inline(always)]
    fn is_value(self) -> bool {
        matches!(self, Put::Value(_))
    }
}

/// Where the derive of [`Output`](crate::Output) writes to.
///
/// Text that lives as long as the batch (`'a`) is known by its address, which cannot hold other bytes meanwhile: what was
/// written lately is not stored again. So a constant, or a look-up table's value, takes its bytes once in a batch. Rows of
/// cells are known the same way, so that their slots are only copied.
#[derive(Debug)]
pub struct Writer<'a> {
    kinds: &'a [Kind],
    columns: Columns,
    /// Events left as they are whose slots are still to be noted: in most batches of some plugins that is every event.
    kept: usize,
    texts: [Recent<'a, str>; TEXTS],
    rows: [Recent<'a, [Cell]>; ROWS],
    /// The slots of each row of `rows`, in pairs, that are copied as vectors; empty until there is a row.
    row_slots: Vec<[u64; 2]>,
    times: time::Writer,
}

/// Texts remembered, by address. Enough for the constants and the common values of a look-up table; 64 of 16 bytes are one
/// kilobyte, which a fresh instance touches anyway.
const TEXTS: usize = 1 << 6;

/// Rows of cells remembered, by address.
const ROWS: usize = 1 << 5;

/// Places looked at for a text.
const PROBES: usize = 4;

/// Where something is remembered: Fibonacci hashing of its address, of whose 32 bits the upper ones are a place.
#[inline(always)]
fn place<T: ?Sized>(what: &T, places: usize) -> usize {
    let hash = (std::ptr::from_ref(what).cast::<u8>() as usize as u32).wrapping_mul(0x9e37_79b1);
    (hash >> (32 - places.trailing_zeros())) as usize
}

/// Something remembered.
#[derive(Debug)]
struct Recent<'a, T: ?Sized> {
    what: &'a T,
    /// A text's slot; of a row whether it has a value for every field.
    note: u64,
}

/// Bytes of text to begin with, per event and in all: a time for each event and some constants, so that nothing is moved.
const TEXT_PER_EVENT: usize = 32;
const TEXT_OF_BATCH: usize = 4 << 10;

impl<'a> Writer<'a> {
    /// For `events` events with one written field per kind.
    pub(crate) fn new(events: usize, kinds: &'a [Kind]) -> Self {
        let text = Vec::with_capacity(events * TEXT_PER_EVENT + TEXT_OF_BATCH);
        let slots = Vec::with_capacity(events * kinds.len() + 1); // a pair may be more than what is left of the last row
        Writer {
            kinds,
            columns: Columns { text, slots, states: Vec::new() },
            kept: 0,
            texts: [const { Recent { what: "", note: 0 } }; TEXTS],
            rows: [const { Recent { what: &[], note: 0 } }; ROWS],
            row_slots: Vec::new(),
            times: time::Writer::default(),
        }
    }

    pub(crate) fn finish(mut self) -> Columns {
        if self.kept > 0 {
            self.note_kept();
        }
        assert!(u32::try_from(self.columns.text.len()).is_ok(), "a batch's written text is over 4 GiB");
        let mut columns = self.columns;
        if !columns.states.is_empty() {
            columns.states.resize(columns.slots.len().div_ceil(32), ALL_PRESENT);
        }
        columns
    }

    /// Leaves all fields of the event as they are.
    #[inline(always)]
    pub(crate) fn keep_event(&mut self) {
        self.kept += 1;
    }

    /// Notes the slots of the events that were kept since the last one that was written, a word of states at a time.
    #[inline(never)]
    fn note_kept(&mut self) {
        let mut slot = self.columns.slots.len();
        let end = slot + self.kept * self.kinds.len();
        self.kept = 0;
        self.columns.slots.resize(end, 0);
        self.columns.states.resize(end.div_ceil(32), ALL_PRESENT);
        while slot < end {
            let (word, first) = (slot / 32, slot % 32);
            let slots = (end - slot).min(32 - first);
            self.columns.states[word] &= !(u64::MAX >> (64 - 2 * slots) << (2 * first)); // absent is 0
            slot += slots;
        }
    }

    /// Writes the fields of one event: those of the struct, then those that the config names.
    ///
    /// # Panics
    /// When the cells are not the ones that [`Prepare::writes`](crate::Prepare::writes) declared, in number or kind.
    #[doc(hidden)]
    #[inline(always)]
    pub fn event<const N: usize>(&mut self, fixed: [Put; N], cells: &'a [Cell]) {
        self.fixed(fixed, cells.len());
        if !cells.is_empty() {
            self.row(N, cells);
        }
    }

    /// The same, with cells that may be gone after the event.
    pub(crate) fn event_of_its_own<const N: usize>(&mut self, fixed: [Put; N], cells: &[Cell]) {
        self.fixed(fixed, cells.len());
        for (number, cell) in cells.iter().enumerate() {
            let put = Self::cell(cell, self.kinds[N + number], |text| self.copy_text(text));
            self.columns.slots.push(put.slot());
            self.mark_put(self.columns.slots.len() - 1, put);
        }
    }

    /// The same, with texts, each of which is stored again: to know it again costs as much as a short text.
    #[inline]
    pub(crate) fn event_of_texts<const N: usize>(&mut self, fixed: [Put; N], texts: &[Option<&str>]) {
        self.fixed(fixed, texts.len());
        for (number, text) in texts.iter().enumerate() {
            let kind = self.kinds[N + number];
            assert!(kind == Kind::Text, "text cannot be written to a field declared as {}", kind.noun());
            let put = text.map_or(Put::Keep, |text| Put::Value(self.copy_text(text)));
            self.columns.slots.push(put.slot());
            self.mark_put(self.columns.slots.len() - 1, put);
        }
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self, fixed: [Put; N], cells: usize) {
        if self.kept > 0 {
            self.note_kept();
        }
        let first = self.columns.slots.len();
        self.columns.slots.extend_from_slice(&fixed.map(Put::slot));
        for (number, put) in fixed.into_iter().enumerate() {
            self.mark_put(first + number, put);
        }
        assert!(N + cells == self.kinds.len(), "{N} fields and {cells} cells for {} columns", self.kinds.len());
    }

    #[inline(always)]
    fn mark_put(&mut self, slot: usize, put: Put) {
        match put {
            Put::Value(_) => {}
            Put::Null => self.mark(slot, State::Null),
            Put::Keep => self.mark(slot, State::Absent),
        }
    }

    #[inline(always)]
    fn row(&mut self, fixed: usize, cells: &'a [Cell]) {
        let place = place(cells, ROWS);
        if !std::ptr::eq(self.rows[place].what, cells) {
            self.learn(place, fixed, cells);
        }
        let first = self.columns.slots.len();
        let pairs = cells.len().div_ceil(2);
        for pair in &self.row_slots[place * pairs..][..pairs] {
            self.columns.slots.extend_from_slice(pair);
        }
        self.columns.slots.truncate(first + cells.len());
        if self.rows[place].note == 0 {
            self.mark_row(first, cells);
        }
    }

    /// Remembers what is written for a row.
    #[inline(never)]
    fn learn(&mut self, place: usize, fixed: usize, cells: &'a [Cell]) {
        let pairs = cells.len().div_ceil(2);
        self.row_slots.resize(ROWS * pairs, [0; 2]);
        let mut note = 1;
        for (number, cell) in cells.iter().enumerate() {
            let put = Self::cell(cell, self.kinds[fixed + number], |text| self.text(text));
            self.row_slots[place * pairs + number / 2][number % 2] = put.slot();
            note &= u64::from(put.is_value());
        }
        self.rows[place] = Recent { what: cells, note };
    }

    #[inline(never)]
    fn mark_row(&mut self, first: usize, cells: &[Cell]) {
        for (number, cell) in cells.iter().enumerate() {
            match cell {
                Cell::Keep => self.mark(first + number, State::Absent),
                Cell::Null => self.mark(first + number, State::Null),
                _ => {}
            }
        }
    }

    fn cell<'c>(cell: &'c Cell, kind: Kind, store: impl FnOnce(&'c str) -> u64) -> Put {
        match (cell, kind) {
            (Cell::Text(text), Kind::Text) | (Cell::Json(text), Kind::Json) => Put::Value(store(text)),
            (Cell::Keep, _) => Put::Keep,
            (Cell::Null, _) => Put::Null,
            (Cell::Integer(integer), Kind::Integer) => Put::Value(*integer as u64),
            (Cell::Float(float), Kind::Float) => Put::Value(float.to_bits()),
            (Cell::Boolean(boolean), Kind::Boolean) => Put::Value(u64::from(*boolean)),
            _ => misfit(cell, kind),
        }
    }

    /// The slot of text that lives as long as the batch.
    #[inline(always)]
    pub(crate) fn text(&mut self, text: &'a str) -> u64 {
        let first = place(text, TEXTS);
        let mut free = first;
        for step in 0..PROBES {
            let place = (first + step) % TEXTS;
            let recent = &self.texts[place];
            if std::ptr::eq(recent.what, text) {
                return recent.note;
            }
            if recent.what.is_empty() {
                free = place;
                break;
            }
        }
        let slot = self.copy_text(text);
        self.texts[free] = Recent { what: text, note: slot };
        slot
    }

    /// The slot of text that may be gone after the event.
    #[inline(never)]
    pub(crate) fn copy_text(&mut self, text: &str) -> u64 {
        let offset = self.columns.text.len();
        self.columns.text.extend_from_slice(text.as_bytes());
        range(offset, text.len())
    }

    #[inline(always)]
    pub(crate) fn timestamp(&mut self, ns: i64) -> u64 {
        self.times.write(&mut self.columns.text, ns)
    }

    /// Notes that a slot has no value.
    #[inline(never)]
    fn mark(&mut self, slot: usize, state: State) {
        let (word, shift) = (slot / 32, 2 * (slot % 32));
        if self.columns.states.len() <= word {
            self.columns.states.resize(word + 1, ALL_PRESENT);
        }
        self.columns.states[word] ^= (State::Present as u64 ^ state as u64) << shift;
    }
}

/// The slot of a range of the written text, whose length [`Writer::finish`] checks.
#[inline(always)]
pub(crate) fn range(offset: usize, length: usize) -> u64 {
    (offset as u64) << 32 | length as u64
}

#[cold]
#[inline(never)]
fn misfit(cell: &Cell, kind: Kind) -> ! {
    let noun = cell.kind().map_or("nothing", Kind::noun);
    panic!("{noun} cannot be written to a field declared as {}", kind.noun())
}

/// 32 states of [`State::Present`]: what is not said otherwise is written.
const ALL_PRESENT: u64 = 0xaaaa_aaaa_aaaa_aaaa;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(kinds: &[Kind], write: impl FnOnce(&mut Writer<'_>)) -> Columns {
        let mut writer = Writer::new(1, kinds);
        write(&mut writer);
        writer.finish()
    }

    #[test]
    fn text_that_outlives_the_batch_is_stored_once() {
        let constant = String::from("production");
        let mut writer = Writer::new(2, &[]);
        let slots = [writer.text(&constant), writer.text(&constant), writer.text(&constant[..4])];
        assert_eq!(slots, [10, 10, 10 << 32 | 4]);
        assert_eq!(writer.finish().text, b"productionprod");
    }

    #[test]
    fn text_that_may_be_gone_is_stored_each_time() {
        let columns = write(&[Kind::Text; 2], |writer| {
            let puts = [0, 1].map(|number| Put::Value(writer.copy_text(&format!("n{number}"))));
            writer.event(puts, &[]);
        });
        assert_eq!(columns.text, b"n0n1");
        assert_eq!(columns.slots, [2, 2 << 32 | 2]);
    }

    #[test]
    fn states_are_left_out_when_everything_is_written() {
        assert!(write(&[Kind::Integer], |writer| writer.event([Put::Value(7)], &[])).states.is_empty());
    }

    #[test]
    fn states_say_which_slots_are_kept_and_which_are_null() {
        let columns = write(&[Kind::Integer], |writer| {
            (0..40).for_each(|_| writer.event([Put::Value(1)], &[]));
            [Put::Keep, Put::Null, Put::Value(1)].into_iter().for_each(|put| writer.event([put], &[]));
        });
        let state = |slot: usize| columns.states[slot / 32] >> (2 * (slot % 32)) & 3;
        assert_eq!(columns.states.len(), 2);
        assert!((0..40).all(|slot| state(slot) == 2));
        assert_eq!([state(40), state(41), state(42)], [0, 1, 2]);
    }

    #[test]
    fn an_event_that_is_kept_has_no_value_and_its_neighbours_have_theirs() {
        // Rows of 7 slots begin everywhere in a word of states; one of 40 takes more than a word.
        for fields in [1, 7, 40] {
            let kinds = vec![Kind::Integer; fields];
            let values = vec![Cell::Integer(1); fields];
            let mut writer = Writer::new(30, &kinds);
            for event in 0..30 {
                if event % 3 == 1 { writer.keep_event() } else { writer.event([], &values) }
            }
            let columns = writer.finish();
            assert_eq!(columns.slots.len(), 30 * fields);
            for (slot, value) in columns.slots.iter().enumerate() {
                let is_kept = slot / fields % 3 == 1;
                let state = columns.states[slot / 32] >> (2 * (slot % 32)) & 3;
                assert_eq!((state, *value), if is_kept { (0, 0) } else { (2, 1) }, "slot {slot} of {fields} a row");
            }
        }
    }

    #[test]
    fn cells_made_for_an_event_are_written_as_rows_are() {
        let kinds = [Kind::Boolean, Kind::Text, Kind::Integer, Kind::Json, Kind::Text];
        let cells = || [Cell::Text("own".into()), Cell::Integer(-1), Cell::Keep, Cell::Null];
        let row = cells();
        let mut known = Writer::new(2, &kinds);
        (0..2).for_each(|_| known.event([Put::Value(1)], &row));
        let mut own = Writer::new(2, &kinds);
        (0..2).for_each(|_| own.event_of_its_own([Put::Value(1)], &cells()));
        let (known, own) = (known.finish(), own.finish());
        assert_eq!((known.text, own.text), (b"own".to_vec(), b"ownown".to_vec()));
        assert_eq!(known.states, own.states);
        assert_eq!(own.slots, [1, 3, u64::MAX, 0, 0, 1, 3 << 32 | 3, u64::MAX, 0, 0]);
    }

    #[test]
    fn rows_are_written_the_same_when_they_are_known() {
        let kinds = [Kind::Boolean, Kind::Text, Kind::Integer];
        // More than are remembered, in turn, so that they drive each other out.
        let rows: Vec<[Cell; 2]> = (0..50)
            .map(|number| match number % 3 {
                0 => [Cell::Text(format!("text {number}").into()), Cell::Integer(number)],
                1 => [Cell::Keep, Cell::Integer(number)],
                _ => [Cell::Text("shared".into()), Cell::Null],
            })
            .collect();
        let mut writer = Writer::new(200, &kinds);
        for row in rows.iter().chain(rows.iter().rev()).flat_map(|row| [row, row]) {
            writer.event([Put::Value(1)], row);
        }
        let columns = writer.finish();
        let states = |event: usize| {
            [1, 2].map(|field| columns.states[(3 * event + field) / 32] >> (2 * ((3 * event + field) % 32)) & 3)
        };
        let events = (0..50).chain((0..50).rev()).flat_map(|number| [number, number]);
        for (event, number) in events.enumerate() {
            let [flag, text, integer] = *columns.slots[3 * event..].first_chunk().unwrap();
            let (offset, length) = ((text >> 32) as usize, text as u32 as usize);
            let text = std::str::from_utf8(&columns.text[offset..offset + length]).unwrap();
            let expected = match number % 3 {
                0 => (format!("text {number}"), number, [2, 2]),
                1 => (String::new(), number, [0, 2]),
                _ => ("shared".to_owned(), 0, [2, 1]),
            };
            assert_eq!((flag, text, integer, states(event)), (1, expected.0.as_str(), expected.1, expected.2));
        }
    }

    #[test]
    #[should_panic(expected = "cannot be written to a field declared as text")]
    fn a_cell_of_another_kind_than_declared_is_refused() {
        write(&[Kind::Text], |writer| writer.event([], &[Cell::Integer(1)]));
    }

    #[test]
    #[should_panic(expected = "1 fields and 1 cells")]
    fn fewer_cells_than_declared_are_refused() {
        write(&[Kind::Text; 3], |writer| writer.event([Put::Keep], &[Cell::Null]));
    }
}
