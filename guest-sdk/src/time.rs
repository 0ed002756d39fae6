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

#[cfg(test)]
mod tests {
    use super::*;

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
