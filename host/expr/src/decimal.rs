//! Decimal numbers into the nearest double, ties to even: what the standard library's parser answers, in a tenth of the
//! code and without its tables. Numbers of up to 15 digits with a small exponent, which is nearly all there are, are one
//! exact multiplication or division; the others are divided out bit by bit.

/// Digits that can decide how a number is rounded; of those behind only matters whether one of them is not zero.
const DIGITS_MAX: usize = 800;

/// The double nearest to a number written with digits, at most one dot, and an exponent if any; a sign may come first.
/// Infinite beyond the range of doubles; `None` when the text is no number.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let bytes = magnitude.as_bytes();
    let mantissa_end = bytes.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(bytes.len());
    let (mantissa, exponent) = bytes.split_at(mantissa_end);
    let exponent = match exponent {
        [] => 0,
        [_, exponent @ ..] => parse_exponent(exponent)?,
    };
    let decimal = Decimal::read(mantissa, exponent)?;
    let float = decimal.exact().unwrap_or_else(|| decimal.nearest());
    Some(if magnitude.len() < text.len() { -float } else { float })
}

fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Beyond any double, however many digits stand before it in a text of less than 2 GB.
    let add = |value: i32, byte: &u8| value.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
    let value = digits.iter().fold(0, add);
    Some(if negative { -value } else { value })
}

/// A number as digits times a power of ten.
struct Decimal<'t> {
    /// The digits from the first that is not zero, with the dot if it comes later.
    digits: &'t [u8],
    /// How many digits that are.
    count: usize,
    exponent: i32,
}

impl<'t> Decimal<'t> {
    fn read(mantissa: &'t [u8], exponent: i32) -> Option<Self> {
        let (mut after_dot, mut has_dot, mut first, mut count) = (0_i32, false, mantissa.len(), 0);
        for (place, byte) in mantissa.iter().enumerate() {
            match byte {
                b'.' if !has_dot => has_dot = true,
                b'0'..=b'9' => {
                    after_dot = after_dot.saturating_add(i32::from(has_dot));
                    if count == 0 && *byte != b'0' {
                        first = place;
                    }
                    count += usize::from(first < mantissa.len());
                }
                _ => return None,
            }
        }
        if mantissa.len() == usize::from(has_dot) {
            return None;
        }
        let digits = mantissa.get(first..).unwrap_or_default();
        Some(Self { digits, count, exponent: exponent.saturating_sub(after_dot) })
    }

    fn digits(&self) -> impl Iterator<Item = u32> + 't {
        self.digits.iter().filter(|byte| **byte != b'.').map(|byte| u32::from(byte - b'0'))
    }

    /// The double, when both parts are doubles themselves, so that one operation rounds once.
    fn exact(&self) -> Option<f64> {
        if self.count > 15 || self.exponent.unsigned_abs() > 22 {
            return None;
        }
        let mantissa = self.digits().fold(0.0, |value, digit| value * 10.0 + f64::from(digit));
        let power = (0..self.exponent.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
        Some(if self.exponent < 0 { mantissa / power } else { mantissa * power })
    }

    /// The double, by long division of two natural numbers.
    fn nearest(&self) -> f64 {
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        match self.exponent.saturating_add(count) {
            _ if count == 0 => return 0.0,
            311.. => return f64::INFINITY,
            ..=-330 => return 0.0,
            _ => {}
        }
        let (mut numerator, mut denominator) = (Natural(vec![0]), Natural(vec![1]));
        self.digits().take(DIGITS_MAX).for_each(|digit| numerator.multiply_add(10, digit));
        let mut exponent = self.exponent;
        if self.count > DIGITS_MAX {
            // A further digit that is not zero stands for all of them: it only has to break a tie.
            let rest = self.digits().skip(DIGITS_MAX).any(|digit| digit > 0);
            numerator.multiply_add(10, u32::from(rest));
            exponent += (self.count - DIGITS_MAX - 1) as i32;
        }
        let scaled = if exponent < 0 { &mut denominator } else { &mut numerator };
        (0..exponent.unsigned_abs()).for_each(|_| scaled.multiply_add(10, 0));
        divide(numerator, denominator)
    }
}

