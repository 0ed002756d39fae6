//! The timestamps that events mostly have, read with a few operations on whole words: `2024-02-29T12:00:00` with no, 3, 6 or
//! 9 digits of fraction, and `Z`. Whatever else RFC 3339 allows is read by the parent module, which agrees with this one.
//!
//! A word of eight bytes is checked and read at once ("SWAR", as in Daniel Lemire's parsers of numbers and dates): an
//! exclusive or with `0` and the separators leaves digits of 0 to 9 and zeros, which one addition tests.

use super::{Instant, days_in_month, days_since_1970};

/// `dd?dd?dd` with two separators, as a word whose digits and separators are zero.
const fn pattern(separator: u8) -> u64 {
    u64::from_le_bytes([b'0', b'0', separator, b'0', b'0', separator, b'0', b'0'])
}

/// Added to a digit, this reaches the high bit from 10 on; to a separator, from 1 on.
const LIMITS: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The three numbers of the `dd?dd?dd` at `place`.
#[inline(always)]
fn three(bytes: &[u8; LENGTH], place: usize, separator: u8) -> Option<(u32, u32, u32)> {
    let word = bytes[place..].first_chunk().expect("eight bytes follow each place");
    let digits = u64::from_le_bytes(*word) ^ pattern(separator);
    if (digits | digits.wrapping_add(LIMITS)) & HIGH_BITS != 0 {
        return None;
    }
    // In the byte of a pair's first digit now stands the pair's number; no byte overflows, since none is over 99.
    let pairs = digits * 10 + (digits >> 8);
    let pair = |byte: u32| (pairs >> (8 * byte)) as u32 & 0xff;
    Some((pair(0), pair(3), pair(6)))
}

/// The number of `dd`.
#[inline(always)]
fn two(bytes: [u8; 2]) -> Option<u32> {
    let (tens, ones) = (u32::from(bytes[0].wrapping_sub(b'0')), u32::from(bytes[1].wrapping_sub(b'0')));
    (tens <= 9 && ones <= 9).then_some(tens * 10 + ones)
}

/// The number of `ddd`.
#[inline(always)]
fn thousandths(bytes: [u8; 3]) -> Option<u32> {
    let [hundreds, rest @ ..] = bytes;
    let hundreds = u32::from(hundreds.wrapping_sub(b'0'));
    (hundreds <= 9).then_some(hundreds * 100 + two(rest)?)
}

/// Length of `2024-02-29T12:00:00`.
const LENGTH: usize = super::DATE_TIME_LENGTH;

/// The instant, when the text has the common form and is in the calendar; a leap second is not common.
#[inline]
pub(super) fn instant(text: &[u8]) -> Option<Instant> {
    let (date_time, rest) = text.split_first_chunk::<LENGTH>()?;
    let century = two([date_time[0], date_time[1]])?;
    let (year_of_century, month, day) = three(date_time, 2, b'-')?;
    let (hour, minute, second) = three(date_time, 11, b':')?;
    let year = century * 100 + year_of_century;
    let in_calendar = year >= 1
        && month.wrapping_sub(1) < 12
        && (day.wrapping_sub(1) < 28 || (day != 0 && day <= days_in_month(year, month)))
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_calendar || date_time[10] != b'T' {
        return None;
    }
    let nanos = match *rest {
        [b'Z'] => 0,
        [b'.', a, b, c, b'Z'] => thousandths([a, b, c])? * 1_000_000,
        [b'.', a, b, c, d, e, f, b'Z'] => thousandths([a, b, c])? * 1_000_000 + thousandths([d, e, f])? * 1_000,
        [b'.', a, b, c, d, e, f, g, h, i, b'Z'] => {
            thousandths([a, b, c])? * 1_000_000 + thousandths([d, e, f])? * 1_000 + thousandths([g, h, i])?
        }
        _ => return None,
    };
    let seconds = i64::from(days_since_1970(year, month, day)) * super::DAY_SECONDS;
    Some(Instant { seconds: seconds + i64::from(hour * 3_600 + minute * 60 + second), nanos })
}
