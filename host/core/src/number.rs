//! Number tokens: their grammar, and the value of those that fit 64 bits.

use crate::fault::Fault;

/// What a number token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// No fraction, no exponent, fits.
    Integer(i64),
    /// Any other.
    Float,
}

/// The most digits that always fit an `i64`.
const DIGITS_SURE: usize = 18;
const POWERS_OF_TEN: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Reads the integer that begins at `start`, if it has at most seven digits and no sign, as most have, and bytes follow it.
/// `None` says nothing about others.
#[inline(always)]
pub(crate) fn read_short(bytes: &[u8], start: usize) -> Option<(usize, i64)> {
    let (count, value) = leading_digits(u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?));
    let leading_zero = bytes[start] == b'0' && count > 1;
    let goes_on = count == 8 || count == 0 || matches!(bytes[start + count], b'.' | b'e' | b'E');
    if leading_zero || goes_on { None } else { Some((start + count, value as i64)) }
}

/// Reads the number that begins at `start` with a digit or a minus sign; answers where it ends.
pub(crate) fn read(bytes: &[u8], start: usize) -> Result<(usize, Number), Fault> {
    let negative = bytes[start] == b'-';
    let first = start + usize::from(negative);
    let (end, magnitude) = digits(bytes, first);
    if end == first {
        return Err(Fault::unexpected(bytes, first, "a digit"));
    }
    if bytes[first] == b'0' && end > first + 1 {
        return Err(Fault::unexpected(bytes, first + 1, "no digit after a leading zero"));
    }
    if matches!(bytes.get(end), Some(b'.' | b'e' | b'E')) {
        return Ok((fraction_and_exponent(bytes, end)?, Number::Float));
    }
    if end - first <= DIGITS_SURE {
        let magnitude = magnitude as i64;
        return Ok((end, Number::Integer(if negative { -magnitude } else { magnitude })));
    }
    Ok((end, long_integer(&bytes[start..end])))
}

/// The value of a number token as the nearest float; infinite when it is too large.
pub(crate) fn float(token: &[u8]) -> f64 {
    let text = std::str::from_utf8(token).expect("a number token is ASCII");
    text.parse().expect("every JSON number is a float literal")
}

#[cold]
fn long_integer(token: &[u8]) -> Number {
    let text = std::str::from_utf8(token).expect("a number token is ASCII");
    text.parse().map_or(Number::Float, Number::Integer)
}

#[inline(never)]
fn fraction_and_exponent(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    let mut at = from;
    if bytes[at] == b'.' {
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(bytes, at + 1 + sign)?;
    }
    Ok(at)
}

fn some_digits(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    match digits(bytes, from).0 {
        end if end > from => Ok(end),
        end => Err(Fault::unexpected(bytes, end, "a digit")),
    }
}

/// Where the digits from `at` on end, and their value; without meaning over [`DIGITS_SURE`] digits.
#[inline]
fn digits(bytes: &[u8], mut at: usize) -> (usize, u64) {
    let mut value = 0u64;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let chunk = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let (count, digits) = leading_digits(chunk);
        if count < 8 {
            return (at + count, value.wrapping_mul(POWERS_OF_TEN[count]).wrapping_add(digits));
        }
        value = value.wrapping_mul(100_000_000).wrapping_add(digits);
        at += 8;
    }
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    (at, value)
}

/// How many of the eight bytes (first in the lowest bits) are digits before something else comes, and their value.
#[inline(always)]
fn leading_digits(chunk: u64) -> (usize, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let values = chunk ^ (0x30 * ONES);
    // A byte's top bit is set where the byte is above 9; a carry can only disturb bytes after the first such one.
    let others = (values.wrapping_add(0x76 * ONES) | values) & (0x80 * ONES);
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // Zeros before the digits make eight of them; then pairs, fours and all eight are joined.
    let padded = values << (64 - 8 * count);
    let pairs = padded.wrapping_mul(10).wrapping_add(padded >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    (count, fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Option<Number> {
        // Also with bytes behind it, so that both ways of reading digits are taken.
        let padded = format!("{text},        ");
        let with = read(padded.as_bytes(), 0).ok().filter(|(end, _)| *end == text.len());
        let without = read(text.as_bytes(), 0).ok().filter(|(end, _)| *end == text.len());
        assert_eq!(with, without, "{text}");
        if let Some((end, value)) = read_short(padded.as_bytes(), 0) {
            assert_eq!(with.map(|(_, number)| (end, number)), Some((text.len(), Number::Integer(value))), "{text}");
        }
        with.map(|(_, number)| number)
    }

    #[test]
    fn integers_of_all_lengths_are_read_up_to_both_ends_of_64_bits() {
        for digits in 1..=18 {
            let text = "1234567890123456789"[..digits].to_owned();
            assert_eq!(read_all(&text), Some(Number::Integer(text.parse().unwrap())));
            let negative = format!("-{text}");
            assert_eq!(read_all(&negative), Some(Number::Integer(negative.parse().unwrap())));
        }
        for value in [0, i64::MAX, i64::MIN, 999_999_999_999_999_999, 1_000_000_000_000_000_000] {
            assert_eq!(read_all(&value.to_string()), Some(Number::Integer(value)));
        }
        assert_eq!(read_all("-0"), Some(Number::Integer(0)));
    }

    #[test]
    fn what_has_a_fraction_or_exponent_or_passes_64_bits_is_a_float() {
        for text in ["1.0", "1e3", "0e0", "-0.0", "1E+3", "1.5e-3", "9223372036854775808", "-9223372036854775809"] {
            assert_eq!(read_all(text), Some(Number::Float), "{text}");
        }
        assert_eq!(read_all(&"9".repeat(400)), Some(Number::Float));
        assert_eq!(float("9".repeat(400).as_bytes()), f64::INFINITY);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["-", "01", "-01", "00", "1.", "1.e3", "1e", "1e+", "-a", "--1"] {
            assert_eq!(read_all(text), None, "{text}");
        }
    }
}
