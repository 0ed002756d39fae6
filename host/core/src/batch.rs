//! A batch on its way: the raw events, which of them still flow, and their projected fields as slots.

use std::sync::Arc;

use crate::row::Place;
use crate::written::Cell;
use crate::{FieldKind, JsonType, Path, PluginRef, Projection, RawBatch, SlotState, Span, State};

/// The slot of a cell that holds nothing. Not zero: memory that must be zero is taken from the system page by page, which costs
/// more than filling it.
pub(crate) const UNSET: u64 = u64::MAX;

/// Events of one partition with their projected fields. Event e's column c is cell e * columns + c of `slots` and
/// `states`; an event keeps its index (of [`RawBatch::records`]) when others leave.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The events as received.
    pub raw: RawBatch,
    /// What the columns are.
    pub projection: Arc<Projection>,
    /// Indices of the events that still flow, rising.
    pub live: Vec<u32>,
    /// The text that slots name: UTF-8 wherever a slot points.
    pub text: Vec<u8>,
    /// The cells, row by row; see [`FieldKind`] for what each holds.
    pub slots: Vec<u64>,
    /// The cells' states, row by row.
    pub states: Vec<SlotState>,
    /// Every event's time, nanoseconds since 1970, by index.
    pub times: Vec<i64>,
    /// What enrichers wrote, in the order of first writing; a later write to the same path replaces the earlier. A path
    /// that is written in several kinds has an entry for each, of which an event has one; an event keeps no field
    /// inside of another.
    pub written: Vec<Written>,
    /// Plugins that some of the events passed by.
    pub skipped: Vec<Skipped>,
    /// Where the payloads hold what may be written and its parents, row by row.
    pub(crate) places: Vec<Place>,
    /// By field that may be written: its entries in `written`.
    pub(crate) written_at: Vec<Vec<usize>>,
}

/// Offsets of a batch whose events passed a plugin by: it neither saw nor judged them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The plugin.
    pub plugin: Arc<PluginRef>,
    /// The first of the offsets.
    pub first: i64,
    /// The one behind the last.
    pub next: i64,
}

impl Skipped {
    /// Adds the offsets [first, next), unless they follow what is there of the plugin: then that grows.
    pub fn add(all: &mut Vec<Self>, plugin: &Arc<PluginRef>, first: i64, next: i64) {
        let mut of_plugin = all.iter_mut().filter(|skipped| skipped.plugin == *plugin);
        match of_plugin.find(|skipped| (skipped.first..=skipped.next).contains(&first)) {
            Some(skipped) => skipped.next = skipped.next.max(next),
            None => all.push(Self { plugin: Arc::clone(plugin), first, next }),
        }
    }

    /// Whether the event at `offset` is one of them.
    fn has(&self, offset: i64) -> bool {
        (self.first..self.next).contains(&offset)
    }
}

/// One written field, over all events of the batch by index; state absent where an event's field was left alone.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where it goes.
    pub path: Path,
    /// What it holds.
    pub kind: FieldKind,
    /// By event index. Ranges are of [`Batch::text`].
    pub slots: Vec<u64>,
    /// By event index.
    pub states: Vec<SlotState>,
}

/// The answer of an enricher, as it crossed: row-major over the events that it saw.
#[derive(Clone, Debug, Default)]
pub struct WrittenRows {
    /// Text that the slots name.
    pub text: Vec<u8>,
    /// Event n's field f is slot n * fields + f.
    pub slots: Vec<u64>,
    /// Two bits per slot, or empty: all present.
    pub states: Vec<u64>,
}

impl Batch {
    #[allow(clippy::too_many_arguments, reason = "one per column-shaped part, all made by one function")]
    pub(crate) fn extracted(
        raw: RawBatch,
        projection: Arc<Projection>,
        live: Vec<u32>,
        text: Vec<u8>,
        slots: Vec<u64>,
        states: Vec<SlotState>,
        places: Vec<Place>,
        times: Vec<i64>,
    ) -> Self {
        let written_at = vec![Vec::new(); projection.writes().fields.len()];
        Self {
            raw,
            projection,
            live,
            text,
            slots,
            states,
            times,
            written: Vec::new(),
            skipped: Vec::new(),
            places,
            written_at,
        }
    }

