//! Marking with the vector instructions of x86-64: AVX2 where the processor has it, else SSE2, which all have.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    _mm_setzero_si128, _mm256_cmpeq_epi8, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_m128i,
    _mm256_set1_epi8, _mm256_setzero_si256,
};

/// The best that the processor has. Only [`Self::detect`] and [`Self::all`] make one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instructions(Level);

#[derive(Clone, Copy, Debug)]
enum Level {
    Avx2,
    Sse2,
}

impl Instructions {
    pub(super) fn detect() -> Self {
        Self(if is_x86_feature_detected!("avx2") { Level::Avx2 } else { Level::Sse2 })
    }

    /// Every one that the processor has.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        vec![Self::detect(), Self(Level::Sse2)]
    }

    /// One word per block and one for `last`; answers whether all is ASCII.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) fn mark(self, blocks: &[[u8; 64]], last: &[u8; 64], words: &mut [u64]) -> bool {
        match self.0 {
            // SAFETY: the function is unsafe to call only because it asks for AVX2: it has no pointers, and slices are
            // indexed with checks. This level is made in one place, after the processor was found to have AVX2.
            Level::Avx2 => unsafe { mark_avx2(blocks, last, words) },
            // SAFETY: likewise, and SSE2 is part of x86-64.
            Level::Sse2 => unsafe { mark_sse2(blocks, last, words) },
        }
    }
}

#[target_feature(enable = "avx2")]
fn mark_avx2(blocks: &[[u8; 64]], last: &[u8; 64], words: &mut [u64]) -> bool {
    let mut seen = _mm256_setzero_si256();
    let (last_word, words) = words.split_last_mut().expect("one more than blocks");
    for (block, word) in blocks.iter().zip(words) {
        *word = mark_block_avx2(block, &mut seen);
    }
    *last_word = mark_block_avx2(last, &mut seen);
    _mm256_movemask_epi8(seen) == 0
}

#[target_feature(enable = "avx2")]
#[inline]
fn mark_block_avx2(block: &[u8; 64], seen: &mut __m256i) -> u64 {
    let (low, high) = (load_avx2(block, 0), load_avx2(block, 32));
    *seen = _mm256_or_si256(*seen, _mm256_or_si256(low, high));
    u64::from(marked_avx2(low)) | u64::from(marked_avx2(high)) << 32
}

#[target_feature(enable = "avx2")]
#[inline]
fn marked_avx2(bytes: __m256i) -> u32 {
    let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
    let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
    let limit = _mm256_set1_epi8(0x1f);
    let control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, limit), limit);
    _mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, backslash))) as u32
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_avx2(block: &[u8; 64], from: usize) -> __m256i {
    let (parts, _) = block[from..from + 32].as_chunks::<16>();
    _mm256_set_m128i(load_sse2(&parts[1]), load_sse2(&parts[0]))
}

#[target_feature(enable = "sse2")]
fn mark_sse2(blocks: &[[u8; 64]], last: &[u8; 64], words: &mut [u64]) -> bool {
    let mut seen = _mm_setzero_si128();
    for (block, word) in blocks.iter().chain([last]).zip(words) {
        let (parts, _) = block.as_chunks::<16>();
        *word = 0;
        for (n, part) in parts.iter().enumerate() {
            let bytes = load_sse2(part);
            seen = _mm_or_si128(seen, bytes);
            *word |= u64::from(marked_sse2(bytes)) << (16 * n);
        }
    }
    _mm_movemask_epi8(seen) == 0
}

#[target_feature(enable = "sse2")]
#[inline]
fn marked_sse2(bytes: __m128i) -> u16 {
    let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
    let limit = _mm_set1_epi8(0x1f);
    let control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, limit), limit);
    _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))) as u16
}

#[target_feature(enable = "sse2")]
#[inline]
fn load_sse2(part: &[u8; 16]) -> __m128i {
    let whole = u128::from_le_bytes(*part);
    _mm_set_epi64x((whole >> 64) as i64, whole as i64)
}
