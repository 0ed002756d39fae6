//! One plugin's state in one lane: a map with times, a limit, and a note of what changed.

use std::hash::BuildHasher;

use super::clock::Clock;
use super::hash::Seed;
use super::index::Index;
use super::rows::{StateRow, StateRows};
use super::timers::{NEVER, Timers};

/// What a key counts as beside its own bytes and those of its value.
const BYTES_PER_KEY: usize = 64;
/// When a map is full so many of its bytes are freed at once, one in this many, so that it is not full again at the next event.
const FREED_ONE_IN: usize = 16;
/// Expired keys that one call takes away beside as many as it wrote; the others have no value either way.
const EXPIRED_PER_CALL: usize = 256;

/// How long a value lives and when its key is due, times of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) expires: i64,
    pub(crate) wake: i64,
}

/// A value to be put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put<'a> {
    pub(crate) key: &'a [u8],
    /// Where the key was found, if it was.
    pub(crate) slot: Option<u32>,
    pub(crate) value: &'a [u8],
    /// The most bytes that the value had on the way.
    pub(crate) peak: usize,
    pub(crate) life: Life,
    /// The offset of the event that wrote it.
    pub(crate) offset: i64,
}

impl Life {
    /// Whether nothing is left of it at a clock: it has expired, and was not due before that. What was due waits to be given, so
    /// that it does not depend on where batches were cut whether it is.
    fn is_gone(self, clock: Clock) -> bool {
        self.expires <= clock.before() && self.wake >= self.expires
    }
}

#[derive(Debug)]
struct Entry {
    /// The key and the value behind it, as they go into rows.
    bytes: Vec<u8>,
    key_length: usize,
    /// Of the key.
    hash: u32,
    life: Life,
    offset: i64,
    /// Where the items of the timers lie; [`NEVER`]: there is none.
    expiry_item: i64,
    wake_item: i64,
    has_changed: bool,
}

