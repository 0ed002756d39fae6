//! Number tokens: their grammar, and the value of those that fit 64 bits.

use crate::fault::Fault;
use crate::tokens::byte;

/// What a number token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// No fraction, no exponent, fits.
    Integer(i64),
    /// Any other; with its value where that came with the reading, else [`float`] has it.
    Float(Option<f64>),
}

/// The most digits that always fit an `i64`.
const DIGITS_SURE: usize = 18;
const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// As floats, all of them exact.
const FLOAT_POWERS_OF_TEN: [f64; DIGITS_SURE + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
/// Up to here every integer is a float.
const EXACT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;

/// Reads the number that begins at `start` with a digit or a minus sign, if it has no exponent and at most seven digits on
/// either side of its point, as most have. `None` says nothing about others.
#[inline(always)]
pub(crate) fn read_short(bytes: &[u8], start: usize) -> Option<(usize, Number)> {
    let negative = byte(bytes, start) == b'-';
    let first = start + usize::from(negative);
    let (count, whole) = leading_digits(eight(bytes, first));
    if count == 0 || count == 8 || (byte(bytes, first) == b'0' && count > 1) {
        return None;
    }
    let end = first + count;
    match byte(bytes, end) {
        b'.' => {
            let (places, part) = leading_digits(eight(bytes, end + 1));
            let after = end + 1 + places;
            if places == 0 || places == 8 || matches!(byte(bytes, after), b'e' | b'E') {
                return None;
            }
            Some((after, Number::Float(decimal(negative, whole * POWERS_OF_TEN[places] + part, places))))
        }
        b'e' | b'E' => None,
        _ => Some((end, Number::Integer(if negative { -(whole as i64) } else { whole as i64 }))),
    }
}

/// Reads the number that begins at `start` with a digit or a minus sign; answers where it ends.
pub(crate) fn read(bytes: &[u8], start: usize) -> Result<(usize, Number), Fault> {
    let negative = bytes[start] == b'-';
    let first = start + usize::from(negative);
    let (end, magnitude) = some_digits(bytes, first, 0)?;
    if bytes[first] == b'0' && end > first + 1 {
        return Err(Fault::unexpected(bytes, first + 1, "no digit after a leading zero"));
    }
    match byte(bytes, end) {
        b'.' => {
            let (after, digits) = some_digits(bytes, end + 1, magnitude)?;
            if matches!(byte(bytes, after), b'e' | b'E') {
                return exponent(bytes, after);
            }
            let value =
                if after - first - 1 <= DIGITS_SURE { decimal(negative, digits, after - end - 1) } else { None };
            Ok((after, Number::Float(value)))
        }
        b'e' | b'E' => exponent(bytes, end),
        _ if end - first <= DIGITS_SURE => {
            let magnitude = magnitude as i64;
            Ok((end, Number::Integer(if negative { -magnitude } else { magnitude })))
        }
        _ => Ok((end, long_integer(&bytes[start..end]))),
    }
}

/// The value of a number token as the nearest float; infinite when it is too large.
pub(crate) fn float(token: &[u8]) -> f64 {
    let text = std::str::from_utf8(token).expect("a number token is ASCII");
    text.parse().expect("every JSON number is a float literal")
}

/// `digits` with its last `places` digits behind the point, where that is sure to be the nearest float: when both parts of the
/// division are exact, which leaves it to round once (W. D. Clinger, How to Read Floating Point Numbers Accurately, 1990).
#[inline(always)]
fn decimal(negative: bool, digits: u64, places: usize) -> Option<f64> {
    let magnitude = digits as f64 / FLOAT_POWERS_OF_TEN[places];
    (digits <= EXACT_MAX).then_some(if negative { -magnitude } else { magnitude })
}

#[cold]
fn long_integer(token: &[u8]) -> Number {
    let text = std::str::from_utf8(token).expect("a number token is ASCII");
    text.parse().map_or(Number::Float(None), Number::Integer)
}

/// Reads the exponent whose letter stands at `at`.
#[inline(never)]
fn exponent(bytes: &[u8], at: usize) -> Result<(usize, Number), Fault> {
    let sign = usize::from(matches!(byte(bytes, at + 1), b'+' | b'-'));
    let (end, _) = some_digits(bytes, at + 1 + sign, 0)?;
    Ok((end, Number::Float(None)))
}

/// Where the digits from `from` on end, and the value of all digits with `before` as that of those before them; without
/// meaning when they are more than [`DIGITS_SURE`].
#[inline(always)]
fn some_digits(bytes: &[u8], from: usize, before: u64) -> Result<(usize, u64), Fault> {
    let (mut at, mut value) = (from, before);
    loop {
        let (count, digits) = leading_digits(eight(bytes, at));
        value = value.wrapping_mul(POWERS_OF_TEN[count]).wrapping_add(digits);
        at += count;
        if count < 8 {
            break;
        }
    }
    if at > from { Ok((at, value)) } else { Err(Fault::unexpected(bytes, at, "a digit")) }
}

/// The eight bytes from `at` on, the first in the lowest bits; zeros behind the end.
#[inline(always)]
fn eight(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => last_of_eight(bytes, at),
    }
}

