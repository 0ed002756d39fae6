//! Regular expressions for `matches`: a program of at most [`PATTERN_STATES_MAX`] states, made into an automaton that looks once at each
//! character of the text. Where that would be too large, the program is run with all its states at the same time (Thompson's
//! construction). Both are linear in the text and do not allocate.
//!
//! The syntax is RE2's, less what only captures or replacements need, and Unicode classes. The usual crates bring 50 kB
//! of code into a plugin, most of it for those; the tests hold this one against one of them.

mod automaton;
mod parse;

use crate::limits::{self, PATTERN_STATES_MAX};
use automaton::Automaton;

// Written into the messages, as in the crate's other ones.
const _: () =
    assert!(limits::PATTERN_BYTES_MAX == 1024 && PATTERN_STATES_MAX == 1024 && limits::PATTERN_DEPTH_MAX == 32);

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Longer than [`limits::PATTERN_BYTES_MAX`].
    #[error("it has more than 1024 bytes; split it into several")]
    TooLong,
    /// More states than [`PATTERN_STATES_MAX`].
    #[error("it needs more than 1024 states; repeat less often, or split it into several")]
    TooLarge,
    /// Nested deeper than [`limits::PATTERN_DEPTH_MAX`].
    #[error("its groups are nested deeper than 32 levels")]
    TooDeep,
    /// `)` without `(`.
    #[error("a `)` has no `(`; write `\\)` for the character")]
    Unopened,
    /// `(` without `)`.
    #[error("a `(` has no `)`; write `\\(` for the character")]
    UnclosedGroup,
    /// `[` without `]`.
    #[error("a `[` has no `]`; write `\\[` for the character")]
    UnclosedClass,
    /// `*` and its kin after nothing.
    #[error("`*`, `+`, `?` or `{{` repeats nothing; write a backslash before it for the character")]
    NothingRepeated,
    /// `{` that begins no count.
    #[error("after `{{` come a number, or two in order with a comma, and `}}`; write `\\{{` for the character")]
    Count,
    /// A backslash before what it means nothing for.
    #[error(
        "a backslash stands at the end, or before a letter or digit that it gives no meaning; back references and Unicode classes are left out"
    )]
    Escape,
    /// `\x` without its digits.
    #[error("`\\x` needs two hexadecimal digits, or those of a character in braces")]
    CodePoint,
    /// A range that ends before it begins, or in a class.
    #[error("a range in `[` and `]` ends before it begins, or in a class")]
    Range,
    /// `[:` without a known name.
    #[error("no class of this name is known inside `[:` and `:]`")]
    PosixClass,
    /// `(?` before what it means nothing for.
    #[error("after `(?` come flags of i, m and s, `:`, or a name in angle brackets; look-around is left out")]
    Group,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Engine);

/// What answers for a pattern.
#[derive(Debug, Clone)]
enum Engine {
    Automaton(Automaton),
    Program(Program),
}

/// The states of a pattern that has no automaton.
#[derive(Debug, Clone)]
struct Program {
    states: Box<[State]>,
    /// Whether a match can begin with this ASCII character; with another one always.
    first: [bool; 128],
}

/// A state and where to go from it. Steps are relative, so that a part of a program can be moved as it is.
#[derive(Debug, Clone)]
enum State {
    /// Takes one character, then the next state.
    Take(Set),
    /// Takes nothing and goes on both ways.
    Split(i16, i16),
    /// Takes nothing and goes on if it holds here.
    Assert(Assertion),
    Matched,
}

/// Characters.
#[derive(Debug, Clone, Default)]
struct Set {
    /// First and last of each range.
    ranges: Vec<(char, char)>,
    negated: bool,
    /// Whether ASCII letters stand for both cases.
    any_case: bool,
}

/// A condition on the place between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assertion {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        let states = parse::parse(source)?.into_boxed_slice();
        Ok(Self(match Automaton::new(&states) {
            Some(automaton) => Engine::Automaton(automaton),
            None => Engine::Program(Program::new(states)),
        }))
    }

    /// Whether the pattern matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.find(text, usize::MAX).unwrap_or_default() // it looks at all
    }

    /// The same of the text's first `bytes_max` bytes, in work that is bounded by them; `None` where only the rest can tell.
    #[inline]
    pub(crate) fn find(&self, text: &str, bytes_max: usize) -> Option<bool> {
        let end = text.floor_char_boundary(bytes_max);
        let (start, is_whole) = (text.get(..end).unwrap_or_default(), end == text.len());
        match &self.0 {
            Engine::Automaton(automaton) => automaton.find(start, is_whole),
            Engine::Program(program) => program.find(start, is_whole, bytes_max),
        }
    }
}

impl Program {
    fn new(states: Box<[State]>) -> Self {
        let first = first_characters(&states);
        Self { states, first }
    }

