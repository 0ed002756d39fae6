//! RFC 3339 timestamps, as the host's columns and plugins read and write them.
//!
//! The accepted form is RFC 3339's `date-time` with its own leniences: `t` or a space for `T`, `z` for `Z`, any number
//! of fractional digits (those beyond nanoseconds, or microseconds, are cut off) and any offset from -23:59 to +23:59.
//! The calendar is checked. A leap second is accepted where one can be, that is as the last second of a month in UTC,
//! and is clamped to the last instant before it ends a minute early: `23:59:60.5` reads as `23:59:59.999999999`.

// What reads is `#[inline]`, so that it is compiled as its user is: this crate as a whole is compiled for size in plugins.

mod common;

use std::fmt;

/// Why a text or number is no usable timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// No RFC 3339 timestamp, or a date or time of day that does not exist.
    #[error("no RFC 3339 timestamp; write it as 2024-02-29T12:00:00Z")]
    Malformed,
    /// A timestamp, but outside of what the result can hold.
    #[error("the timestamp is outside of the years that can be stored")]
    OutOfRange,
}

const NANOS: i64 = 1_000_000_000;
const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// 0001-01-01T00:00:00Z in seconds since 1970.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// Nanoseconds since 1970-01-01T00:00:00Z of an RFC 3339 timestamp.
///
/// ```
/// # use wasmill_expr::time::parse_rfc3339;
/// assert_eq!(parse_rfc3339("1970-01-01T05:45:01.5+05:45"), Ok(1_500_000_000));
/// ```
///
/// # Errors
/// [`TimeError::OutOfRange`] before 1677-09-21T00:12:43.145224192Z or after 2262-04-11T23:47:16.854775807Z, and for the
/// year 0000; [`TimeError::Malformed`] for all else, years of five digits included.
#[inline]
pub fn parse_rfc3339(text: &str) -> Result<i64, TimeError> {
    let Instant { seconds, nanos } = instant(text)?;
    // From the nearest second towards zero, since the first representable instant is not a whole second.
    let (seconds, nanos) =
        if seconds < 0 { (seconds + 1, i64::from(nanos) - NANOS) } else { (seconds, i64::from(nanos)) };
    seconds.checked_mul(NANOS).and_then(|whole| whole.checked_add(nanos)).ok_or(TimeError::OutOfRange)
}

/// Microseconds since 1970-01-01T00:00:00Z of an RFC 3339 timestamp; finer digits are cut off, towards the past.
///
/// # Errors
/// [`TimeError::OutOfRange`] when the instant is outside of the years 0001 to 9999 in UTC; [`TimeError::Malformed`] as
/// for [`parse_rfc3339`].
#[inline]
pub fn parse_rfc3339_micros(text: &str) -> Result<i64, TimeError> {
    instant(text).map(|Instant { seconds, nanos }| seconds * MICROS + i64::from(nanos / 1_000))
}

/// The year, in UTC, of a timestamp in the form that most have, down to the second, milli-, micro- or nanosecond in UTC
/// (`2024-02-29T12:00:00Z`, `2024-02-29T12:00:00.000Z`). Cheaper than the instant. `None` tells nothing: it may be a timestamp
/// of another form.
#[inline]
pub fn common_year(text: &str) -> Option<u32> {
    common::year(text.as_bytes())
}

/// Nanoseconds since 1970 of a number of milliseconds since 1970.
///
/// # Errors
/// [`TimeError::OutOfRange`] beyond the range of [`parse_rfc3339`].
#[inline]
pub fn millis_to_nanos(millis: i64) -> Result<i64, TimeError> {
    millis.checked_mul(1_000_000).ok_or(TimeError::OutOfRange)
}

/// Microseconds since 1970 of a number of milliseconds since 1970.
///
/// # Errors
/// [`TimeError::OutOfRange`] outside of the years 0001 to 9999.
#[inline]
pub fn millis_to_micros(millis: i64) -> Result<i64, TimeError> {
    let in_range = (FIRST_SECOND..=LAST_SECOND).contains(&millis.div_euclid(1_000));
    if in_range { Ok(millis * 1_000) } else { Err(TimeError::OutOfRange) }
}

