//! Mistakes in a file: where each is, and a sentence that says what to do.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

/// Mistakes of one file that are kept; more are only counted.
pub const MISTAKES_MAX: usize = 100;
/// Characters of a quoted word that are shown.
const QUOTE_MAX: usize = 60;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Counted from 1.
    pub(super) line: usize,
    /// In characters, counted from 1.
    pub(super) column: usize,
}

impl Position {
    /// The first character.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// One mistake. Displayed as `pipeline.yaml:12:5: unknown key "tabel"; did you mean "table"?`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// A sentence that says what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// All mistakes of a file or folder, by place; at least one. Displayed one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// What was collected; at least one.
    pub(super) fn new(mistakes: Vec<Mistake>) -> Self {
        debug_assert!(!mistakes.is_empty(), "nothing is wrong without a mistake");
        Self(mistakes)
    }

    /// The one mistake of a file as a whole.
    pub(super) fn of_file(file: String, message: String) -> Self {
        Self(vec![Mistake { file, line: 1, column: 1, message }])
    }
}

impl Deref for Mistakes {
    type Target = [Mistake];

    fn deref(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if n > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// Collects the mistakes of one file.
pub(super) struct Collector {
    file: String,
    found: Vec<Mistake>,
    left_out: usize,
}

impl Collector {
    /// No mistake in `file` yet.
    pub(super) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), found: Vec::new(), left_out: 0 }
    }

    /// Adds one.
    pub(super) fn add(&mut self, at: Position, message: impl Into<String>) {
        if self.found.len() == MISTAKES_MAX {
            self.left_out += 1;
            return;
        }
        self.found.push(Mistake { file: self.file.clone(), line: at.line, column: at.column, message: message.into() });
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them by place, with a last one that counts those left out.
    pub(super) fn finish(mut self) -> Vec<Mistake> {
        self.found.sort();
        self.found.dedup();
        if let (Some(last), 1..) = (self.found.last().cloned(), self.left_out) {
            let message = format!("and {} mistakes more; mend these first", self.left_out);
            self.found.push(Mistake { message, ..last });
        }
        self.found
    }
}

/// A word from outside in quotes, short and without control characters.
pub(super) fn quoted(word: &str) -> String {
    let shown: String = word.chars().take(QUOTE_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let ellipsis = if word.chars().nth(QUOTE_MAX).is_some() { "…" } else { "" };
    format!("\"{shown}{ellipsis}\"")
}

/// The one of `words` that was probably meant by `word`.
pub(crate) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word: String = word.chars().take(QUOTE_MAX).collect::<String>().to_lowercase();
    words
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The second half of a sentence about an unknown word: the nearest valid one, else all of them.
pub(super) fn instead(word: &str, words: &[&str]) -> String {
    match nearest(word, words.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if words.is_empty() => "none is allowed here".to_owned(),
        None => format!("valid here: {}", words.join(", ")),
    }
}
