//! Looking for bytes.

/// Bytes looked at in one go: a vector.
pub(crate) type Block = [u8; 16];

/// The first byte at or after `from` that `marks` marks. Blocks without one, as `is_in` tells, are passed over.
///
/// `marks` is asked of eight bytes at a time, the first of them in the lowest bits, and answers with the functions below; what is
/// over a marked byte may be marked wrongly.
#[inline(always)]
pub(crate) fn find(
    bytes: &[u8],
    from: usize,
    is_in: impl Fn(&Block) -> bool,
    marks: impl Fn(u64) -> u64,
) -> Option<usize> {
    let mut at = from;
    let mut rest = bytes.get(from..)?;
    while let Some((block, after)) = rest.split_first_chunk() {
        if is_in(block) {
            break;
        }
        (at, rest) = (at + block.len(), after);
    }
    while let Some((word, after)) = rest.split_first_chunk() {
        let marked = marks(u64::from_le_bytes(*word)) & HIGH;
        if marked != 0 {
            return Some(at + first(marked));
        }
        (at, rest) = (at + 8, after);
    }
    let marked = marks(last_word(bytes, rest)?) & HIGH;
    (marked != 0).then(|| at + first(marked))
}

/// Whether a byte of the block passes the test, which is one comparison: only then the compiler makes vectors of it. All are asked
/// before there is an answer, for the same reason.
#[inline(always)]
pub(crate) fn any(block: &Block, test: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(false, |any, byte| any | test(*byte))
}

/// What is left of `bytes` after whole words, filled up with 0xff, which no mark is for.
#[inline(always)]
fn last_word(bytes: &[u8], rest: &[u8]) -> Option<u64> {
    if rest.is_empty() {
        return None;
    }
    let unused = 8 * (8 - rest.len());
    let word = match bytes.last_chunk() {
        Some(last) => u64::from_le_bytes(*last) >> unused,
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    Some(word | !(u64::MAX >> unused))
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// The byte in every place of a word.
#[inline(always)]
pub(crate) const fn all(byte: u8) -> u64 {
    ONES * byte as u64
}

/// Marks the bytes that are `byte`.
#[inline(always)]
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ all(byte), 1)
}

/// Marks the bytes that are below `limit`, which is at most 0x80.
#[inline(always)]
pub(crate) fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(all(limit)) & !word
}

/// Marks the bytes 0x30 to 0x3f, all of them rightly: digits, `:` and `=` among them.
#[inline(always)]
pub(crate) fn digits_and_separators(word: u64) -> u64 {
    equal(word & all(0xf0), 0x30)
}

/// The place of the lowest mark.
#[inline(always)]
fn first(marked: u64) -> usize {
    marked.trailing_zeros() as usize / 8
}

/// How many marks there are.
#[inline(always)]
pub(crate) fn count(marks: u64) -> u32 {
    (marks & HIGH).count_ones()
}

#[inline(always)]
fn position(bytes: &[u8], test: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.iter().position(|byte| test(*byte))
}

/// Where the bytes end that pass the test, from `from` on.
#[inline]
pub(crate) fn end_of(bytes: &[u8], from: usize, test: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + position(rest, |byte| !test(byte)).unwrap_or(rest.len())
}

/// Whether `bytes` begin with `word`, which is in lower case, whatever the case of their ASCII letters.
#[inline]
pub(crate) fn begins_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// Whether one of the words is what stands there, whatever the case of ASCII letters.
pub(crate) fn is_one_of(bytes: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for length in 0..30 {
            let mut bytes = vec![b'y'; length];
            let find = |bytes: &[u8], from| {
                find(bytes, from, |block| any(block, |byte| byte == b'x'), |word| equal(word, b'x'))
            };
            assert_eq!(find(&bytes, 0), None);
            for place in 0..length {
                bytes[place] = b'x';
                for from in 0..length + 2 {
                    let expected = (from <= place).then_some(place);
                    assert_eq!(find(&bytes, from), expected, "{place} from {from} of {length}");
                }
                bytes[place] = b'y';
            }
        }
    }

    #[test]
    fn marks_tell_bytes_from_all_others() {
        for byte in 0..=u8::MAX {
            let is_marked = |marks: fn(u64) -> u64| find(&[b'.', byte, b'.'], 0, |_| true, marks).is_some();
            assert_eq!(is_marked(|word| equal(word, 0xc2)), byte == 0xc2);
            assert_eq!(is_marked(|word| below(word, 0x20)), byte < 0x20);
            assert_eq!(is_marked(digits_and_separators), (0x30..0x40).contains(&byte));
            let word = u64::from_le_bytes([byte, 0x31, byte, 0x39, 0x40, 0x2f, byte, 0]);
            assert_eq!(count(digits_and_separators(word)), if (0x30..0x40).contains(&byte) { 5 } else { 2 });
        }
    }
}
