//! Dates, times and durations of RFC 3339.

/// `full-date`
pub(super) fn is_date(text: &str) -> bool {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text.as_bytes() else { return false };
    let (Some(century), Some(year), Some(month), Some(day)) = (two(a, b), two(c, d), two(e, f), two(g, h)) else {
        return false;
    };
    let year = century * 100 + year;
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// `date-time`
pub(super) fn is_date_time(text: &str) -> bool {
    let (Some(date), Some(time)) = (text.get(..10), text.get(11..)) else { return false };
    is_date(date) && matches!(text.as_bytes()[10], b'T' | b't') && is_time(time)
}

/// `full-time`, with a leap second where one can be.
pub(super) fn is_time(text: &str) -> bool {
    let Some((&[a, b, b':', c, d, b':', e, f], rest)) = text.as_bytes().split_first_chunk() else { return false };
    let (Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..=60)) = (two(a, b), two(c, d), two(e, f)) else {
        return false;
    };
    let Some(offset) = offset_minutes(without_fraction(rest)) else { return false };
    let minute_of_day = (i32::from(hour) * 60 + i32::from(minute) - offset).rem_euclid(24 * 60);
    second < 60 || minute_of_day == 23 * 60 + 59
}

fn without_fraction(rest: &[u8]) -> &[u8] {
    let Some((b'.', digits)) = rest.split_first() else { return rest };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { rest } else { &digits[count..] }
}

/// Minutes east of UTC.
fn offset_minutes(text: &[u8]) -> Option<i32> {
    let (is_west, digits) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (false, digits),
        [b'-', digits @ ..] => (true, digits),
        _ => return None,
    };
    let &[a, b, b':', c, d] = digits else { return None };
    let (hours @ 0..24, minutes @ 0..60) = (two(a, b)?, two(c, d)?) else { return None };
    let minutes = i32::from(hours) * 60 + i32::from(minutes);
    Some(if is_west { -minutes } else { minutes })
}

/// Two digits.
fn two(tens: u8, ones: u8) -> Option<u16> {
    let is_number = tens.is_ascii_digit() && ones.is_ascii_digit();
    is_number.then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
}

/// `duration`: units in order, none left out between two others; weeks alone.
pub(super) fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let weeks = units(date).is_some_and(|units| units == "W");
    if weeks {
        return time.is_none();
    }
    let is_run = |text: &str, of: &str| units(text).is_some_and(|units| of.contains(units.as_str()));
    is_run(date, "YMD")
        && match time {
            Some(time) => !time.is_empty() && is_run(time, "HMS"),
            None => !date.is_empty(),
        }
}

/// The letters between which digits stand, each after at least one.
fn units(text: &str) -> Option<String> {
    let mut units = String::new();
    let mut digits = 0;
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits += 1;
        } else if digits > 0 {
            units.push(character);
            digits = 0;
        } else {
            return None;
        }
    }
    (digits == 0).then_some(units)
}
