//! Which names are taken: what DNS says of an address is written by whoever owns the address, and so by anybody.
//!
//! A name has 1 to 253 bytes: letters, digits, `-` and `_` in labels of 1 to 63, joined by dots; letters are made lower-case, and there
//! is no dot at the end. A name with anything else in it (control characters, escapes, blanks, markup, bytes beyond ASCII, dots
//! inside of labels) is as good as none.

use std::sync::Arc;

/// Bytes of a name without the dot at its end (RFC 1035 has 255 with the lengths of the first label and the root).
pub(super) const NAME_BYTES_MAX: usize = 253;
/// Bytes of a label.
const LABEL_BYTES_MAX: usize = 63;

/// The name that these labels make.
pub(super) fn of_labels<'l>(labels: impl Iterator<Item = &'l [u8]>) -> Option<Arc<str>> {
    let mut name = String::new();
    for label in labels {
        if !is_label(label) || name.len() + label.len() >= NAME_BYTES_MAX + usize::from(name.is_empty()) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    }
    (!name.is_empty()).then(|| name.into())
}

/// Whether `text` is such a name, but for the case of its letters.
pub(super) fn is_host_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && text.split('.').all(|label| is_label(label.as_bytes()))
}

fn is_label(label: &[u8]) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &[&[u8]]) -> Option<Arc<str>> {
        of_labels(labels.iter().copied())
    }

    #[test]
    fn names_are_plain_and_lower_case() {
        assert_eq!(of(&[b"Web-1", b"_x", b"EXAMPLE"]).as_deref(), Some("web-1._x.example"));
        let hostile: [&[u8]; 10] =
            [b"", b"a b", b"a\x1b[2J", b"a\nb", b"a.b", b"<b>", b"$(id)", b"caf\xc3\xa9", b"\xff", &[b'a'; 64]];
        for label in hostile {
            assert_eq!(of(&[label, b"example"]), None, "{label:?}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn names_have_at_most_253_bytes() {
        let (long, last) = ([b'a'; 63], [b'b'; 61]);
        let name = of(&[&long, &long, &long, &last]).unwrap();
        assert_eq!(name.len(), NAME_BYTES_MAX);
        assert!(is_host_name(&name));
        assert_eq!(of(&[&long, &long, &long, &[b'b'; 62]]), None);
    }
}
