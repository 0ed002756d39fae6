//! What can be wrong with an expression, when it is compiled and when it is evaluated.

use crate::pattern::PatternError;
use crate::{limits, parts};
use std::fmt;

/// Why an expression was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// What is wrong.
    #[source]
    pub problem: Problem,
    /// Byte offset into the source.
    pub byte: usize,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The part of the line around the problem, and how many characters of it stand before the problem.
    excerpt: (String, usize),
}

/// Characters of the line that are shown on each side of the problem.
const EXCERPT_SIDE: usize = 50;

impl CompileError {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(source: &str, failure: Failure) -> Self {
        let Failure { at, problem } = failure;
        let before = source.get(..at).unwrap_or(source);
        let (mut line, mut line_start) = (1, 0);
        for (place, byte) in before.bytes().enumerate() {
            if byte == b'\n' {
                (line, line_start) = (line + 1, place + 1);
            }
        }
        let column = parts::from(before, line_start).chars().count();
        let hidden = column.saturating_sub(EXCERPT_SIDE);
        let mut excerpt = String::new();
        for (nth, character) in parts::from(source, line_start).chars().enumerate() {
            if character == '\n' || nth == hidden + 2 * EXCERPT_SIDE {
                break;
            }
            if nth >= hidden {
                // A tab or another control character would move the caret away from its place.
                excerpt.push(if character.is_control() { ' ' } else { character });
            }
        }
        Self { problem, byte: before.len(), line, column: column + 1, excerpt: (excerpt, column - hidden) }
    }
}

/// A problem and where it is, on its way to becoming a [`CompileError`]. Boxed, since it passes through every function
/// of the parser and of the compiler.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Byte offset into the source, at the beginning of a character.
    pub(crate) at: usize,
    pub(crate) problem: Problem,
}

impl Failure {
    #[cold]
    pub(crate) fn new(at: usize, problem: Problem) -> Box<Self> {
        Box::new(Self { at, problem })
    }
}

/// The failure of whoever walks over a source or its tree, whose steps answer [`Refused`]. A box is then handed over in one register;
/// with the failure beside it, a component would need twice the code for that.
#[derive(Debug, Default)]
pub(crate) struct Refusal(Option<Box<Failure>>);

/// There is a [`Refusal`].
#[derive(Debug)]
pub(crate) struct Refused;

impl Refusal {
    #[cold]
    #[inline(never)]
    pub(crate) fn at(&mut self, at: usize, problem: Problem) -> Refused {
        self.set(Failure::new(at, problem))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn not_supported(&mut self, at: usize, what: &'static str, instead: &'static str) -> Refused {
        self.at(at, Problem::NotSupported { what, instead })
    }

    pub(crate) fn set(&mut self, failure: Box<Failure>) -> Refused {
        self.0 = Some(failure);
        Refused
    }

    /// What was refused.
    pub(crate) fn failure(self, _: Refused) -> Box<Failure> {
        self.0.expect("whoever refuses says why")
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}, column {}: {}", self.line, self.column, self.problem)?;
        writeln!(f, "  {}", self.excerpt.0)?;
        write!(f, "  {:width$}^", "", width = self.excerpt.1)
    }
}

// Written into the messages, which would take twice the code with a number to be put in.
const _: () = assert!(limits::SOURCE_BYTES_MAX == 65536 && limits::DEPTH_MAX == 64);
const _: () = assert!(limits::NODES_MAX == 8192 && limits::COLUMNS_MAX == 256);

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Longer than [`limits::SOURCE_BYTES_MAX`].
    #[error("the expression has {0} bytes, and 65536 are allowed; split it into several")]
    TooLong(usize),
    /// Nested deeper than [`limits::DEPTH_MAX`].
    #[error("nested deeper than 64 levels here; split the expression into several")]
    TooDeep,
    /// More parts than [`limits::NODES_MAX`].
    #[error("more than 8192 literals, path keys and operators; split the expression into several")]
    TooManyNodes,
    /// More columns than [`limits::COLUMNS_MAX`].
    #[error("more than 256 different fields are read; split the expression into several")]
    TooManyColumns,
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What could stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A character that begins nothing in this language.
    #[error("`{found}` is no operator here; {advice}")]
    NoOperator {
        /// The character.
        found: char,
        /// What to write.
        advice: &'static str,
    },
    /// Text without its closing quote.
    #[error("this text has no closing {0} on its line; close it, or begin it with three quotes to span lines")]
    UnclosedText(&'static str),
    /// An escape sequence that CEL does not know.
    #[error("this escape is not known in text; double the backslash, or begin the text with r\" to take it as it is")]
    BadEscape,
    /// A number that does not fit its type.
    #[error("this number does not fit {0}; write one that does")]
    BadNumber(&'static str),
    /// A word that CEL keeps for itself.
    #[error("`{0}` is a reserved word; write a field of that name in backquotes: `{0}`")]
    Reserved(String),
    /// Part of CEL, but not of this subset.
    #[error("{what} not part of this language; {instead}")]
    NotSupported {
        /// What was found, with its verb.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A function that does not exist.
    #[error("no function is called `{0}`; there are has(field), size(x), contains, startsWith, endsWith and matches")]
    UnknownFunction(String),
    /// A pattern that is no valid regular expression or too large.
    #[error("this pattern cannot be used: {0}")]
    BadPattern(PatternError),
    /// A value in a place that wants true or false.
    #[error("this must be true or false, and {0} never is; compare it with something")]
    NotBoolean(&'static str),
    /// A value in a place that wants text.
    #[error("this must be text, and {0} never is; put it in quotes, or compare it with == instead")]
    NotText(&'static str),
}

/// Why an expression has no value for one event. CEL's `&&` and `||` absorb these where the other side decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A field that the event does not have; `has(field)` asks first.
    #[error("the event has no such field; ask with has() first")]
    NoSuchField,
    /// An operator or function met a value of a type that it does not take.
    #[error("a value has a type that this operator does not take (no such overload)")]
    NoSuchOverload,
    /// An integer result does not fit 64 bits.
    #[error("an integer result does not fit 64 bits (overflow)")]
    Overflow,
    /// An integer was divided by zero.
    #[error("an integer was divided by zero")]
    DivisionByZero,
    /// A text or JSON value of more than [`crate::Fields::BYTES_MAX`], whose rest could decide, or a pattern with too many ways to match it.
    #[error("a value is longer than what is looked at, and only the rest of it could tell")]
    TooLong,
    /// A JSON token that is none, or nested deeper than [`limits::JSON_DEPTH_MAX`].
    #[error("a field holds no valid JSON")]
    Malformed,
}
