//! A time as RFC 3339 text, without an allocation.
//!
//! The date's algorithm is the usual one of days in eras of 400 years that begin in March (Howard Hinnant, "chrono-compatible
//! low-level date algorithms").

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_DAY: i64 = 86_400;

/// The text of the day that was written last: neighbouring events are mostly of one day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Date {
    /// Days since 1970-01-01.
    day: i64,
    text: [u8; 11],
}

impl Default for Date {
    fn default() -> Self {
        Date { day: 0, text: *b"1970-01-01T" }
    }
}

impl Date {
    /// Every `i64` of nanoseconds lies in the years 1677 to 2262, so four digits are enough.
    fn of_day(day: i64) -> Self {
        let from_era_start = day + 719_468;
        let era = from_era_start.div_euclid(146_097);
        let day_of_era = from_era_start.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let mut text = *b"0000-00-00T";
        digits(&mut text[0..4], year as u32);
        digits(&mut text[5..7], month as u32);
        digits(&mut text[8..10], day_of_month as u32);
        Date { day, text }
    }
}

/// Appends `ns` nanoseconds since 1970 as `2026-11-21T08:45:00.250Z`: without a fraction, or with 3, 6 or 9 digits, as many
/// as it needs.
pub(crate) fn append_rfc3339(out: &mut Vec<u8>, ns: i64, last: &mut Date) {
    let (seconds, fraction) = (ns.div_euclid(NS_PER_S), ns.rem_euclid(NS_PER_S) as u32);
    let (day, second) = (seconds.div_euclid(S_PER_DAY), seconds.rem_euclid(S_PER_DAY) as u32);
    if last.day != day {
        *last = Date::of_day(day);
    }
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    text[..11].copy_from_slice(&last.text);
    digits(&mut text[11..13], second / 3600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    let end = match fraction {
        0 => 19,
        _ if fraction.is_multiple_of(1_000_000) => {
            digits(&mut text[20..23], fraction / 1_000_000);
            23
        }
        _ if fraction.is_multiple_of(1_000) => {
            digits(&mut text[20..26], fraction / 1_000);
            26
        }
        _ => {
            digits(&mut text[20..29], fraction);
            29
        }
    };
    text[end] = b'Z';
    out.extend_from_slice(&text[..=end]);
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
        append_rfc3339(&mut out, ns, &mut Date::default());
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
    fn the_remembered_day_does_not_leak_into_another() {
        let (mut out, mut last) = (Vec::new(), Date::default());
        for ns in [1_795_250_700_000_000_000, 0, 1_795_250_700_000_000_000] {
            append_rfc3339(&mut out, ns, &mut last);
        }
        assert_eq!(out, b"2026-11-21T08:45:00Z1970-01-01T00:00:00Z2026-11-21T08:45:00Z");
    }
}
