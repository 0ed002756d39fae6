//! The keys of a batch: the same bytes are the same key.

use std::borrow::Cow;

use crate::words;

/// A key of a batch. Only the [`State`](super::State) that made it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u32);

impl Key {
    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place that no key has.
const FREE: u32 = u32::MAX;

/// Keys back to back, and a table of open addressing over them. Its hash has no secret: a batch is small enough that
/// keys made to collide cost microseconds.
#[derive(Debug)]
pub(super) struct Keys {
    /// As many keys are expected.
    expected: usize,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// The keys' hashes, so that the table can grow.
    hashes: Vec<u32>,
    /// A power of two of places, at most half of them taken.
    places: Vec<u32>,
}

impl Keys {
    pub(super) fn for_events(events: usize) -> Self {
        Keys { expected: events, bytes: Vec::new(), ends: Vec::new(), hashes: Vec::new(), places: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(super) fn bytes(&self, key: Key) -> &[u8] {
        &self.bytes[self.start(key.index())..self.ends[key.index()] as usize]
    }

    /// The keys from the `first` on as they cross: back to back, with their ends counted from there.
    pub(super) fn since(&self, first: usize) -> (&[u8], Cow<'_, [u32]>) {
        let start = self.start(first);
        let ends = match start {
            0 => Cow::Borrowed(&self.ends[first..]),
            _ => self.ends[first..].iter().map(|end| end - start as u32).collect(),
        };
        (&self.bytes[start..], ends)
    }

    /// The key of the bytes that `append` appends: behind those of the other keys, where they stay if the key is a new one.
    #[inline]
    pub(super) fn intern(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> Key {
        if self.ends.len() * 2 >= self.places.len() {
            self.grow();
        }
        append(&mut self.bytes);
        self.take_in()
    }

    /// The key of the bytes that are behind those of the other keys.
    // There once, however many functions append bytes.
    #[inline(never)]
    fn take_in(&mut self) -> Key {
        let start = self.start(self.ends.len());
        let hash = hash(&self.bytes[start..]);
        let mask = self.places.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let found = self.places[place];
            if found == FREE {
                return self.add(hash, place);
            }
            if self.hashes[found as usize] == hash && words::equal(self.bytes(Key(found)), &self.bytes[start..]) {
                self.bytes.truncate(start);
                return Key(found);
            }
            place = (place + 1) & mask;
        }
    }

    fn add(&mut self, hash: u32, place: usize) -> Key {
        let key = Key(self.ends.len() as u32);
        self.places[place] = key.0;
        self.ends.push(u32::try_from(self.bytes.len()).expect("keys are far smaller than 4 GiB"));
        self.hashes.push(hash);
        key
    }

    #[cold]
    fn grow(&mut self) {
        if self.places.is_empty() {
            self.bytes.reserve(self.expected * 24);
            self.ends.reserve(self.expected);
            self.hashes.reserve(self.expected);
        }
        let mask = (self.places.len() * 2).max((self.expected * 2 + 2).next_power_of_two()) - 1;
        self.places.clear();
        self.places.resize(mask + 1, FREE);
        for (key, hash) in self.hashes.iter().enumerate() {
            let mut place = *hash as usize & mask;
            while self.places[place] != FREE {
                place = (place + 1) & mask;
            }
            self.places[place] = key as u32;
        }
    }

    #[inline]
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }
}

/// Eight bytes at a time: rotate, xor, multiply; the upper half, which all bits reach.
#[inline]
fn hash(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let hash = words.fold(bytes.len() as u64, mix);
    let (first, last) = words::first_and_last(bytes);
    let last = if bytes.len() < 8 { first } else { last };
    (mix(mix(hash, last), hash >> 32) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(keys: &mut Keys, key: &str) -> Key {
        keys.intern(|bytes| bytes.extend_from_slice(key.as_bytes()))
    }

    #[test]
    fn same_bytes_are_the_same_key_however_many_there_are() {
        let mut keys = Keys::for_events(0);
        let name = |n: u32| format!("key-{n}-{}", "x".repeat(n as usize % 20));
        let made: Vec<Key> = (0..1000).map(|n| intern(&mut keys, &name(n))).collect();
        for (n, key) in made.iter().enumerate() {
            assert_eq!((key.index(), keys.bytes(*key)), (n, name(n as u32).as_bytes()));
            assert_eq!(intern(&mut keys, &name(n as u32)), *key);
        }
        assert_eq!(keys.len(), 1000);
        let empty = intern(&mut keys, "");
        assert_eq!((empty.index(), intern(&mut keys, "")), (1000, empty));
    }

    #[test]
    fn keys_cross_back_to_back_from_any_one_on() {
        let mut keys = Keys::for_events(4);
        for key in ["a", "", "bcd"] {
            intern(&mut keys, key);
        }
        assert_eq!(keys.since(0), (&b"abcd"[..], vec![1, 1, 4].into()));
        assert_eq!(keys.since(1), (&b"bcd"[..], vec![0, 3].into()));
        assert_eq!(keys.since(3), (&b""[..], vec![].into()));
    }
}
