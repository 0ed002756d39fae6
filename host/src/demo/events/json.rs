//! Writes numbers and times as text, without allocating.

/// A number's decimal digits.
pub(super) fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

/// The last `width` hexadecimal digits of a number.
pub(super) fn hex(out: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * place) & 15) as usize]);
    }
}

/// A time from 1970 on as RFC 3339 with milliseconds.
pub(super) fn time(out: &mut Vec<u8>, time_ms: i64) {
    let (seconds, milliseconds) = (time_ms / 1_000, time_ms % 1_000);
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3_600, 2, b':'),
        (second / 60 % 60, 2, b':'),
        (second % 60, 2, b'.'),
        (milliseconds, 3, b'Z'),
    ];
    for (number, width, after) in parts {
        for place in (0..width).rev() {
            out.push(b'0' + (number / 10_i64.pow(place) % 10) as u8);
        }
        out.push(after);
    }
}

/// Year, month and day of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn numbers_and_times_are_written_as_everybody_writes_them() {
        assert_eq!(text(|out| digits(out, 0)), "0");
        assert_eq!(text(|out| digits(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(|out| hex(out, 0xabc, 4)), "0abc");
        assert_eq!(text(|out| time(out, 0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(|out| time(out, 951_782_400_123)), "2000-02-29T00:00:00.123Z");
        assert_eq!(text(|out| time(out, super::super::FIRST_MS)), "2026-01-01T00:00:00.000Z");
        assert_eq!(text(|out| time(out, 1_798_761_599_999)), "2026-12-31T23:59:59.999Z");
    }
}