    /// The plugins that an event passed by.
    pub fn skipped_by(&self, event: u32) -> impl Iterator<Item = &Arc<PluginRef>> {
        let offset = self.raw.records()[event as usize].offset;
        self.skipped.iter().filter(move |skipped| skipped.has(offset)).map(|skipped| &skipped.plugin)
    }

    /// Number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.projection.columns().len()
    }

    /// State and slot of one cell.
    #[inline]
    pub fn cell(&self, event: u32, column: usize) -> (SlotState, u64) {
        let at = event as usize * self.columns() + column;
        (self.states[at], self.slots[at])
    }

    /// The text that a slot names.
    #[inline]
    pub fn text_of(&self, slot: u64) -> &[u8] {
        Span::of_slot(slot).get(&self.text).expect("slots are checked when they are made")
    }

    /// Keeps an answer of a look-up for [`Batch::answer`].
    pub fn answer_text(&mut self, answer: &str) -> Option<u64> {
        let end = self.text.len() + answer.len();
        let slot = Span { start: u32::try_from(self.text.len()).ok()?, len: answer.len() as u32 }.slot();
        u32::try_from(end).ok()?;
        self.text.extend_from_slice(answer.as_bytes());
        Some(slot)
    }

    /// Sets an event's answer of a look-up: `column` is one of [`Projection::lookups`], `slot` was given by
    /// [`Batch::answer_text`].
    #[inline]
    pub fn answer(&mut self, event: u32, column: usize, slot: u64) {
        self.set_cell(event, column, (SlotState::new(State::Present, JsonType::String), slot));
    }

    /// Whether an enricher wrote a field of the event.
    pub fn is_written(&self, event: u32) -> bool {
        self.written.iter().any(|written| written.states[event as usize].state() != State::Absent)
    }

    /// Kind and cell of what is written at a field, by its index among those that may be.
    pub(crate) fn written_cell(&self, field: usize, event: u32) -> Option<(FieldKind, Cell)> {
        let entries = self.written_at[field].iter().map(|&index| &self.written[index]);
        let cells = entries.map(|entry| (entry.kind, (entry.states[event as usize], entry.slots[event as usize])));
        cells.into_iter().find(|(_, (state, _))| state.state() != State::Absent)
    }

    pub(crate) fn places_of(&self, event: u32) -> &[Place] {
        let places = self.projection.writes().places();
        &self.places[event as usize * places..(event as usize + 1) * places]
    }

    /// Takes the given events (indices, rising) out of the flow.
    pub fn remove(&mut self, events: &[u32]) {
        let mut gone = events.iter().copied().peekable();
        self.live.retain(|event| {
            while gone.next_if(|g| g < event).is_some() {}
            gone.peek() != Some(event)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn offsets_that_follow_what_is_there_of_a_plugin_make_it_grow() {
        let plugin = |name: &str| {
            let (name, version, digest) = (name.to_owned(), "1".to_owned(), Digest::of(name.as_bytes()));
            Arc::new(PluginRef { name, version, digest })
        };
        let (one, other) = (plugin("one"), plugin("other"));
        let mut all = Vec::new();
        for (plugin, first, next) in [(&one, 5, 6), (&one, 8, 10), (&other, 6, 7), (&one, 10, 12), (&one, 6, 7)] {
            Skipped::add(&mut all, plugin, first, next);
        }
        let shown: Vec<_> =
            all.iter().map(|skipped| (skipped.plugin.name.as_str(), skipped.first, skipped.next)).collect();
        assert_eq!(shown, [("one", 5, 7), ("one", 8, 12), ("other", 6, 7)]);
    }
}
