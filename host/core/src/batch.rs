//! A batch on its way: the raw events, which of them still flow, and their projected fields as slots.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{FieldKind, Path, Projection, RawBatch, Rejection, SlotState, Span};

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
    /// What enrichers wrote, in the order of first writing; a later write to the same path replaces the earlier.
    pub written: Vec<Written>,
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

    /// Takes the given events (indices, rising) out of the flow.
    pub fn remove(&mut self, events: &[u32]) {
        let mut gone = events.iter().copied().peekable();
        self.live.retain(|event| {
            while gone.next_if(|g| g < event).is_some() {}
            gone.peek() != Some(event)
        });
    }

    /// Takes over what an enricher wrote for `events` (indices, rising): later readers of the paths see the new values.
    /// Answers the events whose payload cannot take a field since a parent of it is no object (code
    /// `enrich_conflict`); they have not been changed, and the caller removes them.
    ///
    /// # Errors
    /// A sentence when the rows do not have the shape that `fields` and `events` ask for, a slot reaches outside the
    /// text, text is not UTF-8, a float is not finite, a boolean is neither 0 nor 1, or a JSON token is not valid JSON.
    /// Nothing has been changed then.
    pub fn apply(
        &mut self,
        fields: &[(Path, FieldKind)],
        events: &[u32],
        rows: &WrittenRows,
    ) -> Result<Vec<Rejection>, String> {
        todo!("core helper: {fields:?} {events:?} {rows:?}")
    }

    /// The payload of an event after enrichment: the source's bytes with each written field replacing the (last) existing
    /// value's bytes or inserted before the closing brace; absent parents are made. Borrowed when nothing was written.
    pub fn payload(&self, event: u32) -> Cow<'_, [u8]> {
        todo!("core helper: {event}")
    }
}

#[cfg(test)]
mod tests {}
