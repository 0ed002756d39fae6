//! Checks of timestamps, in microseconds: so years 1 to 9999 fit, of which nanoseconds hold six centuries.

use wasmill_expr::time::{common_year, millis_to_micros, parse_rfc3339_micros};
use wasmill_sdk::Rejection;

use crate::config::{Format, TimestampConfig};
use crate::reason;

/// Where a timestamp may lie.
pub(crate) struct Bounds {
    format: Format,
    max_past_us: i64,
    max_future_us: i64,
    earliest: Year,
    latest: Year,
    /// Whether only years bound a timestamp, not the record's time.
    are_years: bool,
}

/// A year, and the instant that it bounds.
struct Year {
    year: u32,
    us: i64,
}

impl Bounds {
    pub(crate) fn new(config: &TimestampConfig) -> Result<Self, String> {
        let duration = |name: &str, text: &Option<String>| match text {
            Some(text) => duration_us(text).map_err(|why| format!("`timestamp.{name}`: {why}")),
            None => Ok(i64::MAX),
        };
        let year = |name: &str, year: u32, end: &str| {
            let us = parse_rfc3339_micros(&format!("{year:04}{end}"));
            us.map(|us| Year { year, us })
                .map_err(|_| format!("`timestamp.{name}`: {year} is not one of the years 1 to 9999"))
        };
        let earliest = year("earliest_year", config.earliest_year.map_or(1, u32::from), "-01-01T00:00:00Z")?;
        let latest = year("latest_year", config.latest_year.map_or(9999, u32::from), "-12-31T23:59:59.999999Z")?;
        if earliest.year > latest.year {
            return Err("`timestamp.earliest_year` is after `latest_year`: no timestamp would pass".into());
        }
        let max_past_us = duration("max_past", &config.max_past)?;
        let max_future_us = duration("max_future", &config.max_future)?;
        let are_years = config.max_past.is_none() && config.max_future.is_none();
        Ok(Bounds { format: config.format, max_past_us, max_future_us, earliest, latest, are_years })
    }

    /// What the field must be, for a reason.
    pub(crate) fn noun(&self) -> &'static str {
        match self.format {
            Format::Rfc3339 => "an RFC 3339 timestamp (text)",
            Format::EpochMs => "milliseconds since 1970 (an integer)",
            Format::Either => "an RFC 3339 timestamp or milliseconds since 1970",
        }
    }

    /// Whether a text is plainly a timestamp within the bounds; what is not may still be one.
    #[inline(always)]
    pub(crate) fn plainly_contain(&self, text: &str, time_ns: i64) -> bool {
        if self.are_years {
            common_year(text).is_some_and(|year| self.earliest.year <= year && year <= self.latest.year)
        } else {
            self.contain_text(text, time_ns)
        }
    }

    #[inline(never)] // else the record's time is divided for every event
    fn contain_text(&self, text: &str, time_ns: i64) -> bool {
        parse_rfc3339_micros(text).is_ok_and(|us| self.contain(us, time_ns))
    }

    #[inline(never)]
    pub(crate) fn contain_millis(&self, millis: i64, time_ns: i64) -> bool {
        millis_to_micros(millis).is_ok_and(|us| self.contain(us, time_ns))
    }

    fn contain(&self, us: i64, time_ns: i64) -> bool {
        let ahead_us = ahead_us(us, time_ns);
        self.earliest.us <= us
            && us <= self.latest.us
            && -ahead_us <= self.max_past_us
            && ahead_us <= self.max_future_us
    }

    pub(crate) fn check_text(&self, path: &str, text: &str, time_ns: i64) -> Result<(), Rejection> {
        match parse_rfc3339_micros(text) {
            Ok(us) => self.check(path, us, time_ns, || reason::quoted(text)),
            Err(why) => Err(reason::bad_timestamp(path, &reason::quoted(text), &why.to_string())),
        }
    }

    pub(crate) fn check_millis(&self, path: &str, millis: i64, time_ns: i64) -> Result<(), Rejection> {
        match millis_to_micros(millis) {
            Ok(us) => self.check(path, us, time_ns, || format!("`{millis}`")),
            Err(why) => Err(reason::bad_timestamp(path, &format!("`{millis}`"), &why.to_string())),
        }
    }

    fn check(&self, path: &str, us: i64, time_ns: i64, value: impl Fn() -> String) -> Result<(), Rejection> {
        if us < self.earliest.us {
            let why = format!("it is before the year {}", self.earliest.year);
            return Err(reason::bad_timestamp(path, &value(), &why));
        }
        if us > self.latest.us {
            let why = format!("it is after the year {}", self.latest.year);
            return Err(reason::bad_timestamp(path, &value(), &why));
        }
        let ahead_us = ahead_us(us, time_ns);
        if -ahead_us > self.max_past_us {
            return Err(reason::too_old(path, &value(), -ahead_us, self.max_past_us));
        }
        if ahead_us > self.max_future_us {
            return Err(reason::in_the_future(path, &value(), ahead_us, self.max_future_us));
        }
        Ok(())
    }
}

/// How long after the record's time an instant is. Does not overflow: both are within 10 000 years.
fn ahead_us(us: i64, time_ns: i64) -> i64 {
    us - time_ns.div_euclid(1_000)
}

/// The longest duration: more than the years that there are.
const DAYS_MAX: i64 = 10_000 * 366;

/// `250ms`, `90s`, `5m`, `12h`, `30d`.
fn duration_us(text: &str) -> Result<i64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_us: i64 = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(format!("{} is no duration; write 250ms, 90s, 5m, 12h or 30d", reason::quoted(text))),
    };
    let us = number.parse().ok().and_then(|number: i64| number.checked_mul(unit_us));
    us.filter(|us| *us <= DAYS_MAX * 86_400_000_000)
        .ok_or_else(|| format!("{} is no duration of at most {DAYS_MAX}d", reason::quoted(text)))
}
