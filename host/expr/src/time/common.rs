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

/// High bits where numbers are outside of bounds: `lowest` has a 1 at those that must not be 0, `limits` reaches the high bit
/// of those that are too high. No other byte, being at most 99, gets one.
#[inline(always)]
fn outside(numbers: Digits, lowest: u64, limits: u64) -> u64 {
    numbers.0.wrapping_sub(lowest) | numbers.0.wrapping_add(limits)
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

/// The word at a place of a text whose length is known here.
#[inline(always)]
fn word<const LENGTH: usize>(text: &[u8; LENGTH], place: usize) -> [u8; 8] {
    *text[place..].first_chunk().expect("eight bytes follow each place")
}

#[inline(always)]
fn read(text: &[u8]) -> Option<Common> {
    // By far the most common first.
    if text.len() == 24 {
        read_as(text.first_chunk()?, |text, wrong| {
            let digits = const { Form::of(b":59.999Z") }.read(word::<24>(text, 16), wrong);
            let pairs = digits.pairs();
            (pairs.one(1), (pairs.one(4) * 10 + digits.one(6)) * 1_000_000)
        })
    } else if text.len() == 20 {
        read_as(text.first_chunk()?, |text, wrong| {
            (const { Form::of(b"9:59:59Z") }.read(word::<20>(text, 12), wrong).pairs().one(5), 0)
        })
    } else if text.len() == 27 {
        read_as(text.first_chunk()?, |text, wrong| {
            let second = const { Form::of(b":59.9999") }.read(word::<27>(text, 16), wrong).pairs().one(1);
            let pairs = const { Form::of(b".999999Z") }.read(word(text, 19), wrong).pairs();
            (second, (pairs.one(1) * 10_000 + pairs.one(3) * 100 + pairs.one(5)) * 1_000)
        })
    } else if text.len() == 30 {
        read_as(text.first_chunk()?, |text, wrong| {
            let seconds = const { Form::of(b":59.9999") }.read(word::<30>(text, 16), wrong).pairs();
            let digits = const { Form::of(b"9999999Z") }.read(word(text, 22), wrong);
            let pairs = digits.pairs();
            let low = (pairs.one(0) * 10_000 + pairs.one(2) * 100 + pairs.one(4)) * 10 + digits.one(6);
            (seconds.one(1), seconds.one(4) * 10_000_000 + low)
        })
    } else {
        None
    }
}

/// Reads what all lengths have in common; `rest` reads the second and the nanoseconds.
#[inline(always)]
fn read_as<const LENGTH: usize>(
    text: &[u8; LENGTH],
    rest: impl FnOnce(&[u8; LENGTH], &mut u64) -> (u32, u32),
) -> Option<Common> {
    let mut wrong = 0;
    let date = const { Form::of(b"9999-19-") }.read(word(text, 0), &mut wrong).pairs();
    let time = const { Form::of(b"39T29:59") }.read(word(text, 8), &mut wrong).pairs();
    let (second, nanos) = rest(text, &mut wrong);
    // A month of 1 to 12, a day of 1 to 31 and an hour of 0 to 23.
    wrong |= outside(date, 1 << 40, (0x7f - 12) << 40) | outside(time, 1, (0x7f - 31) | (0x7f - 23) << 24);
    let (year, month, day) = (date.one(0) * 100 + date.one(2), date.one(5), time.one(0));
    let right = wrong & HIGH_BITS == 0 && year != 0 && (day <= 28 || day <= days_in_month(year, month));
    right.then(|| Common { year, month, day, hour: time.one(3), minute: time.one(6), second, nanos })
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
