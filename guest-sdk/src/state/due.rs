//! The keys that become due during a batch: those that the host knew, and those that were put meanwhile.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::keys::{Key, Keys};

#[derive(Debug, Default)]
pub(super) struct Due {
    /// What the host gave, in order of wakes and keys, and how many of them are done.
    expected: Vec<(i64, Key)>,
    done: usize,
    /// What was put during the batch: wake, the key's bytes for their order, and the key.
    added: BinaryHeap<Reverse<(i64, Vec<u8>, Key)>>,
    /// Keys that one event is given.
    pub(super) most: usize,
    /// The event that was asked for last, and how many it was given.
    event: usize,
    given: usize,
}

impl Due {
    pub(super) fn expect(&mut self, wake: i64, key: Key) {
        self.expected.push((wake, key));
    }

    /// Adds a key that was put with a wake within the batch.
    #[cold]
    pub(super) fn add(&mut self, wake: i64, key: Key, bytes: &[u8]) {
        self.added.push(Reverse((wake, bytes.to_vec(), key)));
    }

    /// Takes the next key for an event. What is no longer `is_due` is passed over.
    pub(super) fn next(
        &mut self,
        event: usize,
        clock: i64,
        keys: &Keys,
        is_due: impl Fn(i64, Key) -> bool,
    ) -> Option<(i64, Key)> {
        if self.event != event {
            (self.event, self.given) = (event, 0);
        }
        if self.given == self.most {
            return None;
        }
        while self.expected.get(self.done).is_some_and(|(wake, key)| !is_due(*wake, *key)) {
            self.done += 1;
        }
        while self.added.peek().is_some_and(|Reverse((wake, _, key))| !is_due(*wake, *key)) {
            self.added.pop();
        }
        let expected = self.expected.get(self.done).copied();
        let added = self.added.peek().map(|Reverse((wake, _, key))| (*wake, *key));
        let order = |(wake, key): (i64, Key)| (wake, keys.bytes(key));
        let is_added = match (expected, added) {
            (Some(expected), Some(added)) => order(added) < order(expected),
            (_, added) => added.is_some(),
        };
        let next = if is_added { added } else { expected };
        let (wake, key) = next.filter(|(wake, _)| *wake <= clock)?;
        if is_added {
            self.added.pop();
        } else {
            self.done += 1;
        }
        self.given += 1;
        Some((wake, key))
    }
}