#[inline(never)]
fn last_of_eight(bytes: &[u8], at: usize) -> u64 {
    match bytes.last_chunk() {
        Some(last) => u64::from_le_bytes(*last).unbounded_shr(8 * (at + 8 - bytes.len()) as u32),
        None => {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().rev().fold(0, |chunk, &byte| chunk << 8 | u64::from(byte))
        }
    }
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
    use proptest::prelude::*;

    use super::*;

    fn read_all(text: &str) -> Option<Number> {
        // Also with bytes behind it, so that both ways of reading digits are taken.
        let padded = format!("{text},        ");
        let with = read(padded.as_bytes(), 0).ok().filter(|(end, _)| *end == text.len());
        let without = read(text.as_bytes(), 0).ok().filter(|(end, _)| *end == text.len());
        assert_eq!(with, without, "{text}");
        for bytes in [padded.as_bytes(), text.as_bytes()] {
            if let Some(short) = read_short(bytes, 0) {
                assert_eq!(Some(short), with, "{text}");
            }
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
            assert!(matches!(read_all(text), Some(Number::Float(_))), "{text}");
        }
        assert_eq!(read_all(&"9".repeat(400)), Some(Number::Float(None)));
        assert_eq!(float("9".repeat(400).as_bytes()), f64::INFINITY);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["-", "01", "-01", "00", "00.5", "-.5", "1.", "1.e3", "1.5e", "1e", "1e+", "-a", "--1"] {
            assert_eq!(read_all(text), None, "{text}");
        }
    }

    #[test]
    fn fraction_of_up_to_fifteen_digits_has_its_value_at_once() {
        for text in ["0.1", "-0.0", "123456789012345.0", "0.12345678901234", "1234567.1234567", "-9007199254740.992"] {
            assert_eq!(value_at_once(text).map(f64::to_bits), Some(float(text.as_bytes()).to_bits()), "{text}");
        }
        for text in ["9007199254740.993", "0.1234567890123456789", "1.5e3"] {
            assert_eq!(value_at_once(text), None, "{text}");
        }
    }

    fn value_at_once(text: &str) -> Option<f64> {
        match read_all(text) {
            Some(Number::Float(value)) => value,
            other => panic!("{text} is {other:?}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn value_that_comes_at_once_is_bit_by_bit_the_nearest_float(
            whole in prop_oneof![0..1000u64, any::<u64>()],
            whole_digits in 1..20usize,
            part in "[0-9]{1,19}",
            negative in any::<bool>(),
        ) {
            let whole = whole.to_string();
            let text = format!("{}{}.{part}", if negative { "-" } else { "" }, &whole[..whole.len().min(whole_digits)]);
            if let Some(value) = value_at_once(&text) {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }
    }
}
