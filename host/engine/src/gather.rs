//! The columns of one plugin for some events, in the shape in which they cross. All buffers are kept from batch to batch.

use wasmill_core::{Batch, FieldKind, SlotState, Span, State, TextArena};

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
#[derive(Debug)]
pub(crate) struct Gathered {
    text: TextArena,
    /// Only ever grows: behind the slots of this batch are those of longer ones.
    slots: Vec<u64>,
    states: Vec<u64>,
    times: Vec<i64>,
}

/// The batch's own text is lent as long as that makes at most so many bytes more for each cell cross: copying a byte to a guest
/// and clearing it away again costs a tenth of a nanosecond, picking a cell's text out six.
const SPARE_BYTES: usize = 64;
/// Bytes below which it is always lent.
const LEND_BYTES: usize = 16 << 10;
/// How much text a plugin reads is guessed from one event of so many.
const SAMPLE: usize = 16;

impl Default for Gathered {
    fn default() -> Self {
        Self { text: TextArena::with_room(0), slots: Vec::new(), states: Vec::new(), times: Vec::new() }
    }
}

impl Gathered {
    /// Gathers the columns of `events` (rising), and gives them as they cross.
    pub(crate) fn gather<'a>(&'a mut self, batch: &'a Batch, events: &[u32], sources: &[Source]) -> abi::Batch<'a> {
        let is_whole = events.len() == batch.raw.len();
        let in_order = sources.len() == batch.columns() && sources.iter().enumerate().all(|(n, s)| s.column == n);
        // A batch that is read as it lies is lent.
        let all_present = others(&batch.states) == 0;
        let lends_slots = is_whole && in_order && all_present;
        let cells = events.len() * sources.len();
        self.slots.resize(self.slots.len().max(cells), 0);
        self.states.clear();
        if !lends_slots {
            self.gather_slots(batch, events, sources);
            if !all_present {
                self.gather_states(batch, events, sources);
            }
        }
        if !is_whole {
            self.times.clear();
            self.times.extend(events.iter().map(|event| batch.times[*event as usize]));
        }
        let slots = if lends_slots { &batch.slots } else { &self.slots[..cells] };
        let lends_text = batch.text.len() <= LEND_BYTES.max(worth_lending(slots, sources));
        if !lends_text {
            if lends_slots {
                self.slots[..cells].copy_from_slice(&batch.slots);
            }
            self.copy_text(batch, sources, cells);
        }
        abi::Batch {
            events: events.len() as u32,
            fields: sources.len() as u32,
            text: if lends_text { &batch.text } else { self.text.text() },
            slots: if lends_slots && lends_text { &batch.slots } else { &self.slots[..cells] },
            states: &self.states,
            times: if is_whole { &batch.times } else { &self.times },
        }
    }

    /// Fills the slots row by row, as both sides lie in memory.
    fn gather_slots(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) {
        let columns = batch.columns();
        for (event, row) in events.iter().zip(self.slots.chunks_exact_mut(sources.len().max(1))) {
            let cells = &batch.slots[*event as usize * columns..][..columns];
            for (slot, source) in row.iter_mut().zip(sources) {
                *slot = cells[source.column];
            }
        }
    }