/// The double nearest to a quotient.
fn divide(mut numerator: Natural, mut denominator: Natural) -> f64 {
    // The quotient is brought between 1 and 2; `exponent` is what was taken out.
    let mut exponent = numerator.bits() - denominator.bits();
    if exponent > 0 { &mut denominator } else { &mut numerator }.double(exponent.unsigned_abs());
    if numerator.is_less(&denominator) {
        numerator.double(1);
        exponent -= 1;
    }
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // Numbers below the smallest normal one have fewer bits.
    let bits = 53 - (-1022 - exponent).max(0);
    if bits < 0 {
        return 0.0;
    }
    let mut quotient = 0_u64;
    for _ in 0..bits {
        quotient *= 2;
        if !numerator.is_less(&denominator) {
            numerator.subtract(&denominator);
            quotient += 1;
        }
        numerator.double(1);
    }
    let above_half = denominator.is_less(&numerator);
    let half = !above_half && !numerator.is_less(&denominator);
    quotient += u64::from(above_half || half && quotient % 2 == 1);
    // Below the smallest normal number the bits are the number; else a carry out of the 53 bits raises the exponent.
    let biased = if bits < 53 { 0 } else { (exponent + 1022) as u64 };
    f64::from_bits((biased << 52) + quotient)
}

/// A natural number, least significant 32 bits first, never empty.
struct Natural(Vec<u32>);

impl Natural {
    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn double(&mut self, times: u32) {
        (0..times).for_each(|_| self.multiply_add(2, 0));
    }

    /// The number of bits that it needs.
    fn bits(&self) -> i32 {
        let top = self.0.iter().rposition(|limb| *limb != 0).unwrap_or(0);
        top as i32 * 32 + 32 - self.0[top].leading_zeros() as i32
    }

    fn limb(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }

    fn is_less(&self, other: &Self) -> bool {
        let longer = self.0.len().max(other.0.len());
        let differing = (0..longer).rev().find(|index| self.limb(*index) != other.limb(*index));
        differing.is_some_and(|index| self.limb(index) < other.limb(index))
    }

    /// Takes off a number that is not greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        for index in 0..self.0.len() {
            let difference = i64::from(self.0[index]) - i64::from(other.limb(index)) + borrow;
            self.0[index] = difference as u32;
            borrow = difference >> 32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(text: &str) {
        assert_eq!(parse(text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
    }

    #[test]
    fn hard_numbers_are_rounded_as_they_should() {
        for text in [
            "0",
            "-0",
            "0.0",
            "0e999999999999",
            "1",
            "-1.5",
            "123456789012345678",
            "9007199254740993",
            "9007199254740992.5",
            "9007199254740993.0000000000000000000000000000000000001",
            "1e22",
            "1e23",
            "8.5e22",
            "1e308",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "1e310",
            "1e99999999999",
            "-1e309",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "2.225073858507201e-308",
            "1e-400",
            "1e-99999999999",
            "0.000000000000000000000000000000000000000000000000000000000000000000000000000001e78",
            "7.2057594037927933e16",
            "3.14159265358979323846264338327950288419716939937510582097494459",
        ] {
            agrees(text);
        }
        // Half of the smallest double, written out, and one digit more.
        let half = format!("{:.1075}", f64::from_bits(1) / 2.0 + 0.0);
        agrees(&half);
        let exact = "2470328229206232720882843964341106861825299013071623822127928412503377536351043759326499181808179961898982823477228588654633283551779698981993873980053909390631503565951557022639229085839244910518443593180284993653615250031937045767824921936562366986365848075701585769269903706311928279558551332927834338409351978015531246597263579574622766465272827220056374006485499977096599470454020828166226237857393450736339007967761930577506740176324673600968951340535537458516661134223766678604857276396800000000000000000000000";
        for tail in ["", "0", "1"] {
            agrees(&format!("{exact}{tail}e-{}", 324 + exact.trim_end_matches('0').len() - 1 + 22 + tail.len()));
            agrees(&format!("1{}{tail}e-900", "0".repeat(900)));
            agrees(&format!("9007199254740993{}{tail}e-{}", "0".repeat(900), 900 + tail.len()));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "e1", "1e", "1e+", "1.2.3", "1x", "--1", "1e1.5", "inf", "nan", "+"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::default())]

        #[test]
        fn every_double_is_read_back(bits in any::<u64>()) {
            let float = f64::from_bits(bits);
            if float.is_finite() {
                prop_assert_eq!(parse(&format!("{float:e}")).map(f64::to_bits), Some(bits));
                prop_assert_eq!(parse(&float.to_string()).map(f64::to_bits), Some(bits));
            }
        }

        #[test]
        fn every_number_is_rounded_as_the_standard_library_does(text in "-?[0-9]{1,30}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?") {
            prop_assert_eq!(parse(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }

        #[test]
        fn numbers_between_two_doubles_go_to_the_nearer(bits in 0..f64::MAX.to_bits(), up in any::<bool>()) {
            // The middle of two neighbours has a finite, long expansion; one digit more breaks the tie.
            let (low, high) = (f64::from_bits(bits), f64::from_bits(bits + 1));
            let middle = if low > 1e-300 && high < 1e300 { format!("{:.1100}", low + (high - low) / 2.0) } else { format!("{low:e}") };
            let text = if up { middle.clone() + "1" } else { middle };
            prop_assert_eq!(parse(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }
    }
}