/// The RFC 3339 form, in UTC, of nanoseconds since 1970: without a fraction, or with 3, 6 or 9 digits, as many as it needs.
///
/// ```
/// # use wasmill_expr::time::format_rfc3339;
/// assert_eq!(format_rfc3339(1_500_000_000).as_str(), "1970-01-01T00:00:01.500Z");
/// ```
pub fn format_rfc3339(nanos_since_1970: i64) -> Timestamp {
    let mut timestamp = whole_seconds(nanos_since_1970.div_euclid(NANOS));
    match nanos_since_1970.rem_euclid(NANOS) {
        0 => {}
        nanos if nanos % MICROS == 0 => timestamp.push(b".", nanos / MICROS, 3),
        nanos if nanos % 1_000 == 0 => timestamp.push(b".", nanos / 1_000, 6),
        nanos => timestamp.push(b".", nanos, 9),
    }
    timestamp.push(b"Z", 0, 0);
    timestamp
}

/// The RFC 3339 form, in UTC, of microseconds since 1970 within the years 0001 to 9999: always with 6 digits of fraction, so
/// that texts sort as their times do.
///
/// ```
/// # use wasmill_expr::time::format_rfc3339_micros;
/// assert_eq!(format_rfc3339_micros(1_500_000).as_str(), "1970-01-01T00:00:01.500000Z");
/// ```
pub fn format_rfc3339_micros(micros_since_1970: i64) -> Timestamp {
    let mut timestamp = whole_seconds(micros_since_1970.div_euclid(MICROS));
    timestamp.push(b".", micros_since_1970.rem_euclid(MICROS), 6);
    timestamp.push(b"Z", 0, 0);
    timestamp
}

/// Date and time of day, without fraction and zone.
fn whole_seconds(seconds: i64) -> Timestamp {
    let (year, month, day) = date_of(seconds.div_euclid(DAY_SECONDS));
    let second_of_day = seconds.rem_euclid(DAY_SECONDS);
    let mut timestamp = Timestamp { bytes: [0; Timestamp::LENGTH_MAX], length: 0 };
    timestamp.push(b"", year, 4);
    timestamp.push(b"-", month, 2);
    timestamp.push(b"-", day, 2);
    timestamp.push(b"T", second_of_day / 3_600, 2);
    timestamp.push(b":", second_of_day / 60 % 60, 2);
    timestamp.push(b":", second_of_day % 60, 2);
    timestamp
}

/// A formatted timestamp, kept without allocating.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    bytes: [u8; Self::LENGTH_MAX],
    length: usize,
}

impl Timestamp {
    /// `2024-02-29T12:00:00.123456789Z`
    const LENGTH_MAX: usize = 30;

