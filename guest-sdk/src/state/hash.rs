//! A hash of 64 bits that is the same for ever: it is stored in state. Murmur's mixing, eight bytes at a step.

const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;

/// A hash of `bytes`, another one for each `seed`, and the same for ever, so that it may be stored: Murmur's mixing (Appleby), eight bytes
/// at a step. It is fast and no secret: who wants to can make bytes that have the same one.
///
/// ```
/// use wasmill_sdk::state::hash;
///
/// assert_ne!(hash(0, b"eve"), hash(1, b"eve"));
/// ```
#[inline]
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = step(state, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        state = step(state, last);
    }
    let state = (state ^ state >> 47).wrapping_mul(MULTIPLIER);
    state ^ state >> 47
}

fn step(state: u64, word: u64) -> u64 {
    let word = word.wrapping_mul(MULTIPLIER);
    let word = (word ^ word >> 47).wrapping_mul(MULTIPLIER);
    (state ^ word).wrapping_mul(MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_hash_of_a_text_never_changes() {
        assert_eq!(hash(0, b""), 0);
        assert_eq!(hash(7, b"10.0.0.1"), 0xc3ff_a232_438b_97ca);
        assert_eq!(hash(7, b"a longer text of 25 bytes"), 0xf6dd_a8e3_0a1d_f1aa);
    }

    #[test]
    fn texts_that_differ_have_hashes_that_differ() {
        let of = |number: u32| hash(0, format!("10.0.{}.{}", number / 256, number % 256).as_bytes());
        let hashes: HashSet<u64> = (0..65_536).map(of).collect();
        assert_eq!(hashes.len(), 65_536);
        // Their low bits too, which choose a place in a table: as many as chance has.
        let places: HashSet<u64> = (0..2_000).map(|number| of(number) & 4_095).collect();
        assert!((1_500..1_650).contains(&places.len()), "{}", places.len());
    }
}
