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

/// Where the derive of [`Output`](crate::Output) writes to.
///
/// Text that lives as long as the batch (`'a`) is known by its address, which cannot hold other bytes meanwhile: what was
/// written lately is not stored again. So a constant, or a look-up table's value, takes its bytes once in a batch.
#[derive(Debug)]
pub struct Writer<'a> {
    kinds: &'a [Kind],
    columns: Columns,
    recent: [Recent<'a>; RECENT],
    last_date: time::Date,
}

/// Texts remembered, by address. Enough for the constants and the common values of a look-up table; 64 of 16 bytes are one
/// kilobyte, which a fresh instance touches anyway.
const RECENT: usize = 1 << 6;

/// Places looked at for a text.
const PROBES: usize = 4;

/// Where a text is remembered: Fibonacci hashing of its address, whose upper 6 of 32 bits are a place.
#[inline(always)]
fn place(text: &str) -> usize {
    ((text.as_ptr() as usize as u32).wrapping_mul(0x9e37_79b1) >> 26) as usize
}

#[derive(Clone, Copy, Debug)]
struct Recent<'a> {
    text: &'a str,
    slot: u64,
}

/// Bytes of text per event to begin with: most written values are short or constant.
const TEXT_PER_EVENT: usize = 16;

impl<'a> Writer<'a> {
    /// For `events` events with one written field per kind.
    pub(crate) fn new(events: usize, kinds: &'a [Kind]) -> Self {
        let text = Vec::with_capacity(events * TEXT_PER_EVENT);
        let slots = Vec::with_capacity(events * kinds.len());
        Writer {
            kinds,
            columns: Columns { text, slots, states: Vec::new() },
            recent: [Recent { text: "", slot: 0 }; RECENT],
            last_date: time::Date::default(),
        }
    }

    pub(crate) fn finish(self) -> Columns {
        assert!(u32::try_from(self.columns.text.len()).is_ok(), "a batch's written text is over 4 GiB");
        let mut columns = self.columns;
        if !columns.states.is_empty() {
            columns.states.resize(columns.slots.len().div_ceil(32), ALL_PRESENT);
        }
        columns
    }

    /// Leaves all fields of the event as they are.
    pub(crate) fn keep_event(&mut self) {
        for _ in 0..self.kinds.len() {
            self.keep();
        }
    }

    /// The fields that the config names.
    ///
    /// # Panics
    /// When the cells are not the ones that [`Prepare::writes`](crate::Prepare::writes) declared, in number or kind.
    #[doc(hidden)]
    #[inline]
    pub fn cells(&mut self, fixed: usize, cells: &'a [Cell]) {
        let kinds = &self.kinds[fixed..];
        assert!(kinds.len() == cells.len(), "{} cells for {} fields that the config names", cells.len(), kinds.len());
        for (cell, &kind) in cells.iter().zip(kinds) {
            self.cell(cell, kind);
        }
    }

    #[inline(always)]
    fn cell(&mut self, cell: &'a Cell, kind: Kind) {
        match (cell, kind) {
            (Cell::Text(text), Kind::Text) | (Cell::Json(text), Kind::Json) => self.text(text),
            (Cell::Keep, _) => self.keep(),
            (Cell::Null, _) => self.null(),
            (Cell::Integer(integer), Kind::Integer) => self.bits(*integer as u64),
            (Cell::Float(float), Kind::Float) => self.bits(float.to_bits()),
            (Cell::Boolean(boolean), Kind::Boolean) => self.bits(u64::from(*boolean)),
            _ => misfit(cell, kind),
        }
    }

    #[inline(always)]
    pub(crate) fn bits(&mut self, bits: u64) {
        self.columns.slots.push(bits);
    }

    /// Text that lives as long as the batch.
    #[inline(always)]
    pub(crate) fn text(&mut self, text: &'a str) {
        let first = place(text);
        let mut free = first;
        for step in 0..PROBES {
            let place = (first + step) % RECENT;
            let recent = &self.recent[place];
            if std::ptr::eq(recent.text.as_ptr(), text.as_ptr()) && recent.text.len() == text.len() {
                self.columns.slots.push(recent.slot);
                return;
            }
            if recent.text.is_empty() {
                free = place;
                break;
            }
        }
        self.copy_text(text);
        self.recent[free] = Recent { text, slot: self.columns.slots[self.columns.slots.len() - 1] };
    }

    /// Text that may be gone after the event.
    pub(crate) fn copy_text(&mut self, text: &str) {
        let offset = self.columns.text.len();
        self.columns.text.extend_from_slice(text.as_bytes());
        self.bits((offset as u64) << 32 | text.len() as u64);
    }

    pub(crate) fn timestamp(&mut self, ns: i64) {
        let offset = self.columns.text.len();
        time::append_rfc3339(&mut self.columns.text, ns, &mut self.last_date);
        self.bits((offset as u64) << 32 | (self.columns.text.len() - offset) as u64);
    }

    #[inline(always)]
    pub(crate) fn keep(&mut self) {
        self.not_present(State::Absent);
    }

    #[inline(always)]
    pub(crate) fn null(&mut self) {
        self.not_present(State::Null);
    }

    fn not_present(&mut self, state: State) {
        let slot = self.columns.slots.len();
        self.columns.slots.push(0);
        let (word, shift) = (slot / 32, 2 * (slot % 32));
        if self.columns.states.len() <= word {
            self.columns.states.resize(word + 1, ALL_PRESENT);
        }
        self.columns.states[word] ^= (State::Present as u64 ^ state as u64) << shift;
    }
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
        let kinds = [Kind::Text];
        let mut writer = Writer::new(2, &kinds);
        writer.text(&constant);
        writer.text(&constant);
        writer.text(&constant[..4]);
        let columns = writer.finish();
        assert_eq!(columns.text, b"productionprod");
        assert_eq!(columns.slots, [10, 10, 10 << 32 | 4]);
    }

    #[test]
    fn text_that_may_be_gone_is_stored_each_time() {
        let columns = write(&[Kind::Text], |writer| {
            for number in 0..2 {
                writer.copy_text(&format!("n{number}"));
            }
        });
        assert_eq!(columns.text, b"n0n1");
    }

    #[test]
    fn states_are_left_out_when_everything_is_written() {
        assert!(write(&[Kind::Integer], |writer| writer.bits(7)).states.is_empty());
    }

    #[test]
    fn states_say_which_slots_are_kept_and_which_are_null() {
        let columns = write(&[Kind::Integer], |writer| {
            (0..40).for_each(|_| writer.bits(1));
            writer.keep();
            writer.null();
            writer.bits(1);
        });
        let state = |slot: usize| columns.states[slot / 32] >> (2 * (slot % 32)) & 3;
        assert_eq!(columns.states.len(), 2);
        assert!((0..40).all(|slot| state(slot) == 2));
        assert_eq!([state(40), state(41), state(42)], [0, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "cannot be written to a field declared as text")]
    fn a_cell_of_another_kind_than_declared_is_refused() {
        write(&[Kind::Text], |writer| writer.cells(0, &[Cell::Integer(1)]));
    }
}