    /// Fills the states, unless every slot is present.
    fn gather_states(&mut self, batch: &Batch, events: &[u32], sources: &[Source]) {
        let columns = batch.columns();
        let mut other = 0;
        for event in events {
            let states = &batch.states[*event as usize * columns..][..columns];
            for source in sources {
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
        self.states.resize((events.len() * sources.len()).div_ceil(32), 0);
        for (n, ((event, column), slot)) in cells.zip(&mut self.slots).enumerate() {
            let state = batch.states[event * columns + column].bits();
            self.states[n / 32] |= u64::from(state) << (n % 32 * 2);
            if state != State::Present as u8 {
                *slot = 0;
            }
        }
    }

    /// Copies what the first `cells` slots name, and points them at the copies.
    fn copy_text(&mut self, batch: &Batch, sources: &[Source], cells: usize) {
        self.text.truncate(0);
        for row in self.slots[..cells].chunks_exact_mut(sources.len().max(1)) {
            for (slot, source) in row.iter_mut().zip(sources) {
                // What is zero names nothing, and stays so.
                if source.spans && *slot != 0 {
                    let Span { start, len } = Span::of_slot(*slot);
                    *slot = self.text.push(&batch.text, start as usize, start as usize + len as usize);
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

/// How long a text is worth lending for what the slots name of it.
fn worth_lending(slots: &[u64], sources: &[Source]) -> usize {
    let rows = slots.chunks_exact(sources.len().max(1));
    let events = rows.len();
    let cells = rows.step_by(SAMPLE).flat_map(|row| row.iter().zip(sources)).filter(|(_, source)| source.spans);
    let worth: usize = cells.map(|(slot, _)| Span::of_slot(*slot).len as usize + SPARE_BYTES).sum();
    worth * events / events.div_ceil(SAMPLE).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmill_core::{EventTime, PartitionId, ProjectionBuilder, RawBatch};

    use super::*;

    const KINDS: [FieldKind; 3] = [FieldKind::Text, FieldKind::Text, FieldKind::Integer];

    /// Events with a text of 0 to 99 bytes, one of 500, and a number; with `holes` one in seven lacks the first.
    fn batch(events: usize, holes: bool) -> Batch {
        let part = || "p".into();
        let partition = PartitionId { source: part(), cluster: part(), topic: part(), topic_id: part(), partition: 0 };
        let mut raw = RawBatch::new(Arc::new(partition), 0);
        for n in 0..events {
            let short = format!("\"short\":\"{}\",", "s".repeat(n % 100));
            let short = if holes && n % 7 == 0 { "" } else { &short };
            let payload = format!("{{{short}\"long\":\"{}\",\"number\":{n}}}", "l".repeat(500));
            raw.push(n as i64, n as i64, None, Some(payload.as_bytes()), []);
        }
        let mut projection = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        for (name, kind) in ["short", "long", "number"].into_iter().zip(KINDS) {
            projection.column(Some(&name.parse().unwrap()), kind);
        }
        projection.build().extract(raw).0
    }

    #[test]
    fn slots_name_what_they_name_in_the_batch_whether_text_is_lent_or_picked_out() {
        let mut gathered = Gathered::default();
        let mut lent = [false, false];
        for (events, holes, one_in) in
            [(300, false, 1), (300, true, 1), (100, true, 3), (200, false, 2), (10, false, 1)]
        {
            let batch = batch(events, holes);
            let events: Vec<u32> = (0..events as u32).step_by(one_in).collect();
            for columns in [&[0][..], &[1], &[2], &[2, 0], &[0, 1, 2], &[]] {
                let sources: Vec<Source> = columns.iter().map(|column| Source::new(*column, KINDS[*column])).collect();
                let crossing = gathered.gather(&batch, &events, &sources);
                lent[usize::from(crossing.text == batch.text)] = true;
                assert_eq!((crossing.events as usize, crossing.times.len()), (events.len(), events.len()));
                assert_eq!(crossing.slots.len(), events.len() * columns.len());
                let asked = events.iter().flat_map(|event| columns.iter().map(move |column| (*event, *column)));
                for (n, (event, column)) in asked.enumerate() {
                    let (state, slot) = batch.cell(event, column);
                    let crossed = crossing
                        .states
                        .get(n / 32)
                        .map_or(State::Present as u8, |word| (word >> (n % 32 * 2)) as u8 & 3);
                    assert_eq!(crossed, state.bits());
                    match (state.state(), KINDS[column]) {
                        (State::Present, FieldKind::Text) => {
                            assert_eq!(Span::of_slot(crossing.slots[n]).get(crossing.text), Some(batch.text_of(slot)));
                        }
                        (State::Present, _) => assert_eq!(crossing.slots[n], slot),
                        _ => assert_eq!(crossing.slots[n], 0),
                    }
                }
            }
        }
        assert_eq!(lent, [true, true]);
    }
}
