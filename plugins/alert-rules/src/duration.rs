//! Durations as operators write them: a whole number and a unit.

use wasmill_sdk::{ConfigError, ConfigValue, FromConfig};

/// The longest that a config may name: 366 days.
pub(crate) const LONGEST_NS: i64 = 366 * 24 * 3_600 * 1_000_000_000;

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Nanoseconds, at most those of 366 days.
    pub ns: i64,
}

impl FromConfig for Duration {
    fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
        let parsed = match &value {
            ConfigValue::Text(text) => parse(text),
            _ => None,
        };
        let wrong = || ConfigError::expected("a whole number and a unit, 250ms, 30s, 5m or 1h, up to 8784h", &value);
        parsed.ok_or_else(wrong)
    }
}

fn parse(text: &str) -> Option<Duration> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
    let unit_ns = match unit.trim_ascii_start() {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    // What is too long stays that. The library's parser would be 700 bytes more.
    let add = |number: i64, digit: u8| (number * 10 + i64::from(digit - b'0')).min(LONGEST_NS);
    let number = digits.bytes().fold(0, add);
    (number <= LONGEST_NS / unit_ns).then(|| Duration { ns: number * unit_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        let ns = |text| parse(text).map(|duration| duration.ns);
        assert_eq!(ns("250ms"), Some(250_000_000));
        assert_eq!(ns("30 s"), Some(30_000_000_000));
        assert_eq!(ns("5m"), Some(300_000_000_000));
        assert_eq!(ns("0s"), Some(0));
        assert_eq!(ns("8784h"), Some(LONGEST_NS));
        for text in ["", "5", "s", "-5s", "1.5s", "5 days", "8785h", "99999999999999999999h", "1m30s"] {
            assert_eq!(ns(text), None, "{text}");
        }
    }
}
