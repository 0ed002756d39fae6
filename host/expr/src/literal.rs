//! Number and text literals.

use crate::lexer::Token;
use crate::{Problem, decimal, parts};

/// How a text literal is quoted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotes {
    quote: u8,
    triple: bool,
}

impl Quotes {
    /// Reads the opening quotes; `source` begins with one. Also answers what follows them.
    pub(crate) fn open(source: &str) -> (Self, &str) {
        let quote = source.as_bytes()[0];
        let triple = source.len() >= 3 && source.as_bytes()[..3] == [quote; 3];
        let quotes = Self { quote, triple };
        (quotes, parts::from(source, quotes.width()))
    }

    /// Number of quote characters on each side.
    pub(crate) fn width(self) -> usize {
        if self.triple { 3 } else { 1 }
    }

    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match (self.triple, self.quote) {
            (true, _) => "three quotes",
            (false, b'"') => "double quote",
            (false, _) => "single quote",
        }
    }

    /// Length of the text up to the closing quotes, if there are any.
    pub(crate) fn length(self, body: &str, raw: bool) -> Option<usize> {
        let bytes = body.as_bytes();
        let mut at = 0;
        loop {
            match *bytes.get(at)? {
                b'\\' if !raw => at += 2,
                b'\n' | b'\r' if !self.triple => return None,
                byte if byte == self.quote && self.closes(&bytes[at..]) => return Some(at),
                _ => at += 1,
            }
        }
    }

    fn closes(self, bytes: &[u8]) -> bool {
        !self.triple || bytes.starts_with(&[self.quote; 3])
    }
}

/// Takes CEL's escapes out of a text.
pub(crate) fn unescape(body: &str) -> Result<String, Problem> {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, length) = escape(escaped).ok_or(Problem::BadEscape)?;
        text.push(character);
        rest = parts::from(escaped, length);
    }
    text.push_str(rest);
    Ok(text)
}

/// The character of an escape and its length after the backslash.
fn escape(rest: &str) -> Option<(char, usize)> {
    let character = match rest.bytes().next()? {
        b'a' => '\x07',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\x0b',
        byte @ (b'\\' | b'?' | b'"' | b'\'' | b'`') => char::from(byte),
        b'x' | b'X' => return code_point(rest, 1, 2, 16),
        b'u' => return code_point(rest, 1, 4, 16),
        b'U' => return code_point(rest, 1, 8, 16),
        b'0'..=b'3' => return code_point(rest, 0, 3, 8),
        _ => return None,
    };
    Some((character, 1))
}

fn code_point(rest: &str, prefix: usize, digits: usize, radix: u64) -> Option<(char, usize)> {
    let character = character(rest.get(prefix..prefix + digits)?, radix)?;
    Some((character, prefix + digits))
}

/// The character of a code point that is written in digits.
pub(crate) fn character(digits: &str, radix: u64) -> Option<char> {
    natural(digits, radix).and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32)
}

/// The number that is written in digits; `None` when something else is, nothing, or more than 64 bits.
#[inline(never)]
pub(crate) fn natural(digits: &str, radix: u64) -> Option<u64> {
    let mut number = 0_u64;
    for byte in digits.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        if u64::from(digit) >= radix {
            return None;
        }
        number = number.checked_mul(radix)?.checked_add(u64::from(digit))?;
    }
    if digits.is_empty() { None } else { Some(number) }
}

/// The number at the beginning of `rest`, which starts with a digit or a dot and a digit, and its length; or what it does not fit.
pub(crate) fn number(rest: &str) -> Result<(Token<'static>, usize), &'static str> {
    if let [b'0', b'x' | b'X', ..] = rest.as_bytes() {
        return match digits(rest, 2, 16) {
            2 => Err("hexadecimal"),
            length => integer(rest, 2, length, 16),
        };
    }
    let whole = digits(rest, 0, 10);
    let mut length = whole;
    if rest.as_bytes().get(length) == Some(&b'.') {
        let end = digits(rest, length + 1, 10);
        length = if end == length + 1 { length } else { end };
    }
    let exponent = match rest.as_bytes().get(length..) {
        Some([b'e' | b'E', b'+' | b'-', ..]) => length + 2,
        Some([b'e' | b'E', ..]) => length + 1,
        _ => rest.len(),
    };
    let end = digits(rest, exponent, 10);
    length = if end == exponent { length } else { end };
    if length == whole {
        return integer(rest, 0, whole, 10);
    }
    match decimal::parse(parts::until(rest, length)) {
        Some(float) if float.is_finite() => Ok((Token::Float(float), length)),
        _ => Err("a double"),
    }
}

fn integer(rest: &str, start: usize, end: usize, radix: u64) -> Result<(Token<'static>, usize), &'static str> {
    let unsigned = matches!(rest.as_bytes().get(end), Some(b'u' | b'U'));
    match natural(parts::from(parts::until(rest, end), start), radix) {
        Some(value) if unsigned => Ok((Token::UInt(value), end + 1)),
        Some(value) => Ok((Token::Int(value), end)),
        None if unsigned => Err("an unsigned 64-bit integer"),
        None => Err("a signed 64-bit integer"),
    }
}

/// Where the digits end that begin at a place.
#[inline(never)]
fn digits(text: &str, start: usize, radix: u32) -> usize {
    let mut end = start;
    while text.as_bytes().get(end).is_some_and(|byte| char::from(*byte).is_digit(radix)) {
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_their_form() {
        let forms = [
            ("0", Token::Int(0), 1),
            ("42)", Token::Int(42), 2),
            ("42u", Token::UInt(42), 3),
            ("0xFfU", Token::UInt(255), 5),
            ("0x10", Token::Int(16), 4),
            ("1.5", Token::Float(1.5), 3),
            (".5", Token::Float(0.5), 2),
            ("1e3", Token::Float(1000.0), 3),
            ("1.0E-1", Token::Float(0.1), 6),
            ("1.a", Token::Int(1), 1),
            ("1e", Token::Int(1), 1),
            ("18446744073709551615u", Token::UInt(u64::MAX), 21),
        ];
        for (source, token, length) in forms {
            assert_eq!(number(source), Ok((token, length)), "{source}");
        }
    }

    #[test]
    fn numbers_beyond_their_type_are_refused() {
        for source in ["18446744073709551616", "18446744073709551616u", "0x10000000000000000", "1e999", "0x"] {
            assert!(number(source).is_err(), "{source}");
        }
    }

    #[test]
    fn escapes_stand_for_one_character_each() {
        assert_eq!(unescape(r#"\a\b\f\n\r\t\v\\\?\"\'\`"#).as_deref(), Ok("\x07\x08\x0c\n\r\t\x0b\\?\"'`"));
        assert_eq!(unescape(r"\x41\X42\u00e9\U0001f600\101").as_deref(), Ok("ABé😀A"));
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for source in [r"\q", r"\x4", r"\u12", r"\ud800", r"\U00110000", r"\400", r"\08", "\\", r"\x+1", r"\u00é"] {
            assert_eq!(unescape(source), Err(Problem::BadEscape), "{source}");
        }
    }
}
