//! Written fields, put back into a payload: its bytes stay as they are, but for the values that are replaced and the
//! members that are put in before an object's closing brace. Nothing is parsed and printed again.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::row::Place;
use crate::writes::{PAYLOAD, Writes};
use crate::written::Value;
use crate::{Batch, State};

impl Batch {
    /// The payload of an event after enrichment: the source's bytes with each written field replacing the (last) existing
    /// value's bytes or inserted before the closing brace; absent parents are made. Borrowed when nothing was written.
    /// Of a text it is the object made of it. Empty for a tombstone. Without meaning for events that were rejected.
    pub fn payload(&self, event: u32) -> Cow<'_, [u8]> {
        if self.is_written(event) {
            let mut out = Vec::new();
            self.payload_into(event, &mut out);
            Cow::Owned(out)
        } else {
            Cow::Borrowed(self.raw.document(event as usize).unwrap_or_default())
        }
    }

    /// Appends what [`Batch::payload`] answers.
    pub fn payload_into(&self, event: u32, out: &mut Vec<u8>) {
        let payload = self.raw.document(event as usize).unwrap_or_default();
        let value = |field| self.written_value(field, event);
        splice(payload, self.projection.writes(), self.places_of(event), &value, out);
    }

    fn written_value(&self, field: usize, event: u32) -> Option<Value<'_>> {
        let (kind, cell) = self.written_cell(field, event)?;
        Value::of(kind, cell, &self.text)
    }
}

/// Appends `object` with the values that `value` gives for the fields of `writes`. `places` says where the object holds
/// them and their parents; a parent that is there is an object.
pub(crate) fn splice<'v>(
    object: &[u8],
    writes: &Writes,
    places: &[Place],
    value: &impl Fn(usize) -> Option<Value<'v>>,
    out: &mut Vec<u8>,
) {
    let mut splice = Splice { object, writes, places, values: SmallVec::new(), touched: SmallVec::new() };
    splice.touched.resize(writes.nodes.len(), false);
    for (index, field) in writes.fields.iter().enumerate() {
        let written = value(index);
        if written.is_some() {
            field.nodes.iter().for_each(|&node| splice.touched[node] = true);
        }
        splice.values.push(written);
    }
    let mut edits = Edits::new();
    let end = object.trim_ascii_end().len();
    splice.edit_object(PAYLOAD, end, &mut edits);
    edits.sort_unstable_by_key(|edit| edit.start);
    let mut from = 0;
    for edit in edits {
        out.extend_from_slice(&object[from..edit.start]);
        match edit.change {
            Change::Replace(new) => new.write(out),
            Change::Insert(node) => splice.write_missing(node, edit.start, out),
        }
        from = edit.end;
    }
    out.extend_from_slice(&object[from..]);
}

/// One payload's work, without an allocation where few fields are written.
struct Splice<'s, 'v> {
    object: &'s [u8],
    writes: &'s Writes,
    places: &'s [Place],
    /// By field.
    values: SmallVec<[Option<Value<'v>>; 16]>,
    /// By node: whether a value is written there or below.
    touched: SmallVec<[bool; 32]>,
}

type Edits<'v> = SmallVec<[Edit<'v>; 8]>;

/// A change of the bytes from `start` to `end`.
struct Edit<'v> {
    start: usize,
    end: usize,
    change: Change<'v>,
}

enum Change<'v> {
    Replace(Value<'v>),
    /// The members that the object of this node lacks.
    Insert(usize),
}

impl<'v> Splice<'_, 'v> {
    /// Collects the changes within the object of `node`, which ends before `end`.
    fn edit_object(&self, node: usize, end: usize, edits: &mut Edits<'v>) {
        for &child in &self.writes.nodes[node].children {
            let Some(place) = self.present(child) else {
                continue;
            };
            let start = place.span.start as usize;
            let child_end = start + place.span.len as usize;
            match self.value_at(child) {
                Some(new) => edits.push(Edit { start, end: child_end, change: Change::Replace(new) }),
                None if self.touched[child] => self.edit_object(child, child_end, edits),
                None => {}
            }
        }
        if self.missing(node).next().is_some() {
            // Before the closing brace.
            edits.push(Edit { start: end - 1, end: end - 1, change: Change::Insert(node) });
        }
    }

    fn present(&self, node: usize) -> Option<Place> {
        Some(self.places[node - 1]).filter(|place| place.state.state() != State::Absent)
    }

    fn value_at(&self, node: usize) -> Option<Value<'v>> {
        self.values[self.writes.nodes[node].field?]
    }

    fn missing(&self, node: usize) -> impl Iterator<Item = usize> {
        let children = self.writes.nodes[node].children.iter().copied();
        children.filter(|&child| self.present(child).is_none() && self.touched[child])
    }

    /// Writes the members that the object of `node`, whose closing brace stands at `brace`, lacks.
    fn write_missing(&self, node: usize, brace: usize, out: &mut Vec<u8>) {
        let mut first = self.object[..brace].trim_ascii_end().ends_with(b"{");
        for child in self.missing(node) {
            if !first {
                out.push(b',');
            }
            first = false;
            self.write_member(child, out);
        }
    }

    fn write_member(&self, node: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.writes.nodes[node].member);
        if let Some(new) = self.value_at(node) {
            return new.write(out);
        }
        let mut opening = b'{';
        for &child in self.writes.nodes[node].children.iter().filter(|&&child| self.touched[child]) {
            out.push(opening);
            opening = b',';
            self.write_member(child, out);
        }
        out.push(b'}');
    }
}
