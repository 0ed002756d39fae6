//! Marks the bytes of a payload that can end a run of plain string text: quotes, backslashes and control characters. One
//! bit per byte, 64 bytes at a time, so that the end of a string is found by counting zeros.

/// The marks of one payload. The buffer is used again for the next.
pub(crate) struct Marks {
    words: Vec<u64>,
    instructions: Instructions,
}

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
use x86::Instructions;

impl Marks {
    pub(crate) fn new() -> Self {
        Self { words: Vec::new(), instructions: Instructions::detect() }
    }

    /// Marks `bytes`; everything after them counts as marked. Answers whether they are all ASCII.
    #[inline]
    pub(crate) fn mark(&mut self, bytes: &[u8]) -> bool {
        let words = bytes.len() / 64 + 1;
        if self.words.len() <= words {
            // One more than are filled, so that there are always two to look at.
            self.words.resize(words + 1, 0);
        }
        let (blocks, tail) = bytes.as_chunks::<64>();
        let words = &mut self.words[..words];
        if let Some(last) = bytes.last_chunk::<64>() {
            let ascii = self.instructions.mark(blocks, last, words);
            // The last 64 bytes hold the tail at their end; what is behind it counts as marked.
            let word = &mut words[blocks.len()];
            *word = word.unbounded_shr(64 - tail.len() as u32) | !0 << tail.len();
            ascii
        } else {
            let mut last = [0; 64];
            last[..tail.len()].copy_from_slice(tail);
            self.instructions.mark(blocks, &last, words)
        }
    }

    /// The first marked position at or after `from`, which is at most the number of bytes.
    #[inline(always)]
    pub(crate) fn next(&self, from: usize) -> usize {
        // The 64 bits from there on, out of two words: nearly always enough, and without a branch for where they lie.
        let (at, shift) = (from / 64, from % 64);
        let words = &self.words[at..at + 2];
        let bits = words[0] >> shift | words[1] << 1 << (63 - shift);
        if bits != 0 { from + bits.trailing_zeros() as usize } else { self.next_after(at + 1) }
    }

    /// The first marked position in the words from `at` on.
    #[inline(never)]
    fn next_after(&self, mut at: usize) -> usize {
        while self.words[at] == 0 {
            at += 1;
        }
        at * 64 + self.words[at].trailing_zeros() as usize
    }
}

/// The portable way, byte by byte.
#[derive(Clone, Copy, Debug)]
#[cfg(any(test, not(target_arch = "x86_64")))]
struct Bytewise;

#[cfg(not(target_arch = "x86_64"))]
use Bytewise as Instructions;

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Bytewise {
    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Self {
        Self
    }

    /// One word per block and one for `last`; answers whether all is ASCII.
    fn mark(self, blocks: &[[u8; 64]], last: &[u8; 64], words: &mut [u64]) -> bool {
        let mut seen = 0;
        for (block, word) in blocks.iter().chain([last]).zip(words) {
            *word = 0;
            for (n, &byte) in block.iter().enumerate() {
                seen |= byte;
                *word |= u64::from(matches!(byte, 0..=0x1f | b'"' | b'\\')) << n;
            }
        }
        seen < 0x80
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bytes: &[u8], from: usize) -> usize {
        let plain = |&byte: &u8| !matches!(byte, 0..=0x1f | b'"' | b'\\');
        from + bytes[from..].iter().take_while(|byte| plain(byte)).count()
    }

    #[test]
    fn strings_end_at_quotes_backslashes_and_control_characters_at_all_lengths() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let mut marks = Marks::new();
        marks.words = vec![!0; 20];
        for length in 0..all.len() {
            let bytes = &all[..length];
            assert_eq!(marks.mark(bytes), bytes.is_ascii());
            for from in 0..=length {
                assert_eq!(marks.next(from), expected(bytes, from), "{length} {from}");
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn all_instructions_mark_alike() {
        let every: Vec<u8> = (0..=255).chain([b'a'; 128]).collect();
        for shift in 0..64 {
            let (blocks, _) = every[shift..].as_chunks::<64>();
            let last = blocks.last().expect("there are several");
            for blocks in [blocks, &blocks[..1], &[]] {
                let mut wanted = vec![0; blocks.len() + 1];
                let ascii = Bytewise.mark(blocks, last, &mut wanted);
                for instructions in Instructions::all() {
                    let mut words = vec![!0; blocks.len() + 1];
                    assert_eq!(instructions.mark(blocks, last, &mut words), ascii, "{instructions:?}");
                    assert_eq!(words, wanted, "{instructions:?}");
                }
            }
        }
    }
}
