//! What a plain (unquoted) YAML word means: YAML 1.2's core schema, where `no` and `off` are text.

/// A word's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// `~`, `null` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// Any other finite number.
    Float(f64),
    /// Everything else.
    Text,
}

/// A number that has no place in JSON, or a whole number beyond 64 bits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoNumber;

/// The value of the plain word `word`.
pub(super) fn plain(word: &str) -> Result<Scalar, NoNumber> {
    Ok(match word {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ if is_special_float(word) => return Err(NoNumber),
        _ => return number(word),
    })
}

fn is_special_float(word: &str) -> bool {
    matches!(word.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

fn number(word: &str) -> Result<Scalar, NoNumber> {
    if let Some((digits, radix)) = radix_digits(word) {
        return i64::from_str_radix(digits, radix).map(Scalar::Integer).map_err(|_| NoNumber);
    }
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().map(Scalar::Integer).map_err(|_| NoNumber);
    }
    if !looks_like_float(unsigned) {
        return Ok(Scalar::Text);
    }
    match word.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Scalar::Float(value)),
        Ok(_) => Err(NoNumber),
        Err(_) => Ok(Scalar::Text),
    }
}

fn radix_digits(word: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match (word.strip_prefix("0x"), word.strip_prefix("0o")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 8),
        _ => return None,
    };
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))).then_some((digits, radix))
}

/// Digits around one dot and perhaps an exponent; never `inf`, `nan` or `1.2.3`.
fn looks_like_float(unsigned: &str) -> bool {
    unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_read_by_the_core_schema() {
        for (word, value) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("off", Scalar::Text),
            ("no", Scalar::Text),
            ("-12", Scalar::Integer(-12)),
            ("0x1f", Scalar::Integer(31)),
            ("0o17", Scalar::Integer(15)),
            ("1e3", Scalar::Float(1000.0)),
            (".5", Scalar::Float(0.5)),
            ("1.", Scalar::Float(1.0)),
            ("1.2.3", Scalar::Text),
            ("127.0.0.1", Scalar::Text),
            ("2026-01-01", Scalar::Text),
            ("e5", Scalar::Text),
            ("-", Scalar::Text),
            ("inf", Scalar::Text),
            ("9223372036854775807", Scalar::Integer(i64::MAX)),
        ] {
            assert_eq!(plain(word), Ok(value), "{word}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        for word in [".inf", "-.inf", ".nan", "1e999", "9223372036854775808", "0xffffffffffffffffff"] {
            assert_eq!(plain(word), Err(NoNumber), "{word}");
        }
    }
}