    /// The timestamp as text.
    pub fn as_str(&self) -> &str {
        // Only digits and signs are pushed. A message for what cannot be would be 3 kB of each component.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn push(&mut self, sign: &[u8], number: i64, digits: usize) {
        self.bytes[self.length..self.length + sign.len()].copy_from_slice(sign);
        let start = self.length + sign.len();
        self.length = start + digits;
        let mut rest = number;
        for place in (start..self.length).rev() {
            self.bytes[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An instant in the years 0001 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instant {
    seconds: i64,
    nanos: u32,
}

/// Length of `2024-02-29T12:00:00`.
const DATE_TIME_LENGTH: usize = 19;

#[inline]
fn instant(text: &str) -> Result<Instant, TimeError> {
    common::instant(text.as_bytes()).map_or_else(|| any_instant(text.as_bytes()), Ok)
}

/// All forms.
#[cold]
#[inline(never)]
fn any_instant(bytes: &[u8]) -> Result<Instant, TimeError> {
    let (date_time, rest) = bytes.split_at_checked(DATE_TIME_LENGTH).ok_or(TimeError::Malformed)?;
    let (year, month, day) = date(&date_time[..10])?;
    if !matches!(date_time[10], b'T' | b't' | b' ') {
        return Err(TimeError::Malformed);
    }
    let (second_of_day, leap) = time_of_day(&date_time[11..])?;
    let (nanos, zone) = fraction(rest)?;
    let offset_seconds = offset(zone)?;
    let days = i64::from(days_since_1970(year, month, day));
    let seconds = days * DAY_SECONDS + i64::from(second_of_day) - offset_seconds;
    if leap && !ends_a_month(seconds) {
        return Err(TimeError::Malformed);
    }
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return Err(TimeError::OutOfRange);
    }
    Ok(Instant { seconds, nanos: if leap { NANOS as u32 - 1 } else { nanos } })
}

fn date(bytes: &[u8]) -> Result<(u32, u32, u32), TimeError> {
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    let exists = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    if exists && bytes[4] == b'-' && bytes[7] == b'-' { Ok((year, month, day)) } else { Err(TimeError::Malformed) }
}

/// Seconds since midnight, and whether this is a leap second, which counts as the second before it.
fn time_of_day(bytes: &[u8]) -> Result<(u32, bool), TimeError> {
    let (hour, minute, second) = (digits(&bytes[..2])?, digits(&bytes[3..5])?, digits(&bytes[6..8])?);
    let exists = hour <= 23 && minute <= 59 && second <= 60;
    if !exists || bytes[2] != b':' || bytes[5] != b':' {
        return Err(TimeError::Malformed);
    }
    Ok((hour * 3_600 + minute * 60 + second.min(59), second == 60))
}

/// The nanoseconds of an optional fraction, and what follows it.
fn fraction(bytes: &[u8]) -> Result<(u32, &[u8]), TimeError> {
    let Some((b'.', digits)) = bytes.split_first() else { return Ok((0, bytes)) };
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).ok_or(TimeError::Malformed)?;
    if count == 0 {
        return Err(TimeError::Malformed);
    }
    let used = &digits[..count.min(9)];
    let read = used.iter().fold(0, |nanos, byte| nanos * 10 + u32::from(byte - b'0'));
    Ok((read * 10_u32.pow(9 - used.len() as u32), &digits[count..]))
}

/// Seconds east of UTC.
fn offset(bytes: &[u8]) -> Result<i64, TimeError> {
    let (sign, hour, minute) = match bytes {
        b"Z" | b"z" => return Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (*sign, digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
        _ => return Err(TimeError::Malformed),
    };
    if hour > 23 || minute > 59 {
        return Err(TimeError::Malformed);
    }
    let seconds = i64::from(hour * 3_600 + minute * 60);
    Ok(if sign == b'-' { -seconds } else { seconds })
}

fn digits(bytes: &[u8]) -> Result<u32, TimeError> {
    bytes.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Ok(number * 10 + u32::from(byte - b'0')),
        _ => Err(TimeError::Malformed),
    })
}

fn ends_a_month(seconds: i64) -> bool {
    let next = seconds + 1;
    next.rem_euclid(DAY_SECONDS) == 0 && date_of(next.div_euclid(DAY_SECONDS)).2 == 1
}

#[inline]
fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in 400 Gregorian years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// Days since 1970-01-01 of a date in the years 0000 to 9999. Years are counted from March, so that the leap day comes last and
/// the months before it have a regular length: 153 days in five. One era more keeps January of the year 0000 above zero.
/// In 32 bits, since guests pay much for divisions of 64.
#[inline]
fn days_since_1970(year: u32, month: u32, day: u32) -> i32 {
    let march_year = year + 400 - u32::from(month <= 2);
    let march_month = if month <= 2 { month + 9 } else { month - 3 };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let days = march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400 + day_of_year;
    days as i32 - (ERA_DAYS + EPOCH_DAYS) as i32
}

/// Year, month and day of a number of days since 1970-01-01: the inverse of [`days_since_1970`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH_DAYS;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    // Takes out the leap days before this one: one in 4 years, none in 100, one in 400.
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
