//! The columns of one plugin for some events, in the shape in which they cross. All buffers are kept from batch to batch.

use wasmill_core::{Batch, FieldKind, SlotState, Span, State};

use crate::abi;

/// One column that a plugin reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Its index among the batch's columns.
    pub(crate) column: usize,
    /// Whether its slots are byte ranges of the text.
    pub(crate) spans: bool,
}

impl Source {
    pub(crate) fn new(column: usize, kind: FieldKind) -> Self {
        Self { column, spans: matches!(kind, FieldKind::Text | FieldKind::Json | FieldKind::Raw) }
    }
}

/// What crosses. Text is lent from the batch where most of it is of these columns, else copied.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    text: Vec<u8>,
    slots: Vec<u64>,
    states: Vec<u64>,
    times: Vec<i64>,
}

/// The batch's own text is lent as long as it is at most so many times what the plugin reads: copying memory whole costs
/// less than picking it together.
const LEND_FACTOR: usize = 3;
/// Bytes below which it is always lent.
const LEND_BYTES: usize = 16 << 10;
/// How much text a plugin reads is guessed from one event of so many.
const SAMPLE: usize = 16;

impl Gathered {
    /// Gathers the columns of `events` (rising), and gives them as they cross.
    pub(crate) fn gather<'a>(&'a mut self, batch: &'a Batch, events: &[u32], sources: &[Source]) -> abi::Batch<'a> {
        let is_whole = events.len() == batch.raw.len();
        let in_order = sources.len() == batch.columns() && sources.iter().enumerate().all(|(n, s)| s.column == n);
        // A batch that is read as it lies is lent.
        let lends_slots = is_whole && in_order && others(&batch.states) == 0;
        self.states.clear();
        if !lends_slots {
            self.gather_slots(batch, events, sources);
        }
        if !is_whole {
            self.times.clear();
            self.times.extend(events.iter().map(|event| batch.times[*event as usize]));
        }
        let slots = if lends_slots { &batch.slots } else { &self.slots };
        let lends_text =
            batch.text.len() <= LEND_BYTES || batch.text.len() <= text_read(slots, sources).saturating_mul(LEND_FACTOR);
        if !lends_text {
            if lends_slots {
                self.slots.clone_from(&batch.slots);
            }
            self.copy_text(batch, sources);
        }
        abi::Batch {
            events: events.len() as u32,
            fields: sources.len() as u32,
            text: if lends_text { &batch.text } else { &self.text },
            slots: if lends_slots && lends_text { &batch.slots } else { &self.slots },
            states: &self.states,
            times: if is_whole { &batch.times } else { &self.times },
        }
    }

    /// Fills slots and states row by row, as both sides lie in memory.
    fn gather_slots(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) {
        let columns = batch.columns();
        self.slots.resize(events.len() * sources.len(), 0);
        let mut other = 0;
        for (event, row) in events.iter().zip(self.slots.chunks_exact_mut(sources.len().max(1))) {
            let first = *event as usize * columns;
            let (cells, states) = (&batch.slots[first..first + columns], &batch.states[first..first + columns]);
            for (slot, source) in row.iter_mut().zip(sources) {
                *slot = cells[source.column];
                other |= states[source.column].bits() ^ State::Present as u8;
            }
        }
        if other != 0 {
            self.pack_states(batch, events, sources);
        }
    }

    /// Packs the states where not every slot is present. The slot of what is not present has no meaning, and becomes zero so that it
    /// is the same wherever the batch was cut.
    fn pack_states(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) {
        let columns = batch.columns();
        let cells = events.iter().flat_map(|event| sources.iter().map(move |source| (*event as usize, source.column)));
        self.states.resize(self.slots.len().div_ceil(32), 0);
        for (n, ((event, column), slot)) in cells.zip(&mut self.slots).enumerate() {
            let state = batch.states[event * columns + column].bits();
            self.states[n / 32] |= u64::from(state) << (n % 32 * 2);
            if state != State::Present as u8 {
                *slot = 0;
            }
        }
    }

    /// Copies what the slots name, and points them at the copies.
    fn copy_text(&mut self, batch: &Batch, sources: &[Source]) {
        self.text.clear();
        for row in self.slots.chunks_exact_mut(sources.len().max(1)) {
            for (slot, source) in row.iter_mut().zip(sources) {
                if source.spans {
                    let start = self.text.len() as u32;
                    let bytes = batch.text_of(*slot);
                    self.text.extend_from_slice(bytes);
                    *slot = Span { start, len: bytes.len() as u32 }.slot();
                }
            }
        }
    }
}

/// Not zero when a state is another than present.
#[inline(always)]
fn others(states: &[SlotState]) -> u8 {
    states.iter().fold(0, |others, state| others | state.bits() ^ State::Present as u8)
}

/// About how many bytes of text the slots name.
fn text_read(slots: &[u64], sources: &[Source]) -> usize {
    let rows = slots.chunks_exact(sources.len().max(1));
    let events = rows.len();
    let cells = rows.step_by(SAMPLE).flat_map(|row| row.iter().zip(sources));
    let read: usize = cells.filter(|(_, source)| source.spans).map(|(slot, _)| Span::of_slot(*slot).len as usize).sum();
    read * events / events.div_ceil(SAMPLE).max(1)
}