impl Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_length]
    }

    #[inline]
    fn value(&self) -> &[u8] {
        &self.bytes[self.key_length..]
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct StateMap {
    pub(crate) clock: Clock,
    seed: Seed,
    index: Index,
    entries: Vec<Entry>,
    free: Vec<u32>,
    bytes: usize,
    expiries: Timers,
    wakes: Timers,
    /// Slots with changes, and keys that went, since the last [`StateMap::take_changed`].
    changed: Vec<u32>,
    gone: Vec<Vec<u8>>,
}

impl StateMap {
    /// A map as it was stored.
    pub(super) fn restored(clock: Clock, rows: &StateRows) -> Self {
        let mut map = Self { clock, ..Self::default() };
        let mut gone = Vec::new();
        for StateRow { key, value, expires, wake, offset } in rows.iter() {
            let life = Life { expires, wake };
            match value {
                Some(value) if !life.is_gone(clock) => {
                    map.put(&Put { key, slot: None, value, peak: value.len(), life, offset });
                }
                // To be deleted where it was stored.
                _ => gone.push(key.to_vec()),
            }
        }
        map.take_changed();
        map.gone = gone;
        map
    }

    /// Where a key is.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        let is_it = |slot: u32| self.entries[slot as usize].key() == key;
        self.index.find(self.hash(key), is_it)
    }

    /// The value in a slot, unless it is gone.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<(&[u8], Life)> {
        let entry = &self.entries[slot as usize];
        (!entry.life.is_gone(self.clock)).then_some((entry.value(), entry.life))
    }

    /// The first `limit` slots that are due at `until`, in order of their wakes, then of their keys.
    pub(crate) fn due(&mut self, until: i64, limit: usize) -> Vec<u32> {
        let mut due: Vec<u32> = Vec::new();
        let mut last = i64::MIN;
        // Ties at the limit are taken too, since their keys decide.
        while let Some((time, slot)) = self.wakes.pop(if due.len() < limit { until } else { until.min(last) }) {
            let entry = &mut self.entries[slot as usize];
            if entry.wake_item != time {
                continue;
            }
            entry.wake_item = NEVER;
            let Life { wake, expires } = entry.life;
            if wake > time {
                self.wakes.set(slot, &mut entry.wake_item, wake);
            } else if wake < expires {
                last = wake;
                due.push(slot);
            }
        }
        for slot in &due {
            let entry = &mut self.entries[*slot as usize];
            self.wakes.set(*slot, &mut entry.wake_item, entry.life.wake);
        }
        let order = |slot: &u32| {
            let entry = &self.entries[*slot as usize];
            (entry.life.wake, entry.key())
        };
        due.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
        due.truncate(limit);
        due
    }

    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        self.entries[slot as usize].key()
    }

    /// Bytes that the map holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that the map would hold at most on the way through these puts, whatever is taken away by them.
    pub(crate) fn bytes_after<'a>(&self, puts: impl Iterator<Item = Put<'a>>) -> usize {
        let more = |put: Put<'_>| match put.slot {
            Some(slot) => put.peak.saturating_sub(self.entries[slot as usize].value().len()),
            None => size(put.key.len()) + put.peak,
        };
        self.bytes + puts.map(more).sum::<usize>()
    }

    /// Takes over what a call stored, and its clock. Gives how many keys went because there was no room for them.
    pub(crate) fn apply<'a>(&mut self, puts: impl Iterator<Item = Put<'a>>, clock: Clock, bytes_max: usize) -> usize {
        self.clock = clock;
        let mut dead = Vec::new();
        let mut written = 0;
        for put in puts {
            written += 1;
            let is_dead = put.life.is_gone(clock);
            match put.slot.or_else(|| self.find(put.key)) {
                None if is_dead => {}
                slot => {
                    let slot = self.put(&Put { slot, ..put });
                    // Taken away later: a second put of the key may follow.
                    dead.extend(is_dead.then_some(slot));
                }
            }
        }
        for slot in dead {
            let entry = &self.entries[slot as usize];
            if entry.life.is_gone(clock) && self.find(entry.key()) == Some(slot) {
                self.remove(slot);
            }
        }
        self.purge(EXPIRED_PER_CALL + written);
        if self.bytes <= bytes_max {
            return 0;
        }
        self.purge(usize::MAX);
        self.evict(bytes_max)
    }

    /// What changed since this was called last.
    pub(crate) fn take_changed(&mut self) -> StateRows {
        let length = |slot: &u32| self.entries[*slot as usize].bytes.len();
        let mut rows = StateRows::with_room(self.changed.len(), self.changed.iter().map(length).sum());
        for slot in self.changed.drain(..) {
            let entry = &mut self.entries[slot as usize];
            if std::mem::take(&mut entry.has_changed) {
                rows.push_joined(&entry.bytes, entry.key_length, entry.life, entry.offset);
            }
        }
        for key in std::mem::take(&mut self.gone) {
            if self.find(&key).is_none() {
                rows.push(&StateRow { key: &key, value: None, expires: NEVER, wake: NEVER, offset: 0 });
            }
        }
        rows
    }

    /// The high bits, which all others reach.
    #[inline]
    fn hash(&self, key: &[u8]) -> u32 {
        (self.seed.hash_one(key) >> 32) as u32
    }

    fn put(&mut self, put: &Put<'_>) -> u32 {
        let slot = put.slot.unwrap_or_else(|| self.insert(put.key, put.value.len()));
        let entry = &mut self.entries[slot as usize];
        self.bytes -= entry.value().len();
        self.bytes += put.value.len();
        entry.bytes.truncate(entry.key_length);
        entry.bytes.extend_from_slice(put.value);
        (entry.life, entry.offset) = (put.life, put.offset);
        self.expiries.set(slot, &mut entry.expiry_item, put.life.expires);
        self.wakes.set(slot, &mut entry.wake_item, put.life.wake);
        if !entry.has_changed {
            entry.has_changed = true;
            self.changed.push(slot);
        }
        slot
    }

    /// Adds a key that is not there, with room for a value.
    fn insert(&mut self, key: &[u8], value_length: usize) -> u32 {
        self.bytes += size(key.len());
        let mut bytes = Vec::with_capacity(key.len() + value_length);
        bytes.extend_from_slice(key);
        let hash = self.hash(key);
        let entry = Entry {
            bytes,
            key_length: key.len(),
            hash,
            life: Life { expires: NEVER, wake: NEVER },
            offset: 0,
            expiry_item: NEVER,
            wake_item: NEVER,
            has_changed: false,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.index.insert(hash, slot);
        slot
    }

    fn remove(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        self.index.remove(entry.hash, slot);
        self.bytes -= size(entry.bytes.len());
        let mut key = std::mem::take(&mut entry.bytes);
        key.truncate(entry.key_length);
        (entry.key_length, entry.expiry_item, entry.wake_item, entry.has_changed) = (0, NEVER, NEVER, false);
        self.gone.push(key);
        self.free.push(slot);
    }

    /// Takes away up to `limit` keys whose values are gone by the clock.
    fn purge(&mut self, limit: usize) {
        let now = self.clock.before();
        let mut purged = 0;
        while purged < limit
            && let Some((time, slot)) = self.expiries.pop(now)
        {
            let entry = &mut self.entries[slot as usize];
            if entry.expiry_item != time {
                continue;
            }
            entry.expiry_item = NEVER;
            if entry.life.expires > now {
                self.expiries.set(slot, &mut entry.expiry_item, entry.life.expires);
            } else if entry.life.is_gone(self.clock) {
                self.remove(slot);
                purged += 1;
            }
        }
    }

    /// Takes the keys away that were written longest ago, until there is room again.
    fn evict(&mut self, bytes_max: usize) -> usize {
        if self.bytes <= bytes_max {
            return 0;
        }
        let mut oldest: Vec<u32> = self.index.slots().collect();
        let age = |slot: &u32| {
            let entry = &self.entries[*slot as usize];
            (entry.offset, entry.key())
        };
        oldest.sort_unstable_by(|one, other| age(one).cmp(&age(other)));
        let mut evicted = 0;
        for slot in oldest {
            if self.bytes <= bytes_max - bytes_max / FREED_ONE_IN {
                break;
            }
            self.remove(slot);
            evicted += 1;
        }
        evicted
    }
}

/// What a key counts as whose bytes, with those of its value, are so many.
pub(crate) fn size(bytes: usize) -> usize {
    bytes + BYTES_PER_KEY
}
