//! What valid JSON must still keep to for jsonb: no NUL in strings, numbers within numeric's limits.
//!
//! Nearly every payload passes, so it is looked through 64 bytes at a time in a form that compiles to vector code;
//! only pieces that might hold a fault are read byte by byte.

/// numeric's most digits before the decimal point.
const INTEGER_DIGITS_MAX: i64 = 131_072;
/// numeric's most digits after the decimal point.
const FRACTION_DIGITS_MAX: i64 = 16_383;

/// Why jsonb would refuse a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonFault {
    /// A string holds `\u0000`.
    Nul,
    /// A number has too many digits.
    Number,
}

/// Looks for what jsonb refuses in valid JSON.
pub(super) fn fault(token: &[u8]) -> Option<JsonFault> {
    let signs = signs_of(token);
    if signs.backslash && has_nul(token) {
        return Some(JsonFault::Nul);
    }
    // Only an exponent or very many digits can pass numeric's limits.
    if (signs.exponent || token.len() as i64 > FRACTION_DIGITS_MAX) && has_vast_number(token) {
        return Some(JsonFault::Number);
    }
    None
}

#[derive(Clone, Copy, Default)]
struct Signs {
    backslash: bool,
    exponent: bool,
}

fn signs_of(token: &[u8]) -> Signs {
    const PIECE: usize = 64;
    let mut signs = Signs::default();
    let mut start = 0;
    while start < token.len() {
        let end = (start + PIECE).min(token.len());
        let piece = &token[start..end];
        let (mut backslash, mut exponent) = (0_u8, 0_u8);
        for &byte in piece {
            backslash |= u8::from(byte == b'\\');
        }
        // The byte after the piece belongs to the last triple but one; two more bytes are enough for all of them.
        let wide = &token[start..(end + 2).min(token.len())];
        if wide.len() > 2 {
            let triples = wide.iter().zip(&wide[1..]).zip(&wide[2..]);
            for ((before, letter), after) in triples {
                let follows_digit = before.wrapping_sub(b'0') < 10;
                let precedes_exponent = (after.wrapping_sub(b'0') < 10) | (*after == b'+') | (*after == b'-');
                exponent |= u8::from((letter | 0x20 == b'e') & follows_digit & precedes_exponent);
            }
        }
        signs.backslash |= backslash != 0;
        signs.exponent = signs.exponent || (exponent != 0 && has_long_exponent(wide, token, start));
        start = end;
    }
    signs
}

/// Whether an `e` in `wide` (which stands at `start` of `token`) is followed by so many digits that it may matter.
/// Hexadecimal text looks like short exponents all the time.
fn has_long_exponent(wide: &[u8], token: &[u8], start: usize) -> bool {
    // With fewer than a thousand digits of its own a number needs an exponent of five digits to pass a limit.
    let digits_min = if token.len() < 1_000 { 5 } else { 3 };
    wide.iter().enumerate().any(|(n, byte)| {
        byte | 0x20 == b'e' && {
            let rest = &token[start + n + 1..];
            let rest = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
            rest.len() >= digits_min && rest[..digits_min].iter().all(u8::is_ascii_digit)
        }
    })
}

fn has_nul(token: &[u8]) -> bool {
    let mut rest = token;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

fn has_vast_number(token: &[u8]) -> bool {
    let mut at = 0;
    while at < token.len() {
        match token[at] {
            b'"' => at = string_end(token, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = token[at..]
                    .iter()
                    .position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
                    .unwrap_or(token.len() - at);
                if is_vast(&token[at..at + length]) {
                    return true;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    false
}

/// The first byte after the string whose content begins at `at`.
fn string_end(token: &[u8], mut at: usize) -> usize {
    while let Some(byte) = token.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Whether the JSON number passes numeric's limits.
fn is_vast(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let (mantissa, exponent) = match digits.iter().position(|byte| byte | 0x20 == b'e') {
        Some(at) => (&digits[..at], exponent(&digits[at + 1..])),
        None => (digits, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let leading_zeros = whole.iter().chain(fraction).take_while(|&&byte| byte == b'0').count();
    let is_zero = leading_zeros == whole.len() + fraction.len();
    let integer_digits = if is_zero { 0 } else { whole.len() as i64 - leading_zeros as i64 + exponent };
    let fraction_digits = fraction.len() as i64 - exponent;
    integer_digits > INTEGER_DIGITS_MAX || fraction_digits > FRACTION_DIGITS_MAX || exponent >= EXPONENT_MAX
}

/// From here on numeric refuses the exponent itself, whatever the digits.
const EXPONENT_MAX: i64 = i32::MAX as i64 / 2;

/// The exponent's value; far beyond all limits it stays as large as they are.
fn exponent(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let value = digits.iter().fold(0_i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX));
    sign * value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_nul_is_found_but_not_an_escaped_backslash_before_u0000() {
        assert_eq!(fault(br#"{"a":"x\u0000"}"#), Some(JsonFault::Nul));
        assert_eq!(fault(br#"{"a":"\\\u0000"}"#), Some(JsonFault::Nul));
        assert_eq!(fault(br#"{"a":"\\u0000"}"#), None);
        assert_eq!(fault(br#"{"a":"\u0001\n"}"#), None);
    }

    #[test]
    fn number_is_limited_as_numeric_is() {
        for number in ["1e131071", "9.9e131071", "-1e131071", "1e-16383", "0.5e-16382", "0e999999", "12e131070"] {
            assert_eq!(fault(number.as_bytes()), None, "{number}");
        }
        for number in ["1e131072", "12e131071", "1e-16384", "1E+999999", "0e99999999999", "0.01e-16382"] {
            assert_eq!(fault(number.as_bytes()), Some(JsonFault::Number), "{number}");
        }
    }

    #[test]
    fn number_is_limited_in_digits_without_an_exponent() {
        assert_eq!(fault("1".repeat(131_072).as_bytes()), None);
        assert_eq!(fault("1".repeat(131_073).as_bytes()), Some(JsonFault::Number));
        assert_eq!(fault(format!("0.{}", "1".repeat(16_383)).as_bytes()), None);
        assert_eq!(fault(format!("0.{}", "1".repeat(16_384)).as_bytes()), Some(JsonFault::Number));
        assert_eq!(fault(format!("0.{}e-999", "1".repeat(15_385)).as_bytes()), Some(JsonFault::Number));
    }

    #[test]
    fn number_is_found_wherever_it_stands_and_not_inside_a_string() {
        for padding in 0..200 {
            let spaces = " ".repeat(padding);
            let document = format!("{{\"a\":\"1e999999\",{spaces}\"b\":\"2e99999\\\"\"}}");
            assert_eq!(fault(document.as_bytes()), None, "{padding}");
            let document = format!("{{\"a\":\"1e999999\",{spaces}\"b\":1e999999}}");
            assert_eq!(fault(document.as_bytes()), Some(JsonFault::Number), "{padding}");
        }
    }
}
