//! JSON numbers, compared and divided exactly as they are written: no digit is lost to a float, and an exponent of any size
//! costs nothing.

mod small;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

pub(crate) use small::Small;

/// Digits of a `multipleOf`, so that a remainder times ten fits 128 bits.
const DIVISOR_DIGITS_MAX: usize = 18;
/// Beyond every exponent that can be told from another by what else fits into a text.
const EXPONENT_MAX: i64 = 1 << 60;

/// A number as digits times a power of ten: neither the first digit nor the last one is 0, and of zero there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal<'t> {
    is_negative: bool,
    /// With a dot in between, perhaps.
    digits: &'t str,
    length: i64,
    /// Of the last digit.
    exponent: i64,
}

impl<'t> Decimal<'t> {
    /// Reads a number's token.
    pub(crate) fn new(token: &'t str) -> Self {
        let magnitude = token.strip_prefix('-').unwrap_or(token);
        let (mantissa, exponent) = match magnitude.find(['e', 'E']) {
            Some(at) => (&magnitude[..at], exponent(&magnitude[at + 1..])),
            None => (magnitude, 0),
        };
        let is_no_digit = ['0', '.'];
        let end = mantissa.trim_end_matches(is_no_digit).len() as i64;
        let digits = mantissa.trim_matches(is_no_digit);
        let dot = mantissa.find('.').unwrap_or(mantissa.len()) as i64;
        // The last digit stands before the dot, or after it, where the dot itself counts too.
        let place = if end <= dot { dot - end } else { dot + 1 - end };
        let length = digits.len() as i64 - i64::from(digits.contains('.'));
        let is_zero = length == 0;
        let exponent = if is_zero { 0 } else { exponent + place };
        Decimal { is_negative: magnitude.len() < token.len() && !is_zero, digits, length, exponent }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'t> {
        self.digits.bytes().filter(|byte| *byte != b'.')
    }

    /// Whether it has no fraction.
    pub(crate) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The number of things that it is, if it can be one; too many to count are as many as can be counted.
    pub(crate) fn count(&self) -> Option<u64> {
        if self.is_negative || !self.is_integer() {
            return None;
        }
        let digits =
            self.digits().fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        let power = 10_u64.checked_pow(u32::try_from(self.exponent).unwrap_or(u32::MAX));
        Some(if digits == 0 { 0 } else { digits.saturating_mul(power.unwrap_or(u64::MAX)) })
    }

    fn magnitude_cmp(&self, other: &Self) -> Ordering {
        if self.length == 0 || other.length == 0 {
            return self.length.cmp(&other.length);
        }
        let above_dot = |number: &Self| number.exponent + number.length;
        above_dot(self).cmp(&above_dot(other)).then_with(|| self.digits().cmp(other.digits()))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.magnitude_cmp(other),
            (true, true) => other.magnitude_cmp(self),
            (is_negative, _) => other.is_negative.cmp(&is_negative),
        }
    }
}

impl Hash for Decimal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.is_negative, self.exponent, self.length).hash(state);
        self.digits().for_each(|digit| digit.hash(state));
    }
}

fn exponent(text: &str) -> i64 {
    let digits = text.trim_start_matches(['+', '-']);
    let number = |value: i64, byte: u8| value.saturating_mul(10).saturating_add(i64::from(byte) - 48).min(EXPONENT_MAX);
    let value = digits.bytes().fold(0, number);
    if text.starts_with('-') { -value } else { value }
}

/// Whether two tokens are the same number.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    match (Small::new(a), Small::new(b)) {
        (Some(a), Some(b)) => a.cmp(b).is_eq(),
        _ => Decimal::new(a) == Decimal::new(b),
    }
}

/// A number of a schema.
#[derive(Debug)]
pub(crate) struct Limit {
    token: String,
    small: Option<Small>,
}

impl Limit {
    pub(crate) fn new(token: &str) -> Self {
        Limit { token: token.to_owned(), small: Small::new(token) }
    }

    /// As the schema has it.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// How a number from an event compares with this one, where both are small.
    #[inline]
    pub(crate) fn of_small(&self, token: &str) -> Option<Ordering> {
        Some(Small::new(token)?.cmp(self.small?))
    }

    /// How any number compares with this one.
    pub(crate) fn of(&self, token: &str) -> Ordering {
        Decimal::new(token).cmp(&Decimal::new(&self.token))
    }
}

