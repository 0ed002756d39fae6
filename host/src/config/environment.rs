//! `${NAME}`, `${NAME:-default}` and `${file:PATH}` inside values; `$$` is a dollar sign.
//!
//! What is filled in is never read as YAML again, so a variable cannot add keys.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::mistake::quoted;

/// Bytes that one variable or file may fill in.
pub const FILLED_BYTES_MAX: u64 = 64 * 1024;

/// The environment variables that a file may use.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Those of this process; names and values that are no UTF-8 are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

/// A part of a value as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands.
    Literal(&'t str),
    /// `$$`.
    Dollar,
    /// `${name}` or `${name:-default}`.
    Variable(&'t str, Option<&'t str>),
    /// `${file:path}`.
    File(&'t str),
    /// `${` and something else.
    Malformed,
}

/// The parts of `text`.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find("$$").into_iter().chain(rest.find("${")).min() {
        pieces.push(Piece::Literal(&rest[..dollar]));
        let after = &rest[dollar + 2..];
        if rest.as_bytes()[dollar + 1] == b'$' {
            pieces.push(Piece::Dollar);
            rest = after;
            continue;
        }
        let Some((inside, following)) = after.split_once('}') else {
            pieces.push(Piece::Malformed);
            return pieces;
        };
        pieces.push(reference(inside));
        rest = following;
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

fn reference(inside: &str) -> Piece<'_> {
    if let Some(path) = inside.strip_prefix("file:") {
        return if path.is_empty() { Piece::Malformed } else { Piece::File(path) };
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { Piece::Variable(name, default) } else { Piece::Malformed }
}

/// `text` with everything filled in, `None` where there is nothing to fill in; relative file names are looked up in `folder`.
pub(super) fn fill(text: &str, environment: &Environment, folder: &Path) -> Result<Option<String>, Vec<String>> {
    if !text.contains("$$") && !text.contains("${") {
        return Ok(None);
    }
    let mut filled = String::new();
    let mut problems = Vec::new();
    for piece in pieces(text) {
        match value_of(&piece, environment, folder) {
            Ok(value) => filled.push_str(&value),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(Some(filled)) } else { Err(problems) }
}

/// The text that stands in a piece's place, or why there is none.
pub(super) fn value_of(piece: &Piece<'_>, environment: &Environment, folder: &Path) -> Result<String, String> {
    let (name, default) = match *piece {
        Piece::Literal(text) => return Ok(text.to_owned()),
        Piece::Dollar => return Ok("$".to_owned()),
        Piece::File(path) => {
            return secret_file(&folder.join(path)).map_err(|why| format!("the file {} {why}", quoted(path)));
        }
        Piece::Malformed => {
            return Err(
                "\"${\" begins a variable; write ${NAME}, ${NAME:-default} or ${file:PATH}, and $$ for a dollar sign"
                    .to_owned(),
            );
        }
        Piece::Variable(name, default) => (name, default),
    };
    let value = match (environment.get(name), default) {
        (Some("") | None, Some(default)) => default,
        (Some(value), _) => value,
        (None, None) => {
            return Err(format!(
                "the environment variable {name} is not set; set it, or give a default: ${{{name}:-default}}"
            ));
        }
    };
    if value.len() as u64 > FILLED_BYTES_MAX {
        return Err(format!(
            "the environment variable {name} has {} bytes, and {FILLED_BYTES_MAX} are allowed",
            value.len()
        ));
    }
    Ok(value.to_owned())
}

/// A secret's file without the line end that editors add.
fn secret_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(FILLED_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILLED_BYTES_MAX {
        return Err(format!("has over {FILLED_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<Option<String>, Vec<String>> {
        let environment = Environment::from_iter([("A", "1"), ("EMPTY", "")]);
        fill(text, &environment, Path::new("/nowhere"))
    }

    #[test]
    fn variables_are_filled_in_and_dollars_are_escaped() {
        for (text, value) in [
            ("x${A}y${A}", "x1y1"),
            ("${B:-2}", "2"),
            ("${EMPTY:-2}", "2"),
            ("${EMPTY}", ""),
            ("${B:-}", ""),
            ("$${A}", "${A}"),
            ("$$$$", "$$"),
            ("${A:-a:-b}", "1"),
        ] {
            assert_eq!(filled(text), Ok(Some(value.to_owned())), "{text}");
        }
        for text in ["$raw", "a$", "$A", "{}"] {
            assert_eq!(filled(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn missing_variables_are_all_named() {
        assert_eq!(filled("${B} ${C}").unwrap_err().len(), 2);
        for text in ["${", "${A", "${}", "${1}", "${A-b}", "${file:}"] {
            assert!(filled(text).unwrap_err()[0].starts_with("\"${\" begins a variable"), "{text}");
        }
    }

    #[test]
    fn secret_comes_from_a_file_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("db"), "p w\r\n").unwrap();
        assert_eq!(fill("${file:db}", &Environment::default(), folder.path()), Ok(Some("p w".to_owned())));
        std::fs::write(folder.path().join("bad"), [0xff]).unwrap();
        assert!(fill("${file:bad}", &Environment::default(), folder.path()).unwrap_err()[0].contains("is no UTF-8"));
        assert!(
            fill("${file:none}", &Environment::default(), folder.path()).unwrap_err()[0].contains("cannot be read")
        );
    }

    #[test]
    fn what_is_filled_in_is_limited() {
        let folder = tempfile::tempdir().unwrap();
        let most = usize::try_from(FILLED_BYTES_MAX).unwrap();
        for (bytes, fits) in [(most, true), (most + 1, false)] {
            let value = "x".repeat(bytes);
            std::fs::write(folder.path().join("f"), &value).unwrap();
            let environment = Environment::from_iter([("V", value)]);
            assert_eq!(fill("${V}", &environment, folder.path()).is_ok(), fits);
            assert_eq!(fill("${file:f}", &environment, folder.path()).is_ok(), fits);
        }
    }
}
