//! The hash of a state's keys: a few nanoseconds, and seeded, since keys come from events.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Odd, with its bits well mixed: the golden ratio's.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A map's own seed.
#[derive(Clone, Debug)]
pub(super) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(FACTOR))
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    #[inline]
    fn build_hasher(&self) -> Folded {
        Folded { hash: self.0, seed: self.0 }
    }
}

/// Multiplies to 128 bits and folds the halves, eight bytes at a time, as wyhash does.
#[derive(Debug)]
pub(super) struct Folded {
    hash: u64,
    seed: u64,
}

impl Folded {
    #[inline]
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(FACTOR);
        self.hash = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for Folded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(last));
        }
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.hash = self.hash.rotate_left(23) ^ length as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        let product = u128::from(self.hash ^ self.seed) * u128::from(FACTOR);
        (product as u64) ^ (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn similar_keys_have_different_hashes_in_all_bits_that_tables_use() {
        let seed = Seed::default();
        let hashes: HashSet<u64> = (0..10_000).map(|n| seed.hash_one(format!("host-{n}").as_bytes())).collect();
        assert_eq!(hashes.len(), 10_000);
        // Of the high half the low bits choose the place, and all of them tell other keys apart.
        let tags: HashSet<u64> = hashes.iter().map(|hash| hash >> 32).collect();
        let places: HashSet<u64> = tags.iter().map(|hash| hash & 0xffff).collect();
        assert!(places.len() > 8_500 && tags.len() > 9_990, "{} {}", places.len(), tags.len());
    }
}
