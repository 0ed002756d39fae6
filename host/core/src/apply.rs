//! Written fields, taken over into a batch: kept for the payload, and laid over the columns that read them.
//!
//! Of two fields of which one is inside the other, an event keeps one: a value written over a parent replaces what was
//! written below it, and a field written below a written object becomes part of that object's value.

use std::borrow::Cow;

use crate::fault::Fault;
use crate::row::{Place, Row, TEXT_BYTES_MAX, TextArena};
use crate::scan::{DEPTH_MAX, Scanner};
use crate::splice::splice;
use crate::trie::Trie;
use crate::writes::Writes;
use crate::written::{self, Cell, Value, WRITTEN_BYTES_MAX};
use crate::{Batch, FieldKind, JsonType, Path, Rejection, SlotState, Span, Stage, State, Written, WrittenRows};

impl Batch {
    /// Takes over what an enricher wrote for `events` (indices, rising): later readers of the paths see the new values, in
    /// the kind that each column asks for; raw columns stay what the source sent, and event times stay too. Answers the
    /// events whose payload cannot take a field since a parent of it is no object (code `enrich_conflict`); they have
    /// not been changed, and the caller removes them, and names the plugin.
    ///
    /// # Errors
    /// A sentence when a path was not declared by [`crate::ProjectionBuilder::write`], the rows do not have the shape that
    /// `fields` and `events` ask for, a slot reaches outside the text, text is not UTF-8, a float is not finite, a boolean
    /// is neither 0 nor 1, a JSON token is not valid JSON or would nest too deeply, or more than
    /// [`crate::WRITTEN_BYTES_MAX`] bytes are written. Nothing has been changed then.
    ///
    /// # Panics
    /// When an event is not of this batch.
    pub fn apply(
        &mut self,
        fields: &[(Path, FieldKind)],
        events: &[u32],
        rows: &WrittenRows,
    ) -> Result<Vec<Rejection>, String> {
        let projection = self.projection.clone();
        let writes = projection.writes();
        let targets = declared(writes, fields)?;
        let cells = written::check(fields, events.len(), rows, self.text.len())?;
        self.text.extend_from_slice(&rows.text);
        let mut rejections = Vec::new();
        let mut changed = Vec::new();
        let mut changes = Vec::new();
        let mut room = WRITTEN_BYTES_MAX;
        for (event, row) in events.iter().zip(cells.chunks(fields.len().max(1))) {
            changes.clear();
            match self.plan(writes, *event, &targets, row, &mut changes, &mut room) {
                Ok(()) => {
                    changed.extend(changes.iter().map(|change| (*event, change.field)));
                    changes.iter().for_each(|change| self.keep(writes, *event, change));
                }
                Err(conflict) => rejections.push(conflict.reject(*event)),
            }
        }
        self.overlay(writes, &changed, &mut rejections);
        rejections.sort_by_key(|rejection| rejection.event);
        rejections.dedup_by_key(|rejection| rejection.event);
        Ok(rejections)
    }

    /// What an event's written cells change, in order, or the first parent in their way. `room` is how many bytes of
    /// objects may still be made by putting fields into written ones.
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
    fn keep(&mut self, writes: &Writes, event: u32, change: &Change) {
        let &Change { field, kind, cell: (state, slot) } = change;
        for &other in &self.written_at[field] {
            self.written[other].states[event as usize] = SlotState::ABSENT;
        }
        if state.state() != State::Absent {
            let index = self.written_index(&writes.fields[field].path, field, kind);
            let written = &mut self.written[index];
            written.states[event as usize] = state;
            written.slots[event as usize] = slot;
        }
    }

    fn written_index(&mut self, path: &Path, field: usize, kind: FieldKind) -> usize {
        let known = self.written_at[field].iter().copied().find(|&index| self.written[index].kind == kind);
        known.unwrap_or_else(|| {
            let (slots, states) = (vec![0; self.raw.len()], vec![SlotState::ABSENT; self.raw.len()]);
            self.written.push(Written { path: path.clone(), kind, slots, states });
            self.written_at[field].push(self.written.len() - 1);
            self.written.len() - 1
        })
    }
}

struct Change {
    field: usize,
    kind: FieldKind,
    cell: Cell,
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

/// The fields' indices in `writes`, and their kinds.
fn declared(writes: &Writes, fields: &[(Path, FieldKind)]) -> Result<Vec<(usize, FieldKind)>, String> {
    let find = |(path, kind): &(Path, FieldKind)| match writes.field(path) {
        Some(field) => Ok((field, *kind)),
        None => Err(format!("the field {path} was not declared as written when the projection was built")),
    };
    fields.iter().map(find).collect()
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
