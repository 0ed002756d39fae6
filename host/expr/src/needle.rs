//! A text to be found in others: searched for without going back (Knuth, Morris and Pratt), so that no event makes it
//! slow, with the tables made once. The standard library's search makes its own at each call, which costs more than
//! looking through a short text.

/// A text that is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Needle {
    text: Box<[u8]>,
    /// For each length of what has been found: how much of it can be the beginning of another find.
    borders: Box<[u32]>,
}

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        let text: Box<[u8]> = text.as_bytes().into();
        let mut borders = vec![0; text.len() + 1];
        let mut border = 0;
        for length in 1..text.len() {
            while border > 0 && text[border] != text[length] {
                border = borders[border] as usize;
            }
            border += usize::from(text[border] == text[length]);
            borders[length + 1] = border as u32; // an expression, and so any text in it, is shorter than 4 GB
        }
        Self { text, borders: borders.into() }
    }

    /// Whether the text is somewhere in the first `bytes_max` bytes of `haystack`; `None` where only the rest can tell.
    #[inline]
    pub(crate) fn find(&self, haystack: &str, bytes_max: usize) -> Option<bool> {
        let end = haystack.floor_char_boundary(bytes_max);
        let found = self.is_in(&haystack.as_bytes()[..end]);
        (found || end == haystack.len()).then_some(found)
    }

    /// Whether the text is somewhere in `haystack`.
    #[inline] // compiled as its user is, for speed
    fn is_in(&self, haystack: &[u8]) -> bool {
        let Some(first) = self.text.first() else { return true };
        let mut found = 0;
        let mut at = 0;
        while at < haystack.len() {
            if found == 0 {
                // Most of the time nothing has been found yet: go to where something can begin.
                let Some(skipped) = haystack[at..].iter().position(|byte| byte == first) else { return false };
                at += skipped;
            } else {
                while found > 0 && self.text[found] != haystack[at] {
                    found = self.borders[found] as usize;
                }
            }
            found += usize::from(self.text[found] == haystack[at]);
            if found == self.text.len() {
                return true;
            }
            at += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Needle;
    use proptest::prelude::*;

    #[test]
    fn overlapping_beginnings_are_not_missed() {
        assert!(Needle::new("aab").is_in(b"aaab"));
        assert!(Needle::new("abac").is_in(b"ababac"));
        assert!(!Needle::new("abac").is_in(b"ababab"));
        assert!(Needle::new("").is_in(b""));
        assert!(!Needle::new("a").is_in(b""));
    }

    proptest! {
        #[test]
        fn finds_agree_with_the_standard_library(needle in "[ab]{0,6}|[aé]{0,3}", haystack in "[abé]{0,24}") {
            prop_assert_eq!(Needle::new(&needle).is_in(haystack.as_bytes()), haystack.contains(&needle));
        }
    }
}
