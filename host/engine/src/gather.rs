//! The columns of one plugin for some events, in the shape in which they cross. All buffers are kept from batch to batch.

use wasmill_core::{Batch, FieldKind, Span, State};

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

impl Gathered {
    /// Gathers the columns of `events`, and gives them as they cross.
    pub(crate) fn gather<'a>(&'a mut self, batch: &'a Batch, events: &[u32], sources: &[Source]) -> abi::Batch<'a> {
        let read = self.slots_and_states(batch, events, sources);
        self.times.clear();
        self.times.extend(events.iter().map(|event| batch.times[*event as usize]));
        let lend = batch.text.len() <= LEND_BYTES || batch.text.len() <= read.saturating_mul(LEND_FACTOR);
        if !lend {
            self.copy_text(batch, sources);
        }
        abi::Batch {
            events: events.len() as u32,
            fields: sources.len() as u32,
            text: if lend { &batch.text } else { &self.text },
            slots: &self.slots,
            states: &self.states,
            times: &self.times,
        }
    }

    /// Fills slots and states, and gives about how many bytes of text the slots name. Goes row by row, as both sides lie in memory.
    fn slots_and_states(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) -> usize {
        let columns = batch.columns();
        let (mut others, mut read) = (0u8, 0usize);
        self.slots.clear();
        self.slots.reserve(events.len() * sources.len());
        for event in events {
            let first = *event as usize * columns;
            let (cells, states) = (&batch.slots[first..first + columns], &batch.states[first..first + columns]);
            self.slots.extend(sources.iter().map(|source| {
                let cell = cells[source.column];
                others |= states[source.column].bits() ^ State::Present as u8;
                read += if source.spans { Span::of_slot(cell).len as usize } else { 0 };
                cell
            }));
        }
        self.states.clear();
        if others != 0 {
            self.pack_states(batch, events, sources);
        }
        read
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
