//! Strings of JSON: the check of their escapes, and text out of and into them.

use crate::fault::Fault;
use crate::marks::Marks;

/// Where the string ends whose first marked byte stands at `mark`: the place of its closing quote. Escapes are checked
/// on the way.
pub(crate) fn close(bytes: &[u8], marks: &Marks, mark: usize) -> Result<usize, Fault> {
    let mut at = mark;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at = marks.next(escape_end(bytes, at)?),
            Some(&found) => return Err(Fault::Control { found, at }),
            None => return Err(Fault::Truncated { length: bytes.len() }),
        }
    }
}

/// The end of the escape whose backslash stands at `at`; of both halves where it is a surrogate pair.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hex(bytes, at + 2)? {
            0xd800..=0xdbff => low_half_end(bytes, at),
            0xdc00..=0xdfff => Err(Fault::LoneSurrogate { at }),
            _ => Ok(at + 6),
        },
        _ => Err(Fault::unexpected(bytes, at + 1, "one of \"\\/bfnrtu after a backslash")),
    }
}

/// The end of the pair whose first half stands at `at`.
fn low_half_end(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let low = at + 6;
    match (bytes.get(low), bytes.get(low + 1)) {
        (Some(b'\\'), Some(b'u')) if matches!(hex(bytes, low + 2)?, 0xdc00..=0xdfff) => Ok(low + 6),
        (None, _) | (Some(b'\\'), None) => Err(Fault::Truncated { length: bytes.len() }),
        _ => Err(Fault::LoneSurrogate { at }),
    }
}

fn hex(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    (at..at + 4).try_fold(0, |value, n| match bytes.get(n).and_then(|&byte| (byte as char).to_digit(16)) {
        Some(digit) => Ok(value << 4 | digit),
        None => Err(Fault::unexpected(bytes, n, "a hexadecimal digit")),
    })
}

/// Writes the text that `content` (between the quotes, checked before) stands for to the beginning of `out`, and answers
/// its length, which is never more than `content` has.
pub(crate) fn unescape(content: &[u8], out: &mut [u8]) -> usize {
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = content.get(from) {
        if byte == b'\\' {
            let (c, length) = escaped(&content[from..]);
            to += c.encode_utf8(&mut out[to..]).len();
            from += length;
        } else {
            out[to] = byte;
            to += 1;
            from += 1;
        }
    }
    to
}

/// The character that the escape at the beginning of `bytes` stands for, and the escape's length.
fn escaped(bytes: &[u8]) -> (char, usize) {
    let proof = "escapes were checked when the payload was scanned";
    match bytes[1] {
        b'b' => ('\u{8}', 2),
        b'f' => ('\u{c}', 2),
        b'n' => ('\n', 2),
        b'r' => ('\r', 2),
        b't' => ('\t', 2),
        b'u' => {
            let first = hex(bytes, 2).expect(proof);
            if !(0xd800..=0xdbff).contains(&first) {
                return (char::from_u32(first).expect(proof), 6);
            }
            let second = hex(bytes, 8).expect(proof);
            let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (char::from_u32(c).expect(proof), 12)
        }
        itself => (itself as char, 2),
    }
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let plain = plain_bytes(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&special) = rest.get(plain) else { break };
        escape(special, out);
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// How many bytes there are before the first that must be escaped.
fn plain_bytes(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let words = text.chunks_exact(8);
    let rest = words.remainder();
    for (n, word) in words.enumerate() {
        let word = u64::from_le_bytes(word.try_into().expect("it has eight bytes"));
        // A byte's high bit is set where it is below 0x20, a quote or a backslash; above such a byte it may be set by the borrow.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let special = (control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))) & HIGH;
        if special != 0 {
            return n * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |&byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
    text.len() - rest.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        control => {
            let (high, low) = (HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(token: &str) -> Result<String, Fault> {
        let mut marks = Marks::new();
        marks.mark(token.as_bytes());
        let end = close(token.as_bytes(), &marks, marks.next(1))?;
        assert_eq!(end + 1, token.len());
        let content = &token.as_bytes()[1..end];
        let mut out = vec![0; content.len()];
        let length = unescape(content, &mut out);
        out.truncate(length);
        Ok(String::from_utf8(out).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_as_itself_here_and_in_serde_json(text in any::<String>()) {
            let mut token = Vec::new();
            quote(text.as_bytes(), &mut token);
            let token = String::from_utf8(token).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&token).unwrap(), &*text);
            prop_assert_eq!(text_of(&token).unwrap(), text);
        }
    }

    #[test]
    fn all_escapes_are_read() {
        assert_eq!(text_of(r#""\"\\\/\b\f\n\r\t\u0041\u0000\ud83d\uDE00""#).unwrap(), "\"\\/\u{8}\u{c}\n\r\tA\0😀");
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        for token in [r#""\ud83d""#, r#""\ud83d\n""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00""#] {
            assert_eq!(text_of(token), Err(Fault::LoneSurrogate { at: 1 }), "{token}");
        }
    }
}
