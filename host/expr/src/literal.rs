//! Number and text literals.

use crate::lexer::Token;
use crate::{Problem, decimal};

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
        (quotes, &source[quotes.width()..])
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
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let (character, length) = escape(&rest[backslash + 1..]).ok_or(Problem::BadEscape)?;
        text.push(character);
        rest = &rest[backslash + 1 + length..];
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

/// The number at the beginning of `rest`, which starts with a digit or a dot and a digit, and its length.
pub(crate) fn number(rest: &str) -> Result<(Token<'static>, usize), Problem> {
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let digits = digits(hex, |byte| byte.is_ascii_hexdigit());
        return if digits == 0 { Err(Problem::BadNumber("hexadecimal")) } else { integer(rest, 2, digits, 16) };
    }
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let whole = digits(rest, is_digit);
    let mut length = whole;
    if rest[length..].starts_with('.') {
        let fraction = digits(&rest[length + 1..], is_digit);
        length += if fraction == 0 { 0 } else { 1 + fraction };
    }
    length += exponent(&rest[length..]);
    if length == whole {
        return integer(rest, 0, whole, 10);
    }
    let float = decimal::parse(&rest[..length]).filter(|float| float.is_finite());
    Ok((Token::Float(float.ok_or(Problem::BadNumber("a double"))?), length))
}

fn integer(rest: &str, prefix: usize, digits: usize, radix: u64) -> Result<(Token<'static>, usize), Problem> {
    let length = prefix + digits;
    let unsigned = rest[length..].starts_with(['u', 'U']);
    match natural(&rest[prefix..length], radix) {
        Some(value) if unsigned => Ok((Token::UInt(value), length + 1)),
        Some(value) => Ok((Token::Int(value), length)),
        None if unsigned => Err(Problem::BadNumber("an unsigned 64-bit integer")),
        None => Err(Problem::BadNumber("a signed 64-bit integer")),
    }
}

/// Length of an exponent; 0 when there is none.
fn exponent(rest: &str) -> usize {
    if !rest.starts_with(['e', 'E']) {
        return 0;
    }
    let sign = usize::from(rest[1..].starts_with(['+', '-']));
    match digits(&rest[1 + sign..], |byte| byte.is_ascii_digit()) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn digits(rest: &str, is_digit: impl Fn(u8) -> bool) -> usize {
    rest.bytes().position(|byte| !is_digit(byte)).unwrap_or(rest.len())
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
            assert!(matches!(number(source), Err(Problem::BadNumber(_))), "{source}");
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