/// The number of `multipleOf`.
#[derive(Debug)]
pub(crate) struct Divisor {
    limit: Limit,
    digits: u64,
    exponent: i64,
}

impl Divisor {
    /// `None` when it has too many digits.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let number = Decimal::new(token);
        let digits = || number.digits().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let fits = number.length > 0 && number.length <= DIVISOR_DIGITS_MAX as i64;
        fits.then(|| Divisor { limit: Limit::new(token), digits: digits(), exponent: number.exponent })
    }

    pub(crate) fn token(&self) -> &str {
        self.limit.token()
    }

    /// Whether a number is a multiple.
    ///
    /// With both as digits times a power of ten: where the number's power is the greater one, the rest is added to its digits.
    /// Where it is smaller, its digits would have to be a multiple of ten, which they are not.
    pub(crate) fn divides(&self, token: &str) -> bool {
        if let (Some(value), Some(divisor)) = (Small::new(token), self.limit.small) {
            let (value, divisor) = value.aligned(divisor);
            return value % divisor == 0;
        }
        let number = Decimal::new(token);
        let Ok(power) = u64::try_from(number.exponent - self.exponent) else { return number.length == 0 };
        let divisor = u128::from(self.digits);
        let rest = number.digits().fold(0, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % divisor);
        (rest * power_of_ten(power, divisor)).is_multiple_of(divisor)
    }
}

/// `10^power mod divisor`, by squaring.
fn power_of_ten(mut power: u64, divisor: u128) -> u128 {
    let (mut result, mut square) = (1 % divisor, 10 % divisor);
    while power > 0 {
        if power & 1 == 1 {
            result = result * square % divisor;
        }
        square = square * square % divisor;
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_their_exact_value() {
        let rising = [
            "-1e400",
            "-100000000000000000001",
            "-100000000000000000000",
            "-1.5",
            "-1",
            "-1e-400",
            "0",
            "1e-400",
            "0.1",
            "0.10000000000000000001",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615.5",
            "18446744073709551616",
            "1e308",
            "1e309",
            "1e99999999999999999999",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                let limit = Limit::new(b);
                assert_eq!(limit.of(a), i.cmp(&j), "{a} and {b}");
                assert!(limit.of_small(a).is_none_or(|order| order == i.cmp(&j)), "{a} and {b}, small");
            }
        }
        for (a, b) in
            [("1", "1.0"), ("100", "1e2"), ("0.5", "5e-1"), ("-0", "0.0e7"), ("120", "1.2E+2"), ("10.10", "10.1")]
        {
            assert_eq!(Limit::new(b).of(a), Ordering::Equal, "{a} and {b}");
        }
    }

    #[test]
    fn a_number_without_fraction_is_an_integer_however_it_is_written() {
        for token in ["0", "-0", "1.0", "1e2", "12.50e1", "1e99999999999", "100000000000000000000000", "0.0"] {
            assert!(Small::new(token).is_none_or(Small::is_integer), "{token}, small");
            assert!(Decimal::new(token).is_integer(), "{token}");
        }
        for token in ["0.5", "1e-1", "12.55e1", "10000000000000000000000.5", "1e-99999999999"] {
            assert!(Small::new(token).is_none_or(|small| !small.is_integer()), "{token}, small");
            assert!(!Decimal::new(token).is_integer(), "{token}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        let divides = |divisor: &str, token: &str| Divisor::new(divisor).unwrap().divides(token);
        for (divisor, token) in [
            ("0.01", "19.99"),
            ("0.0001", "0.0075"),
            ("2", "10"),
            ("2", "1e308"),
            ("0.5", "1e308"),
            ("3", "-9"),
            ("7", "0.0"),
            ("1e-8", "12391239123"),
            ("3", "300000000000000000000000000000"),
            ("1.5", "4.5"),
            ("10", "1e99999999999"),
        ] {
            assert!(divides(divisor, token), "{token} by {divisor}");
        }
        for (divisor, token) in [
            ("0.0001", "0.00751"),
            ("2", "7"),
            ("0.123456789", "1e308"),
            ("3", "100000000000000000000000000000"),
            ("1.5", "35"),
            ("10", "5"),
            ("10", "0.1"),
            ("1", "1e-99999999999"),
        ] {
            assert!(!divides(divisor, token), "{token} by {divisor}");
        }
        assert!(Divisor::new("1.234567890123456789").is_none(), "19 digits");
    }
}
