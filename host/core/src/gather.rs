//! A batch's cells in the shape in which they cross into a guest.

use crate::{Batch, State};

impl Batch {
    /// Appends the cells of `columns` (of the projection, in any order) for `events` (indices): event n's column f is slot n *
    /// columns + f of `slots`. `states` gets two bits per slot, slot s in bits 2 * (s mod 32) of word s / 32, or nothing
    /// when every cell is present. Both must be empty; their room is used again. Slots name ranges of [`Batch::text`].
    ///
    /// # Panics
    /// When an event or a column is not of this batch.
    pub fn gather(&self, columns: &[usize], events: &[u32], slots: &mut Vec<u64>, states: &mut Vec<u64>) {
        assert!(slots.is_empty() && states.is_empty(), "cells are gathered into empty buffers");
        assert!(columns.iter().all(|&column| column < self.columns()), "columns are of this projection");
        slots.reserve(events.len() * columns.len());
        states.reserve((events.len() * columns.len()).div_ceil(32));
        let (mut word, mut used, mut all_present) = (0u64, 0u32, true);
        for &event in events {
            let first = event as usize * self.columns();
            let row = first..first + self.columns();
            let (row_slots, row_states) = (&self.slots[row.clone()], &self.states[row]);
            for &column in columns {
                slots.push(row_slots[column]);
                let bits = row_states[column].bits();
                all_present &= bits == State::Present as u8;
                word |= u64::from(bits) << used;
                used += 2;
                if used == u64::BITS {
                    states.push(word);
                    (word, used) = (0, 0);
                }
            }
        }
        if all_present {
            states.clear();
        } else if used > 0 {
            states.push(word);
        }
    }
}
