//! Written fields, taken over into a batch: kept for the payload, and laid over the columns that read them.
//!
//! Of two fields of which one is inside the other, an event keeps one: a value written over a parent replaces what was
//! written below it, and a field written below a written object becomes part of that object's value.

mod nested;

use nested::Change;

use crate::writes::Writes;
use crate::written::{self, Cell, WRITTEN_BYTES_MAX, WrittenColumn};
use crate::{Batch, FieldKind, JsonType, Path, Rejection, SlotState, State, Written, WrittenRows};

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
        let mut columns = written::check(fields, events, self.raw.len(), rows, self.text.len())?;
        self.text.extend_from_slice(&rows.text);

        let others = self.not_by_column(writes, events, &targets);
        let cells = take_rows(&others, &mut columns);
        let mut changed = Vec::new();
        if others.len() < events.len() {
            for (&(field, kind), column) in targets.iter().zip(columns) {
                self.take_column(writes, field, kind, events, column, &mut changed);
            }
        }
        let mut rejections = Vec::new();
        let mut changes = Vec::new();
        let mut room = WRITTEN_BYTES_MAX;
        for (&event, cells) in others.iter().zip(cells.chunks(targets.len().max(1))) {
            match self.take_event(writes, event, &targets, cells, &mut changes, &mut room) {
                Ok(()) => changed.extend(changes.iter().map(|change| (event, change.field))),
                Err(conflict) => rejections.push(conflict),
            }
        }
        self.overlay_fields(writes, &changed, &mut rejections);
        self.overlay_parents(writes, events, &mut rejections);
        rejections.sort_by_key(|rejection| rejection.event);
        rejections.dedup_by_key(|rejection| rejection.event);
        Ok(rejections)
    }

    /// The events whose cells cannot be taken column by column: all, where one written field lies inside of another; else those
    /// whose payload has something else where it should have an object.
    fn not_by_column(&self, writes: &Writes, events: &[u32], targets: &[(usize, FieldKind)]) -> Vec<u32> {
        let parents_of = |&(field, _): &(usize, FieldKind)| writes.fields[field].parents();
        let is_apart = |target: &(usize, FieldKind)| {
            writes.fields[target.0].below.is_empty()
                && parents_of(target).iter().all(|&node| writes.nodes[node].field.is_none())
        };
        if !targets.iter().all(is_apart) {
            return events.to_vec();
        }
        let mut parents: Vec<usize> = targets.iter().flat_map(parents_of).copied().collect();
        parents.sort_unstable();
        parents.dedup();
        if parents.is_empty() {
            return Vec::new();
        }
        let in_the_way = |event: &u32| {
            let places = self.places_of(*event);
            parents.iter().any(|node| {
                let state = places[node - 1].state;
                state.state() != State::Absent && state.json_type() != JsonType::Object
            })
        };
        events.iter().copied().filter(in_the_way).collect()
    }

    /// Takes over one field of all events at once. What the columns that read it still have to be told goes to `changed`.
    fn take_column(
        &mut self,
        writes: &Writes,
        field: usize,
        kind: FieldKind,
        events: &[u32],
        column: WrittenColumn,
        changed: &mut Vec<(u32, usize)>,
    ) {
        let is_written = |event: &&u32| column.states[**event as usize].state() != State::Absent;
        let reader = writes.fields[field].reader(kind);
        if let Some(reader) = reader {
            for &event in events.iter().filter(is_written) {
                self.set_cell(event, reader, column.cell(event));
            }
        } else if writes.fields[field].columns.is_some() {
            changed.extend(events.iter().filter(is_written).map(|&event| (event, field)));
        }
        if self.written_at[field].is_empty() {
            self.add_written(writes, field, kind, column);
            return;
        }
        for &event in events.iter().filter(is_written) {
            self.keep(writes, event, &Change { field, kind, cell: column.cell(event) });
        }
    }

    /// The entry in `written` of a field that is written in this kind, made if it is not there.
    fn written_entry(&mut self, writes: &Writes, field: usize, kind: FieldKind) -> usize {
        let known = self.written_at[field].iter().copied().find(|&index| self.written[index].kind == kind);
        known.unwrap_or_else(|| {
            let column = WrittenColumn::absent(self.raw.len());
            self.add_written(writes, field, kind, column)
        })
    }

    fn add_written(&mut self, writes: &Writes, field: usize, kind: FieldKind, column: WrittenColumn) -> usize {
        let WrittenColumn { slots, states } = column;
        self.written.push(Written { path: writes.fields[field].path.clone(), kind, slots, states });
        self.written_at[field].push(self.written.len() - 1);
        self.written.len() - 1
    }
}

/// Takes the cells of `events` out of the columns, row by row.
fn take_rows(events: &[u32], columns: &mut [WrittenColumn]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(events.len() * columns.len());
    for &event in events {
        for column in &mut *columns {
            cells.push(column.cell(event));
            column.states[event as usize] = SlotState::ABSENT;
        }
    }
    cells
}

/// The fields' indices in `writes`, and their kinds.
fn declared(writes: &Writes, fields: &[(Path, FieldKind)]) -> Result<Vec<(usize, FieldKind)>, String> {
    let find = |(path, kind): &(Path, FieldKind)| match writes.field(path) {
        Some(field) => Ok((field, *kind)),
        None => Err(format!("the field {path} was not declared as written when the projection was built")),
    };
    fields.iter().map(find).collect()
}
