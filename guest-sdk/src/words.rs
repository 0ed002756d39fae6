//! Short texts eight bytes at a time. For some dozens of bytes this is faster in a component than what `memcmp` and
//! `memory.copy` come to: a loop over bytes, and a call of the engine.

/// Longer texts are left to the engine.
const SHORT: usize = 64;

/// A text's first and last eight bytes, which overlap below 16; of a shorter one all bytes, some of them twice, and 0.
#[inline(always)]
pub(crate) fn first_and_last(bytes: &[u8]) -> (u64, u64) {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (up_to_seven(bytes), 0),
    }
}

#[inline(always)]
fn up_to_seven(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c, ..] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
    }
}

/// Whether both are the same.
#[inline]
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() || first_and_last(one) != first_and_last(other) {
        return false;
    }
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    one.len() <= 16 || words.into_iter().all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
}

/// Appends `bytes`.
#[inline]
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > SHORT {
        return to.extend_from_slice(bytes);
    }
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        to.extend_from_slice(word);
    }
    match bytes.last_chunk::<8>() {
        Some(_) if rest.is_empty() => {}
        Some(last) => {
            // What they overlap is written again.
            to.truncate(to.len() + rest.len() - last.len());
            to.extend_from_slice(last);
        }
        None => rest.iter().for_each(|byte| to.push(*byte)),
    }
}

/// Copies `from` into a place of its length.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    if from.len() > SHORT {
        return to.copy_from_slice(from);
    }
    let (words, rest) = from.as_chunks::<8>();
    let (places, rest_places) = to.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = *word;
    }
    for (place, byte) in rest_places.iter_mut().zip(rest) {
        *place = *byte;
    }
}

/// Appends a text, where that is cold: the library's way is compiled for speed wherever it is called.
#[inline(never)]
pub(crate) fn push(to: &mut String, text: &str) {
    to.push_str(text);
}

/// Texts one after the other. (`concat` is four times as large, and `format!` is at each of its places.)
#[cold]
#[inline(never)]
pub(crate) fn joined(texts: &[&str]) -> String {
    let mut all = String::new();
    for text in texts {
        push(&mut all, text);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_equal_to_themselves_alone() {
        let text: Vec<u8> = (0..100).collect();
        for length in 0..text.len() {
            let one = &text[..length];
            let same = one.to_vec();
            assert!(equal(one, &same) && !equal(one, &text[..=length]));
            for place in 0..length {
                let mut other = one.to_vec();
                other[place] ^= 1;
                assert!(!equal(one, &other), "{length} {place}");
            }
        }
    }

    #[test]
    fn texts_of_every_length_are_appended_and_copied() {
        let text: Vec<u8> = (0..100).collect();
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for length in 0..text.len() {
            append(&mut all, &text[..length]);
            expected.extend_from_slice(&text[..length]);
        }
        assert_eq!(all, expected);
        for length in 0..text.len() {
            let mut copied = vec![0; length];
            copy(&mut copied, &text[..length]);
            assert_eq!(copied, &text[..length]);
        }
    }
}
