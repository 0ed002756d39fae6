//! Values that are never printed.

use std::fmt;
use std::path::Path;

use super::environment::{Environment, Piece, pieces, value_of};

/// A value that is never printed; at most what its place in the file looks like.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    shown: String,
}

impl Secret {
    /// Keeps `value` from being printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), shown: "***".to_owned() }
    }

    /// A database's address as it is written in a file. Variables in its user and password are taken literally, so
    /// that no character of a password needs an escape. Shown are the parts that hold neither password nor variable.
    pub(super) fn url(written: &str, environment: &Environment, folder: &Path) -> Result<Self, String> {
        let pieces = pieces(written);
        let user_info = user_info(&pieces);
        let mut value = String::new();
        for (n, piece) in pieces.iter().enumerate() {
            let filled = value_of(piece, environment, folder)?;
            let is_raw = matches!(piece, Piece::Variable(..) | Piece::File(_)) && user_info.contains(&n);
            value.push_str(&if is_raw { percent_encoded(&filled) } else { filled });
        }
        Ok(Self { value, shown: masked(&pieces.iter().map(shown).collect::<String>()) })
    }

    /// A webhook's address: its path may be as secret as its query. `written` is what the file has.
    pub(super) fn webhook(value: &str, written: &str) -> Self {
        let is_variable =
            written.starts_with("${") && written.find('}') == Some(written.len() - 1) && !written.contains(":-");
        let shown = match written.split_once("://") {
            _ if is_variable => written.to_owned(),
            Some((scheme, rest)) if !written.contains("${") => match rest.find(['/', '?', '#']) {
                Some(end) => format!("{scheme}://{}/***", &rest[..end]),
                None => written.to_owned(),
            },
            _ => "***".to_owned(),
        };
        Self { value: value.to_owned(), shown }
    }

    /// The value, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// What may be shown in its place.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The pieces between the scheme and the `@` before the host.
fn user_info(pieces: &[Piece<'_>]) -> std::ops::Range<usize> {
    let holds = |piece: &Piece<'_>, text: &str| matches!(piece, Piece::Literal(literal) if literal.contains(text));
    let scheme = pieces.iter().position(|piece| holds(piece, "://"));
    let host = pieces.iter().rposition(|piece| holds(piece, "@"));
    match (scheme, host) {
        (Some(scheme), Some(host)) if scheme < host => scheme..host,
        _ => 0..0,
    }
}

/// RFC 3986: everything but unreserved characters.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A piece without what is filled in, and without its default, which may be a secret too.
fn shown(piece: &Piece<'_>) -> String {
    match piece {
        Piece::Literal(text) => (*text).to_owned(),
        Piece::Dollar => "$".to_owned(),
        Piece::Variable(name, _) => format!("${{{name}}}"),
        Piece::File(path) => format!("${{file:{path}}}"),
        Piece::Malformed => String::new(),
    }
}

/// An address without password and query. The password ends at the last `@`, whatever it holds.
fn masked(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        let is_variable = address.starts_with("${") && address.find('}') == Some(address.len() - 1);
        return if is_variable { address.to_owned() } else { "***".to_owned() };
    };
    let (user_info, host) = match rest.rsplit_once('@') {
        Some((user_info, host)) => (Some(user_info), host),
        None => (None, rest),
    };
    let host = host.split(['?', '#']).next().unwrap_or_default();
    match user_info {
        None => format!("{scheme}://{host}"),
        Some(user_info) => match user_info.split_once(':') {
            None => format!("{scheme}://{user_info}@{host}"),
            Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(written: &str) -> Secret {
        let environment =
            Environment::from_iter([("PASSWORD", "p@s/s:w?#%"), ("HOST", "db:5433"), ("URL", "postgres://u:p@h/d")]);
        Secret::url(written, &environment, Path::new("")).unwrap()
    }

    #[test]
    fn address_is_shown_without_password_variables_and_query() {
        for (written, shown) in [
            ("postgres://u:p@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:p@ss@h/d?password=x&sslmode=require", "postgres://u:***@h/d"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres://u:${PASSWORD}@${HOST}/d", "postgres://u:***@${HOST}/d"),
            ("postgres://u:${NONE:-hunter2}@h/d", "postgres://u:***@h/d"),
            ("${URL}", "${URL}"),
            ("${NONE:-postgres://u:p@h/d}", "${NONE}"),
            ("hunter2", "***"),
            ("${URL}hunter2}", "***"),
        ] {
            let secret = url(written);
            assert_eq!(secret.shown(), shown, "{written}");
            assert_eq!(format!("{secret:?}"), "***");
        }
    }

    #[test]
    fn webhook_is_shown_without_path_and_query() {
        for (written, shown) in [
            ("https://hooks.example.com/services/hunter2?key=hunter2", "https://hooks.example.com/***"),
            ("http://h:1", "http://h:1"),
            ("${URL}", "${URL}"),
            ("${URL:-https://h/hunter2}", "***"),
            ("https://h/${TOKEN}", "***"),
        ] {
            assert_eq!(Secret::webhook("", written).shown(), shown, "{written}");
        }
    }

    #[test]
    fn password_from_a_variable_needs_no_escapes() {
        assert_eq!(
            url("postgres://u:${PASSWORD}@${HOST}/d").reveal(),
            "postgres://u:p%40s%2Fs%3Aw%3F%23%25@db:5433/d",
            "only user and password are taken literally"
        );
        assert_eq!(url("${URL}").reveal(), "postgres://u:p@h/d");
    }
}
