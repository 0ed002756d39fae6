//! Durations such as `250ms` and sizes such as `4MiB`.

use std::time::Duration;

/// What a duration looks like.
pub(super) const DURATION_HINT: &str = "write a whole number and a unit: 250ms, 30s, 5m or 1h";
/// What a size looks like.
pub(super) const SIZE_HINT: &str = "write a whole number of bytes, or one with a unit: 64KiB, 4MiB or 1GiB";

/// The duration that `text` says.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// The bytes that `text` says.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// `bytes` with the largest unit that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// `duration` with the largest unit that divides it.
pub(crate) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(duration(" 1 h "), Some(Duration::from_secs(3600)));
        for text in ["", "5", "s", "-5s", "1.5s", "5 days", "99999999999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_unless_a_unit_is_given() {
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("4KiB"), Some(4096));
        assert_eq!(size("1 MiB"), Some(1 << 20));
        for text in ["", "4KB", "MiB", "-1", "99999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_shown_as_they_would_be_written() {
        for text in ["0", "1", "1023", "64KiB", "4MiB", "3GiB"] {
            assert_eq!(size_text(size(text).unwrap()), text);
        }
        for text in ["250ms", "30s", "5m", "2h"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }
}
