//! A time as RFC 3339 text, without an allocation.
//!
//! The date's algorithm is the usual one of days in eras of 400 years that begin in March (Howard Hinnant, "chrono-compatible
//! low-level date algorithms").

use crate::writer::range;

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_DAY: i64 = 86_400;

/// The longest text: `2026-11-21T08:45:00.250000000Z`.
const LENGTH_MAX: usize = 30;
/// Length of `2026-11-21T08:45:00`.
const WHOLE: usize = 19;

/// Writes times. Neighbouring events are mostly of one second, and often of one instant: what was written last is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    /// The time written last, and the range of its text; none is empty.
    ns: i64,
    slot: u64,
    /// The second that `text` is of: its nanoseconds, and its beginning, which wraps around where 64 bits do not hold it.
    first: i64,
    last: i64,
    start: i64,
    /// Up to the point of the fraction.
    text: [u8; LENGTH_MAX],
}

impl Default for Writer {
    fn default() -> Self {
        Writer { ns: 0, slot: 0, first: 0, last: NS_PER_S - 1, start: 0, text: text_of(0) }
    }
}

impl Writer {
    /// The range of `out` that has `ns` nanoseconds since 1970 as `2026-11-21T08:45:00.250Z`: without a fraction, or with 3, 6
    /// or 9 digits, as many as it needs.
    #[inline(always)]
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, ns: i64) -> u64 {
        if self.ns != ns || self.slot == 0 {
            let offset = out.len();
            if ns < self.first || ns > self.last {
                self.renew(ns);
            }
            self.append(out, ns.wrapping_sub(self.start) as u32);
            (self.ns, self.slot) = (ns, range(offset, out.len() - offset));
        }
        self.slot
    }

    /// Makes the text be that of another second.
    #[inline(never)]
    fn renew(&mut self, ns: i64) {
        let (second, fraction) = (ns.div_euclid(NS_PER_S), ns.rem_euclid(NS_PER_S));
        self.text = text_of(second);
        self.first = ns.saturating_sub(fraction);
        self.last = ns.saturating_add(NS_PER_S - 1 - fraction);
        self.start = second.wrapping_mul(NS_PER_S);
    }

    /// Appends the text of the second with a fraction, in nanoseconds.
    #[inline(always)]
    fn append(&mut self, out: &mut Vec<u8>, fraction: u32) {
        if fraction == 0 {
            let mut text: [u8; WHOLE + 1] = *self.text.first_chunk().expect("shorter than the longest");
            text[WHOLE] = b'Z';
            return out.extend_from_slice(&text);
        }
        let (millis, finer) = (fraction / 1_000_000, fraction % 1_000_000);
        self.thousandths(0, millis);
        if finer == 0 {
            return self.end::<{ WHOLE + 5 }>(out);
        }
        let (micros, nanos) = (finer / 1_000, finer % 1_000);
        self.thousandths(1, micros);
        if nanos == 0 {
            return self.end::<{ WHOLE + 8 }>(out);
        }
        self.thousandths(2, nanos);
        self.end::<{ WHOLE + 11 }>(out);
    }

    /// Three digits of the fraction and the `Z` that ends the text if no more follow.
    #[inline(always)]
    fn thousandths(&mut self, group: usize, number: u32) {
        self.text[WHOLE + 1 + 3 * group..][..4].copy_from_slice(&THOUSANDTHS[number as usize]);
    }

    /// Appends the text; of a length known here, so that it is no call.
    #[inline(always)]
    fn end<const LENGTH: usize>(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.first_chunk::<LENGTH>().expect("no text is longer"));
    }
}

/// `000Z` to `999Z`.
static THOUSANDTHS: [[u8; 4]; 1_000] = {
    let mut texts = [*b"000Z"; 1_000];
    let mut number = 0;
    while number < 1_000 {
        texts[number][0] += (number / 100) as u8;
        texts[number][1] += (number / 10 % 10) as u8;
        texts[number][2] += (number % 10) as u8;
        number += 1;
    }
    texts
};

