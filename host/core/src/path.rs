//! Paths that name a value inside a payload.

use std::fmt;
use std::str::FromStr;

/// The most keys a path may have; deeper values can be read as raw JSON.
pub const PATH_KEYS_MAX: usize = 16;
/// The most bytes a path's text may have.
pub const PATH_BYTES_MAX: usize = 1024;

/// Keys from the root object down, written joined by dots: `source.ip`. Inside a key `\.` is a dot and `\\` a backslash.
/// Arrays are not entered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    keys: Vec<String>,
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No key at all, or an empty one between two dots.
    #[error("the path \"{0}\" has an empty key; write keys joined by single dots, such as source.ip")]
    EmptyKey(String),
    /// A backslash before something else than a dot or a backslash.
    #[error("the path \"{0}\" has a backslash that is not followed by a dot or a backslash")]
    BadEscape(String),
    /// More than [`PATH_KEYS_MAX`] keys or [`PATH_BYTES_MAX`] bytes.
    #[error("the path \"{0}…\" is too long; at most {PATH_KEYS_MAX} keys and {PATH_BYTES_MAX} bytes are allowed")]
    TooLong(String),
}

impl Path {
    /// The path of some keys of another path.
    pub(crate) fn of_keys(keys: &[String]) -> Self {
        Self { keys: keys.to_vec() }
    }

    /// The keys, outermost first; at least one.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether `self` is a proper ancestor of `other`: `source` of `source.ip`.
    pub fn is_ancestor_of(&self, other: &Self) -> bool {
        self.keys.len() < other.keys.len() && other.keys.starts_with(&self.keys)
    }

    /// The proper ancestors, outermost first: `a` and `a.b` of `a.b.c`.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        (1..self.keys.len()).map(|n| Self { keys: self.keys[..n].to_vec() })
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let shown = || text.chars().take(80).collect::<String>();
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong(shown()));
        }
        let mut keys = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '.' => keys.push(String::new()),
                '\\' => match chars.next() {
                    Some(escaped @ ('.' | '\\')) => keys.last_mut().expect("never empty").push(escaped),
                    _ => return Err(PathError::BadEscape(shown())),
                },
                c => keys.last_mut().expect("never empty").push(c),
            }
        }
        if keys.iter().any(String::is_empty) {
            return Err(PathError::EmptyKey(shown()));
        }
        if keys.len() > PATH_KEYS_MAX {
            return Err(PathError::TooLong(shown()));
        }
        Ok(Self { keys })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, key) in self.keys.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            for c in key.chars() {
                if matches!(c, '.' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_with_dots_and_backslashes_in_keys() {
        let path: Path = r"a\.b.c\\d".parse().unwrap();
        assert_eq!(path.keys(), ["a.b", r"c\d"]);
        assert_eq!(path.to_string(), r"a\.b.c\\d");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", "a..b"] {
            assert_eq!(text.parse::<Path>(), Err(PathError::EmptyKey(text.into())));
        }
        assert_eq!(r"a\b".parse::<Path>(), Err(PathError::BadEscape(r"a\b".into())));
    }

    #[test]
    fn path_is_limited_in_keys() {
        assert!(vec!["k"; PATH_KEYS_MAX].join(".").parse::<Path>().is_ok());
        assert!(vec!["k"; PATH_KEYS_MAX + 1].join(".").parse::<Path>().is_err());
    }

    #[test]
    fn path_is_limited_in_bytes() {
        assert!("k".repeat(PATH_BYTES_MAX).parse::<Path>().is_ok());
        assert!("k".repeat(PATH_BYTES_MAX + 1).parse::<Path>().is_err());
    }
}
