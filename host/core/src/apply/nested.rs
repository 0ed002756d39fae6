//! Written fields of one event, where written fields lie inside each other or its payload has something else in their way.

use std::borrow::Cow;

use crate::fault::Fault;
use crate::row::{Place, Row, TEXT_BYTES_MAX, TextArena};
use crate::scan::{DEPTH_MAX, Scanner};
use crate::splice::splice;
use crate::trie::Trie;
use crate::writes::Writes;
use crate::written::{Cell, Value};
use crate::{Batch, FieldKind, JsonType, Path, Rejection, SlotState, Span, Stage, State};

impl Batch {
    /// Takes over the cells of one event, or says which parent is in their way; `changes` is room to work in, and `room` how many
    /// bytes of objects may still be made by putting fields into written ones.
    pub(super) fn take_event(
        &mut self,
        writes: &Writes,
        event: u32,
        targets: &[(usize, FieldKind)],
        cells: &[Cell],
        changes: &mut Vec<Change>,
        room: &mut usize,
    ) -> Result<(), Rejection> {
        changes.clear();
        self.plan(writes, event, targets, cells, changes, room).map_err(|conflict| conflict.reject(event))?;
        changes.iter().for_each(|change| self.keep(writes, event, change));
        Ok(())
    }

    /// What an event's written cells change, in order, or the first parent in their way.
    fn plan(
        &mut self,
        writes: &Writes,
        event: u32,
        targets: &[(usize, FieldKind)],
        row: &[Cell],
        changes: &mut Vec<Change>,
        room: &mut usize,
    ) -> Result<(), Conflict> {
        for (&(field, kind), &cell) in targets.iter().zip(row) {
            if cell.0.state() == State::Absent {
                continue;
            }
            let change = Change { field, kind, cell };
            match self.way(writes, event, field, changes)? {
                Way::Free => {
                    for &below in &writes.fields[field].below {
                        changes.push(Change { field: below, kind, cell: (SlotState::ABSENT, 0) });
                    }
                    changes.push(change);
                }
                Way::Inside { object, outer } => changes.push(self.put_inside(writes, outer, object, change, room)?),
            }
        }
        Ok(())
    }

    /// Whether `field` goes into the payload itself, or into a parent that was written before.
    fn way(&self, writes: &Writes, event: u32, field: usize, changes: &[Change]) -> Result<Way, Conflict> {
        let nodes = &writes.fields[field].nodes;
        for (depth, &node) in nodes[..nodes.len() - 1].iter().enumerate() {
            let parent = &writes.nodes[node];
            if let Some(outer) = parent.field
                && let Some((state, slot)) = self.current(event, outer, changes)
            {
                return match state.json_type() {
                    JsonType::Object => Ok(Way::Inside { object: Span::of_slot(slot), outer }),
                    other => Err(Conflict::new(&writes.fields[field].path, depth, other)),
                };
            }
            let place = self.places_of(event)[node - 1].state;
            if place.state() != State::Absent && place.json_type() != JsonType::Object {
                return Err(Conflict::new(&writes.fields[field].path, depth, place.json_type()));
            }
        }
        Ok(Way::Free)
    }

    /// What is written at `field` once `changes` are made.
    fn current(&self, event: u32, field: usize, changes: &[Change]) -> Option<Cell> {
        let planned = changes.iter().rev().find(|change| change.field == field).map(|change| change.cell);
        let kept = || self.written_cell(field, event).map(|(_, cell)| cell);
        planned.or_else(kept).filter(|(state, _)| state.state() != State::Absent)
    }

    /// The change of the written object `outer` that puts `inner` into it.
    fn put_inside(
        &mut self,
        writes: &Writes,
        outer: usize,
        object: Span,
        inner: Change,
        room: &mut usize,
    ) -> Result<Change, Conflict> {
        let (path, outer_depth) = (&writes.fields[inner.field].path, writes.fields[outer].nodes.len());
        let object = object.get(&self.text).expect("slots are checked when they are taken over");
        let value = Value::of(inner.kind, inner.cell, &self.text).expect("only what is written is planned");
        let mut token = Vec::new();
        set(object, &path.keys()[outer_depth..], value, &mut token)
            .map_err(|(depth, found)| Conflict::new(path, outer_depth + depth, found))?;
        if token.len() > *room || self.text.len() + token.len() > TEXT_BYTES_MAX {
            return Err(Conflict::full());
        }
        *room -= token.len();
        let span = Span { start: self.text.len() as u32, len: token.len() as u32 };
        self.text.extend_from_slice(&token);
        let state = SlotState::new(State::Present, JsonType::Object);
        Ok(Change { field: outer, kind: FieldKind::Json, cell: (state, span.slot()) })
    }

    /// Notes one change among the written fields.
    pub(super) fn keep(&mut self, writes: &Writes, event: u32, change: &Change) {
        let &Change { field, kind, cell: (state, slot) } = change;
        for &other in &self.written_at[field] {
            self.written[other].states[event as usize] = SlotState::ABSENT;
        }
        if state.state() != State::Absent {
            let index = self.written_entry(writes, field, kind);
            let written = &mut self.written[index];
            written.states[event as usize] = state;
            written.slots[event as usize] = slot;
        }
    }
}

/// One field of an event, and what it is to be.
pub(super) struct Change {
    pub(super) field: usize,
    pub(super) kind: FieldKind,
    pub(super) cell: Cell,
}

enum Way {
    Free,
    Inside { object: Span, outer: usize },
}

/// Why a field cannot be written into an event.
struct Conflict {
    code: &'static str,
    reason: String,
}

impl Conflict {
    fn new(path: &Path, depth: usize, found: JsonType) -> Self {
        let parent = path.ancestors().nth(depth).expect("only parents are in the way");
        let found = match found {
            JsonType::Null => "null",
            JsonType::Boolean => "a boolean",
            JsonType::Integer | JsonType::Float => "a number",
            JsonType::String => "a string",
            JsonType::Array => "an array",
            JsonType::Object => "an object",
        };
        let reason = format!("the field {path} cannot be written, since {parent} is {found} and no object");
        Self { code: "enrich_conflict", reason }
    }

    fn full() -> Self {
        Self { code: "too_large", reason: Fault::TooMuchText.to_string() }
    }

    fn reject(self, event: u32) -> Rejection {
        let code = Cow::Borrowed(self.code);
        Rejection { event, stage: Stage::Enrich, plugin: None, sink: None, code, reason: self.reason }
    }
}

/// Appends `object` with `value` at `keys`. The error is the depth and type of a parent that is no object.
fn set(object: &[u8], keys: &[String], value: Value<'_>, out: &mut Vec<u8>) -> Result<(), (usize, JsonType)> {
    let writes = Writes::new(&[Path::of_keys(keys)], &[]);
    let mut trie = Trie::new();
    writes.add_places(&mut trie);
    let mut places = vec![Place::ABSENT; writes.places()];
    let mut text = TextArena::with_room(0);
    let mut row = Row { slots: &mut [], states: &mut [], places: &mut places, time_ns: None, text: &mut text };
    Scanner::new(&trie).value(object, DEPTH_MAX, &mut row).expect("written tokens are checked");
    for (depth, place) in places[..keys.len() - 1].iter().enumerate() {
        if place.state.state() != State::Absent && place.state.json_type() != JsonType::Object {
            return Err((depth, place.state.json_type()));
        }
    }
    splice(object, &writes, &places, &|_| Some(value), out);
    Ok(())
}