/// The text of a second, as far as it goes. Every `i64` of nanoseconds lies in the years 1677 to 2262, so four digits are
/// enough for the year.
#[inline(never)]
fn text_of(second: i64) -> [u8; LENGTH_MAX] {
    let (day, second) = (second.div_euclid(S_PER_DAY), second.rem_euclid(S_PER_DAY) as u32);
    let from_era_start = day + 719_468;
    let era = from_era_start.div_euclid(146_097);
    let day_of_era = from_era_start.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    digits(&mut text[0..4], year as u32);
    digits(&mut text[5..7], month as u32);
    digits(&mut text[8..10], day_of_month as u32);
    digits(&mut text[11..13], second / 3600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    text
}

/// Fills `out` with the last digits of `number`.
#[inline(always)]
fn digits(out: &mut [u8], mut number: u32) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The nanoseconds since 1970 of a time as RFC 3339 has it: `2026-11-21T08:45:00.250Z`, `2026-11-21 09:45:00+01:00`. `None`: the text is no such
/// time, or one that 64 bits do not hold (before 1677, after 2262).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (whole, rest) = text.as_bytes().split_first_chunk::<WHOLE>()?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| whole[*at] != *mark) || !matches!(whole[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(&whole[0..4])?, number(&whole[5..7])?, number(&whole[8..10])?);
    let (hour, minute, second) = (number(&whole[11..13])?, number(&whole[14..16])?, number(&whole[17..19])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            (number(&rest[..digits])? * 10_i64.pow(9 - digits as u32), &rest[digits..])
        }
        _ => (0, rest),
    };
    let seconds = days_since_1970(year, month, day) * S_PER_DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    // Before 1970 the product alone may not fit where the sum does.
    i64::try_from(i128::from(seconds) * i128::from(NS_PER_S) + i128::from(fraction)).ok()
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let seconds = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The inverse of what [`text_of`] does.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let times = [
            0,
            -1,
            1,
            951_782_400_000_000_000,
            1_709_164_800_000_000_000,
            1_795_250_700_250_001_000,
            i64::MIN,
            i64::MAX,
        ];
        for ns in times {
            assert_eq!(parse(&format(ns)), Some(ns), "{}", format(ns));
        }
        for day in -200_000..100_000 {
            let ns = day * S_PER_DAY.min(86_399) * 1_000_000 * 31;
            assert_eq!(parse(&format(ns)), Some(ns), "{}", format(ns));
        }
    }

    #[test]
    fn times_are_read_as_rfc_3339_has_them_and_nothing_else_is() {
        let hour = 3_600 * NS_PER_S;
        for (text, ns) in [
            ("1970-01-01T00:00:00z", 0),
            ("1970-01-01t01:00:00+01:00", 0),
            ("1969-12-31 23:59:00-00:01", 0),
            ("1970-01-01T01:00:00.5Z", hour + 500_000_000),
            ("1970-01-01T00:59:60Z", hour),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
        ] {
            assert_eq!(parse(text), Some(ns), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-13-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.0123456789Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00Zz",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:0\u{e9}Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    fn format(ns: i64) -> String {
        let mut out = Vec::new();
        assert_eq!(Writer::default().write(&mut out, ns), out.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_with_as_many_digits_as_they_need() {
        assert_eq!(format(0), "1970-01-01T00:00:00Z");
        assert_eq!(format(1_795_250_700_250_000_000), "2026-11-21T08:45:00.250Z");
        assert_eq!(format(1_795_250_700_250_001_000), "2026-11-21T08:45:00.250001Z");
        assert_eq!(format(1_795_250_700_250_000_001), "2026-11-21T08:45:00.250000001Z");
    }

    #[test]
    fn times_before_1970_and_at_the_ends_of_the_range_are_written() {
        assert_eq!(format(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(format(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(format(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn leap_days_are_written() {
        assert_eq!(format(951_782_400_000_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(format(1_709_164_800_000_000_000), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn every_thousandth_is_written() {
        for number in 0..1_000 {
            let fraction = format!("{:03}{number:03}{:03}", 999 - number, (number + 500) % 1_000);
            let ns: i64 = fraction.parse().unwrap();
            let digits = fraction.strip_suffix("000").unwrap_or(&fraction);
            assert_eq!(format(7_000_000_000 + ns), format!("1970-01-01T00:00:07.{digits}Z"));
        }
    }

    #[test]
    fn what_is_remembered_of_a_time_does_not_leak_into_another() {
        let times = [
            1_795_250_700_000_000_000,
            0,
            1,
            1_000,
            1_000_000,
            1,
            0,
            999_999_999,
            1_000_000_000,
            i64::MIN,
            i64::MAX,
            i64::MIN,
        ];
        let (mut out, mut writer) = (Vec::new(), Writer::default());
        for ns in times {
            let slot = writer.write(&mut out, ns);
            assert_eq!(writer.write(&mut out, ns), slot, "the same text");
            let (offset, length) = ((slot >> 32) as usize, slot as u32 as usize);
            assert_eq!(out[offset..offset + length], *format(ns).as_bytes());
        }
    }
}
