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
    /// The second written last, and its text up to the point of the fraction.
    second: i64,
    text: [u8; LENGTH_MAX],
}

impl Default for Writer {
    fn default() -> Self {
        Writer { ns: 0, slot: 0, second: 0, text: text_of(0) }
    }
}

impl Writer {
    /// The range of `out` that has `ns` nanoseconds since 1970 as `2026-11-21T08:45:00.250Z`: without a fraction, or with 3, 6
    /// or 9 digits, as many as it needs.
    #[inline(always)]
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, ns: i64) -> u64 {
        if self.ns != ns || self.slot == 0 {
            let offset = out.len();
            self.append(out, ns);
            (self.ns, self.slot) = (ns, range(offset, out.len() - offset));
        }
        self.slot
    }

    #[inline(always)]
    fn append(&mut self, out: &mut Vec<u8>, ns: i64) {
        let second = ns.div_euclid(NS_PER_S);
        if self.second != second {
            (self.second, self.text) = (second, text_of(second));
        }
        let fraction = ns.rem_euclid(NS_PER_S) as u32;
        let (millis, finer) = (fraction / 1_000_000, fraction % 1_000_000);
        if fraction == 0 {
            self.end::<{ WHOLE + 1 }>(out);
        } else if finer == 0 {
            self.digits(0, millis);
            self.end::<{ WHOLE + 5 }>(out);
        } else {
            self.append_fine(out, millis, finer);
        }
    }

    #[inline(never)]
    fn append_fine(&mut self, out: &mut Vec<u8>, millis: u32, finer: u32) {
        self.digits(0, millis);
        self.digits(1, finer / 1_000);
        if finer.is_multiple_of(1_000) {
            self.end::<{ WHOLE + 8 }>(out);
        } else {
            self.digits(2, finer % 1_000);
            self.end::<{ WHOLE + 11 }>(out);
        }
    }

    /// Three digits of the fraction.
    #[inline(always)]
    fn digits(&mut self, group: usize, number: u32) {
        self.text[WHOLE] = b'.';
        digits(&mut self.text[WHOLE + 1 + 3 * group..][..3], number);
    }

    /// Appends the text with its last byte, the zone; of a length known here, so that it is no call.
    #[inline(always)]
    fn end<const LENGTH: usize>(&mut self, out: &mut Vec<u8>) {
        self.text[LENGTH - 1] = b'Z';
        let text: &[u8; LENGTH] = self.text.first_chunk().expect("no text is longer");
        out.extend_from_slice(text);
    }
}

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
