//! Which partition a key belongs to.

use crate::config::Partitioner;

impl Partitioner {
    /// The partition of `key` among `count`; `None`: any.
    pub(super) fn choose(self, key: Option<&[u8]>, count: u32) -> Option<u32> {
        match (self, key) {
            (Self::Murmur2, Some(key)) => Some((murmur2(key) & 0x7fff_ffff) % count),
            // As there, an empty key is none.
            (Self::Crc32, Some(key)) if !key.is_empty() => {
                let mut crc = flate2::Crc::new();
                crc.update(key);
                Some(crc.sum() % count)
            }
            _ => None,
        }
    }
}

/// MurmurHash2 by Austin Appleby (public domain), with the seed that Kafka's clients take.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ word >> 24).wrapping_mul(M)
    };
    let mut hash = SEED ^ key.len() as u32;
    let (words, tail) = key.as_chunks();
    for word in words {
        hash = hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word));
    }
    for (n, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * n);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_that_of_java_clients() {
        // The values of Kafka's own UtilsTest.
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn equal_keys_go_to_one_partition_and_null_keys_anywhere() {
        for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
            let chosen = partitioner.choose(Some(b"k"), 7).unwrap();
            assert!(chosen < 7);
            assert_eq!(partitioner.choose(Some(b"k"), 7), Some(chosen));
            assert_eq!(partitioner.choose(None, 7), None);
        }
        assert_eq!(Partitioner::Random.choose(Some(b"k"), 7), None);
        // CRC-32 of "123456789" is 0xcbf43926.
        assert_eq!(Partitioner::Crc32.choose(Some(b"123456789"), 1 << 31), Some(0xcbf4_3926 & 0x7fff_ffff));
    }
}
