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
/// How much text a plugin reads is guessed from one event of so many.
const SAMPLE: usize = 16;

impl Gathered {
    /// Gathers the columns of `events`, and gives them as they cross.
    pub(crate) fn gather<'a>(&'a mut self, batch: &'a Batch, events: &[u32], sources: &[Source]) -> abi::Batch<'a> {
        self.slots(batch, events, sources);
        self.states.clear();
        if !all_present(batch, events, sources) {
            self.pack_states(batch, events, sources);
        }
        self.times.clear();
        self.times.extend(events.iter().map(|event| batch.times[*event as usize]));
        let lend = batch.text.len() <= LEND_BYTES
            || batch.text.len() <= self.text_read(events.len(), sources).saturating_mul(LEND_FACTOR);
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

    /// Fills the slots row by row, as both sides lie in memory.
    fn slots(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) {
        let columns = batch.columns();
        self.slots.clear();
        self.slots.reserve(events.len() * sources.len());
        let in_order = sources.len() == columns && sources.iter().enumerate().all(|(n, source)| source.column == n);
        for event in events {
            let first = *event as usize * columns;
            let cells = &batch.slots[first..first + columns];
            if in_order {
                self.slots.extend_from_slice(cells);
            } else {
                self.slots.extend(sources.iter().map(|source| cells[source.column]));
            }
        }
    }

    /// About how many bytes of text the slots name.
    fn text_read(&self, events: usize, sources: &[Source]) -> usize {
        let sampled = self.slots.chunks_exact(sources.len().max(1)).step_by(SAMPLE);
        let cells = sampled.flat_map(|row| row.iter().zip(sources));
        let read: usize =
            cells.filter(|(_, source)| source.spans).map(|(slot, _)| Span::of_slot(*slot).len as usize).sum();
        read * events / events.div_ceil(SAMPLE).max(1)
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

/// Whether every cell holds a value of its column's kind.
fn all_present(batch: &Batch, events: &[u32], sources: &[Source]) -> bool {
    let columns = batch.columns();
    let mut others = 0;
    for event in events {
        let first = *event as usize * columns;
        let states = &batch.states[first..first + columns];
        for source in sources {
            others |= states[source.column].bits() ^ State::Present as u8;
        }
    }
    others == 0
}
