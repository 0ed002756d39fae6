//! The timestamps that events mostly have, read with a few operations on whole words: `2024-02-29T12:00:00` with no, 3, 6 or
//! 9 digits of fraction, and `Z`. Whatever else RFC 3339 allows is read by the parent module, which agrees with this one.
//!
//! A word of eight bytes is checked and read at once ("SWAR", as in Daniel Lemire's parsers of numbers and dates): an
//! exclusive or with `0` and the separators leaves digits of 0 to 9 and zeros, which one addition tests. What is wrong is
//! gathered, to be asked about once.

use super::{Instant, days_in_month, days_since_1970};

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// What a word of eight bytes must look like: for a digit the highest that may stand there, else the byte itself.
struct Form {
    zeros: u64,
    /// Added to a digit, this reaches the high bit beyond the highest one; to a separator, from 1 on.
    limits: u64,
}

impl Form {
    const fn of(highest: &[u8; 8]) -> Self {
        let (mut zeros, mut limits) = ([0; 8], [0; 8]);
        let mut place = 0;
        while place < 8 {
            let byte = highest[place];
            let digit = byte.is_ascii_digit();
            zeros[place] = if digit { b'0' } else { byte };
            limits[place] = if digit { 0x7f - (byte - b'0') } else { 0x7f };
            place += 1;
        }
        Form { zeros: u64::from_le_bytes(zeros), limits: u64::from_le_bytes(limits) }
    }

    /// The word's digits, with zeros for the separators. `wrong` gets a high bit when they are not of this form.
    #[inline(always)]
    fn read(&self, word: [u8; 8], wrong: &mut u64) -> Digits {
        let digits = u64::from_le_bytes(word) ^ self.zeros;
        *wrong |= digits | digits.wrapping_add(self.limits);
        Digits(digits)
    }
}

#[derive(Clone, Copy)]
struct Digits(u64);

impl Digits {
    #[inline(always)]
    fn one(self, place: u32) -> u32 {
        (self.0 >> (8 * place)) as u32 & 0xff
    }

    /// The numbers of two digits, each in the byte of its first digit: no byte overflows, since none is over 99.
    #[inline(always)]
    fn pairs(self) -> Digits {
        Digits(self.0.wrapping_mul(10).wrapping_add(self.0 >> 8))
    }
}

/// A high bit where the number at `place` is not one of 1 to `highest`. No other byte, being at most 99, gets one.
#[inline(always)]
fn outside(numbers: Digits, place: u32, highest: u64) -> u64 {
    numbers.0.wrapping_sub(1 << (8 * place)) | numbers.0.wrapping_add((0x7f - highest) << (8 * place))
}

/// A text of the common form, in the calendar; a leap second is not common.
struct Common {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
}

#[inline(always)]
fn read(text: &[u8]) -> Option<Common> {
    let (date, rest) = text.split_first_chunk()?;
    let (day_and_hour, rest) = rest.split_first_chunk()?;
    let last = text.last_chunk()?;
    let mut wrong = 0;
    let date = const { Form::of(b"9999-19-") }.read(*date, &mut wrong).pairs();
    let (year, month) = (date.one(0) * 100 + date.one(2), date.one(5));
    let day_and_hour = const { Form::of(b"39T29:59") }.read(*day_and_hour, &mut wrong).pairs();
    let (day, hour, minute) = (day_and_hour.one(0), day_and_hour.one(3), day_and_hour.one(6));
    wrong |= outside(date, 5, 12) | outside(day_and_hour, 0, 31) | day_and_hour.0.wrapping_add((0x7f - 23) << 24);
    let (second, nanos) = match text.len() {
        24 => {
            let digits = const { Form::of(b":59.999Z") }.read(*last, &mut wrong);
            let pairs = digits.pairs();
            (pairs.one(1), (pairs.one(4) * 10 + digits.one(6)) * 1_000_000)
        }
        20 => (const { Form::of(b"9:59:59Z") }.read(*last, &mut wrong).pairs().one(5), 0),
        27 => {
            let second = const { Form::of(b":59.9999") }.read(*rest.first_chunk()?, &mut wrong).pairs().one(1);
            let pairs = const { Form::of(b".999999Z") }.read(*last, &mut wrong).pairs();
            (second, (pairs.one(1) * 10_000 + pairs.one(3) * 100 + pairs.one(5)) * 1_000)
        }
        30 => {
            let seconds = const { Form::of(b":59.9999") }.read(*rest.first_chunk()?, &mut wrong).pairs();
            let digits = const { Form::of(b"9999999Z") }.read(*last, &mut wrong);
            let pairs = digits.pairs();
            let low = (pairs.one(0) * 10_000 + pairs.one(2) * 100 + pairs.one(4)) * 10 + digits.one(6);
            (seconds.one(1), seconds.one(4) * 10_000_000 + low)
        }
        _ => return None,
    };
    let right = wrong & HIGH_BITS == 0 && year != 0 && (day <= 28 || day <= days_in_month(year, month));
    right.then_some(Common { year, month, day, hour, minute, second, nanos })
}

/// The instant, when the text has the common form.
#[inline]
pub(super) fn instant(text: &[u8]) -> Option<Instant> {
    let Common { year, month, day, hour, minute, second, nanos } = read(text)?;
    let seconds = i64::from(days_since_1970(year, month, day)) * super::DAY_SECONDS;
    Some(Instant { seconds: seconds + i64::from(hour * 3_600 + minute * 60 + second), nanos })
}

/// The year, when the text has the common form.
#[inline]
pub(super) fn year(text: &[u8]) -> Option<u32> {
    read(text).map(|common| common.year)
}
