//! Which keys have a time that has come, without moving anything when a time is put off: a key has at most one item that
//! counts, which lies at or before its time, and what turns up too early goes back to where it belongs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The time that never comes.
pub(super) const NEVER: i64 = i64::MAX;

/// Slots of a map by a lower bound of their time.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(i64, u32)>>);

impl Timers {
    /// Sees to it that `slot`, whose item lies at `item`, turns up by `time`.
    #[inline]
    pub(super) fn set(&mut self, slot: u32, item: &mut i64, time: i64) {
        if time < *item {
            self.0.push(Reverse((time, slot)));
            *item = time;
        }
    }

    /// The next item at or before `until`. Whether it still counts is for the caller to see, by the time that it gives.
    #[inline]
    pub(super) fn pop(&mut self, until: i64) -> Option<(i64, u32)> {
        let Reverse(first) = *self.0.peek()?;
        if first.0 > until {
            return None;
        }
        self.0.pop();
        Some(first)
    }
}
