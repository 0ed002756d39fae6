//! Written values, laid over the columns that read them, so that later plugins and sinks see them.

use std::mem;

use crate::fault::Fault;
use crate::row::{Row, TextArena};
use crate::scan::{DEPTH_MAX, Scanner};
use crate::trie::{ROOT, Trie};
use crate::writes::Writes;
use crate::written::{Cell, Value};
use crate::{Batch, Rejection, Stage};

impl Batch {
    /// Renews the columns at the written paths and below that read what was `changed` (event and field).
    pub(crate) fn overlay_fields(
        &mut self,
        writes: &Writes,
        changed: &[(u32, usize)],
        rejections: &mut Vec<Rejection>,
    ) {
        if changed.is_empty() {
            return;
        }
        let mut scanners: Vec<Option<Scanner<'_>>> = writes.fields.iter().map(|_| None).collect();
        let mut arena = TextArena::after(mem::take(&mut self.text));
        let mut token = Vec::new();
        for &(event, field) in changed {
            let Some((kind, cell)) = self.written_cell(field, event) else {
                continue;
            };
            let Some(trie) = &writes.fields[field].columns else {
                continue;
            };
            if let Some(column) = writes.fields[field].reader(kind) {
                self.set_cell(event, column, cell);
                continue;
            }
            token.clear();
            Value::of(kind, cell, arena.text()).expect("not absent").write(&mut token);
            let scanner = scanners[field].get_or_insert_with(|| Scanner::new(trie));
            if let Err(fault) = self.scan_over(event, trie, scanner, &token, &mut arena) {
                rejections.push(too_much(&fault, event));
            }
        }
        self.text = arena.into_bytes();
    }

    /// Renews the columns above the written paths: read again from the payloads of `events` as they are now.
    pub(crate) fn overlay_parents(&mut self, writes: &Writes, events: &[u32], rejections: &mut Vec<Rejection>) {
        let Some(parents) = &writes.parents else { return };
        let events: Vec<u32> = events.iter().copied().filter(|&event| self.is_written(event)).collect();
        let mut scanner = Scanner::new(parents);
        let mut payloads = Vec::new();
        let mut ends = Vec::with_capacity(events.len());
        for &event in &events {
            self.payload_into(event, &mut payloads);
            ends.push(payloads.len());
        }
        let mut arena = TextArena::after(mem::take(&mut self.text));
        let mut start = 0;
        for (event, end) in events.into_iter().zip(ends) {
            if let Err(fault) = self.scan_over(event, parents, &mut scanner, &payloads[start..end], &mut arena) {
                rejections.push(too_much(&fault, event));
            }
            start = end;
        }
        self.text = arena.into_bytes();
    }

    pub(crate) fn set_cell(&mut self, event: u32, column: usize, (state, slot): Cell) {
        let at = event as usize * self.columns() + column;
        self.states[at] = state;
        self.slots[at] = slot;
    }

    /// Reads the columns of `trie` from a value again.
    fn scan_over<'t>(
        &mut self,
        event: u32,
        trie: &'t Trie,
        scanner: &mut Scanner<'t>,
        value: &[u8],
        arena: &mut TextArena,
    ) -> Result<(), Fault> {
        let first = event as usize * self.columns();
        let cells = first..first + self.columns();
        let (slots, states) = (&mut self.slots[cells.clone()], &mut self.states[cells]);
        let text_before = arena.len();
        let mut row = Row { slots, states, places: &mut [], time_ns: None, text: arena };
        row.clear(&trie.node(ROOT).below);
        let scanned = scanner.value(value, DEPTH_MAX, &mut row);
        if scanned.is_err() {
            row.clear(&trie.node(ROOT).targets);
            row.clear(&trie.node(ROOT).below);
            row.text.truncate(text_before);
        }
        scanned
    }
}

/// Only room for text can be lacking, since written values are checked and no deeper than a payload may be.
fn too_much(fault: &Fault, event: u32) -> Rejection {
    Rejection { stage: Stage::Enrich, ..fault.reject(event) }
}