    /// As [`Pattern::find`]; of the pattern's states it follows no more than `steps_max`, one for each character counted apart.
    fn find(&self, text: &str, is_whole: bool, steps_max: usize) -> Option<bool> {
        let mut steps_left = steps_max;
        let mut active = Active::default();
        let mut before = None;
        let mut rest = text.chars();
        loop {
            let mut after = rest.clone().next();
            if active.is_empty() {
                // Nothing has begun: go to where something can begin.
                while after.is_some_and(|character| !self.can_begin(character)) {
                    before = rest.next();
                    after = rest.clone().next();
                }
            }
            if after.is_none() && !is_whole {
                return None;
            }
            active.add(0);
            if follow(&self.states, &mut active, before, after) {
                return Some(true);
            }
            let Some(character) = rest.next() else { return Some(false) };
            steps_left = steps_left.checked_sub(active.len())?;
            active = step(&self.states, &active, character);
            before = Some(character);
        }
    }

    fn can_begin(&self, character: char) -> bool {
        self.first.get(character as usize).is_none_or(|can| *can)
    }
}

/// Adds every state that is reached without taking a character; true when one of them is the match.
fn follow(states: &[State], active: &mut Active, before: Option<char>, after: Option<char>) -> bool {
    let mut pending = active.clone();
    while let Some(index) = pending.take() {
        let next = match &states[index] {
            State::Take(_) => continue,
            State::Matched => return true,
            State::Split(one, other) => [Some(*one), Some(*other)],
            State::Assert(assertion) => [assertion.holds(before, after).then_some(1), None],
        };
        for step in next.into_iter().flatten() {
            let target = index.wrapping_add_signed(isize::from(step));
            if active.add(target) {
                pending.add(target);
            }
        }
    }
    false
}

/// The states that come after those that take the character.
fn step(states: &[State], active: &Active, character: char) -> Active {
    let (mut from, mut to) = (active.clone(), Active::default());
    while let Some(index) = from.take() {
        if let State::Take(set) = &states[index]
            && set.contains(character)
        {
            to.add(index + 1);
        }
    }
    to
}

/// The ASCII characters that a match can begin with. A pattern that needs none to match can begin anywhere.
fn first_characters(states: &[State]) -> [bool; 128] {
    let mut reached = Active::default();
    let mut pending = Active::default();
    pending.add(0);
    reached.add(0);
    let mut first = [false; 128];
    while let Some(index) = pending.take() {
        let steps = match &states[index] {
            State::Matched => return [true; 128],
            State::Take(set) => {
                for (code, can) in (0_u8..).zip(&mut first) {
                    *can |= set.contains(char::from(code));
                }
                continue;
            }
            State::Split(one, other) => [*one, *other],
            State::Assert(_) => [1, 1],
        };
        for step in steps {
            let target = index.wrapping_add_signed(isize::from(step));
            if reached.add(target) {
                pending.add(target);
            }
        }
    }
    first
}

impl Set {
    fn contains(&self, character: char) -> bool {
        let within = |wanted: char| self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&wanted));
        let found = within(character)
            || self.any_case
                && character.is_ascii_alphabetic()
                && (within(character.to_ascii_lowercase()) || within(character.to_ascii_uppercase()));
        found != self.negated
    }
}

impl Assertion {
    fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word = |side: Option<char>| side.is_some_and(is_word);
        match self {
            Self::TextStart => before.is_none(),
            Self::TextEnd => after.is_none(),
            Self::LineStart => before.is_none_or(|character| character == '\n'),
            Self::LineEnd => after.is_none_or(|character| character == '\n'),
            Self::WordBoundary => is_word(before) != is_word(after),
            Self::NoWordBoundary => is_word(before) == is_word(after),
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

const WORDS: usize = PATTERN_STATES_MAX.div_ceil(64);

/// A set of states, a bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Active {
    bits: [u64; WORDS],
    /// Words from here on are zero.
    used: usize,
}

impl Active {
    /// Whether the state was not there before.
    fn add(&mut self, index: usize) -> bool {
        let (word, bit) = (index / 64, 1 << (index % 64));
        let added = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.used = self.used.max(word + 1);
        added
    }

    /// Takes the lowest state out.
    fn take(&mut self) -> Option<usize> {
        let word = self.bits[..self.used].iter().position(|word| *word != 0)?;
        let bit = self.bits[word].trailing_zeros() as usize;
        self.bits[word] &= self.bits[word] - 1;
        Some(word * 64 + bit)
    }

    fn len(&self) -> usize {
        self.bits[..self.used].iter().map(|word| word.count_ones() as usize).sum()
    }

    fn is_empty(&self) -> bool {
        self.bits[..self.used].iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests;
