//! Pattern text into states, in one pass: a part's states are written where they stand, and what turns out to be
//! repeated or an alternative is wrapped afterwards. A counted part is read again for each copy.

use super::{Assertion, PatternError, Set, State};
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX, PATTERN_STATES_MAX};
use crate::{literal, parts};

/// Parses a whole pattern.
pub(super) fn parse(source: &str) -> Parsed<Vec<State>> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLong);
    }
    let mut parser = Parser { rest: source, states: Vec::new(), flags: Flags::default(), depth: 0, parts: 0 };
    parser.alternatives()?;
    if !parser.rest.is_empty() {
        return Err(PatternError::Unopened);
    }
    parser.push(State::Matched)?;
    Ok(parser.states)
}

#[derive(Clone, Copy, Default)]
struct Flags {
    any_case: bool,
    /// `^` and `$` hold at every line.
    lines: bool,
    /// `.` takes line feeds too.
    dot_all: bool,
}

struct Parser<'s> {
    rest: &'s str,
    states: Vec<State>,
    flags: Flags,
    depth: usize,
    /// Parts read so far, copies included: a bound on the work of counted parts that have no states.
    parts: usize,
}

type Parsed<T> = Result<T, PatternError>;

impl<'s> Parser<'s> {
    fn alternatives(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > PATTERN_DEPTH_MAX {
            return Err(PatternError::TooDeep);
        }
        let mut start = self.states.len();
        let mut ends = Vec::new();
        self.sequence()?;
        while self.take('|') {
            self.split_around(start, 2)?;
            ends.push(self.states.len());
            self.push(State::Split(0, 0))?; // to the end, which is known below
            start = self.states.len();
            self.sequence()?;
        }
        for at in ends {
            let step = (self.states.len() - at) as i16;
            self.states[at] = State::Split(step, step);
        }
        self.depth -= 1;
        Ok(())
    }

    fn sequence(&mut self) -> Parsed<()> {
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            self.repeated()?;
        }
        Ok(())
    }

    /// A part and what is said about how often it comes.
    fn repeated(&mut self) -> Parsed<()> {
        let (start, source, flags) = (self.states.len(), self.rest, self.flags);
        self.part()?;
        loop {
            let operator = self.rest;
            let (least, most) = match self.next() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => self.counts()?,
                _ => {
                    self.rest = operator;
                    return Ok(());
                }
            };
            self.take('?'); // fewest first or most first finds the same matches
            let after = self.rest;
            // What is repeated, without this operator.
            let repeated = parts::until(source, source.len() - operator.len());
            self.copies(start, repeated, flags, least, most)?;
            self.rest = after;
        }
    }

    /// Makes of the states from `start`, which `source` was read into, a repetition.
    fn copies(&mut self, start: usize, source: &'s str, flags: Flags, least: usize, most: Option<usize>) -> Parsed<()> {
        let flags_after = self.flags;
        let mut last = start;
        for _ in 1..least {
            last = self.states.len();
            self.again(source, flags)?;
        }
        match most {
            None if least == 0 => {
                self.split_around(start, 2)?;
                let back = -((self.states.len() - start) as i16);
                self.push(State::Split(back, back))?;
            }
            None => {
                let back = -((self.states.len() - last) as i16);
                self.push(State::Split(back, 1))?;
            }
            Some(0) => self.states.truncate(start),
            Some(most) => {
                if least == 0 {
                    self.split_around(start, 1)?;
                }
                for _ in least.max(1)..most {
                    let optional = self.states.len();
                    self.again(source, flags)?;
                    self.split_around(optional, 1)?;
                }
            }
        }
        self.flags = flags_after;
        Ok(())
    }

    /// Reads a part, with its own repetitions, once more.
    fn again(&mut self, source: &'s str, flags: Flags) -> Parsed<()> {
        (self.rest, self.flags) = (source, flags);
        self.repeated()
    }

    fn counts(&mut self) -> Parsed<(usize, Option<usize>)> {
        let least = self.count().ok_or(PatternError::Count)?;
        let most = if self.take(',') { self.count() } else { Some(least) };
        if !self.take('}') {
            return Err(PatternError::Count);
        }
        match most {
            Some(most) if most < least => Err(PatternError::Count),
            _ => Ok((least, most)),
        }
    }

    /// A number; one beyond the states there can be is as good as any other such.
    fn count(&mut self) -> Option<usize> {
        let mut count = None;
        while let Some(digit @ b'0'..=b'9') = self.rest.bytes().next() {
            self.next();
            count = Some((count.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(PATTERN_STATES_MAX + 1));
        }
        count
    }

    fn part(&mut self) -> Parsed<()> {
        self.parts += 1;
        if self.parts > PATTERN_STATES_MAX * 4 {
            return Err(PatternError::TooLarge);
        }
        let Flags { any_case, lines, dot_all } = self.flags;
        match self.next() {
            Some('(') => self.group(),
            Some('[') => {
                let set = self.class()?;
                self.push(State::Take(Set { any_case, ..set }))
            }
            Some('.') if dot_all => self.push(State::Take(Set { negated: true, ..Set::default() })),
            Some('.') => self.push(State::Take(Set { ranges: vec![('\n', '\n')], negated: true, any_case: false })),
            Some('^') => self.push(State::Assert(if lines { Assertion::LineStart } else { Assertion::TextStart })),
            Some('$') => self.push(State::Assert(if lines { Assertion::LineEnd } else { Assertion::TextEnd })),
            Some('\\') => self.escape(),
            Some('*' | '+' | '?' | '{') => Err(PatternError::NothingRepeated),
            Some(character) => self.push(State::Take(Set { any_case, ..one(character) })),
            None => Ok(()),
        }
    }

    fn escape(&mut self) -> Parsed<()> {
        let assertion = match self.rest.chars().next() {
            Some('A') => Assertion::TextStart,
            Some('z') => Assertion::TextEnd,
            Some('b') => Assertion::WordBoundary,
            Some('B') => Assertion::NoWordBoundary,
            _ => {
                let set = self.escaped_set()?;
                return self.push(State::Take(Set { any_case: self.flags.any_case, ..set }));
            }
        };
        self.next();
        self.push(State::Assert(assertion))
    }

    /// What follows a backslash, inside a class or outside.
    fn escaped_set(&mut self) -> Parsed<Set> {
        let character = self.next().ok_or(PatternError::Escape)?;
        let literal = match character {
            'd' | 'D' => return Ok(class(&[('0', '9')], character == 'D')),
            'w' | 'W' => return Ok(class(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')], character == 'W')),
            's' | 'S' => return Ok(class(&[('\t', '\r'), (' ', ' ')], character == 'S')),
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.code_point()?,
            _ if character.is_ascii_alphanumeric() || !character.is_ascii() => return Err(PatternError::Escape),
            punctuation => punctuation,
        };
        Ok(one(literal))
    }

    /// `41` or `{1f600}`.
    fn code_point(&mut self) -> Parsed<char> {
        let (digits, rest) = match self.rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}'),
            None => self.rest.split_at_checked(2),
        }
        .ok_or(PatternError::CodePoint)?;
        self.rest = rest;
        literal::character(digits, 16).ok_or(PatternError::CodePoint)
    }

    /// `[...]`, after the opening bracket.
    fn class(&mut self) -> Parsed<Set> {
        let mut set = Set { negated: self.take('^'), ..Set::default() };
        let mut is_first = true;
        loop {
            let start = match self.next() {
                None => return Err(PatternError::UnclosedClass),
                Some(']') if !is_first => return Ok(set),
                Some('[') if self.rest.starts_with(':') => {
                    self.posix_class(&mut set)?;
                    is_first = false;
                    continue;
                }
                Some('\\') => {
                    let escaped = self.escaped_set()?;
                    match escaped.ranges[..] {
                        [(first, last)] if first == last && !escaped.negated => first,
                        _ => {
                            extend(&mut set, escaped);
                            is_first = false;
                            continue;
                        }
                    }
                }
                Some(character) => character,
            };
            is_first = false;
            let end =
                if self.rest.starts_with('-') && !self.rest.starts_with("-]") { self.range_end()? } else { start };
            if end < start {
                return Err(PatternError::Range);
            }
            set.ranges.push((start, end));
        }
    }

    fn range_end(&mut self) -> Parsed<char> {
        self.next();
        match self.next() {
            Some('\\') => match self.escaped_set()?.ranges[..] {
                [(first, last)] if first == last => Ok(first),
                _ => Err(PatternError::Range),
            },
            Some(character) => Ok(character),
            None => Err(PatternError::UnclosedClass),
        }
    }

    /// A class by its POSIX name, `[:alpha:]`, after its bracket.
    fn posix_class(&mut self, set: &mut Set) -> Parsed<()> {
        self.take(':');
        let (name, rest) = self.rest.split_once(':').ok_or(PatternError::PosixClass)?;
        self.rest = rest.strip_prefix(']').ok_or(PatternError::PosixClass)?;
        let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let (_, ranges) = POSIX.iter().find(|(known, _)| *known == name).ok_or(PatternError::PosixClass)?;
        extend(set, class(ranges, negated));
        Ok(())
    }

    /// `(...)`, after the opening parenthesis. Names of groups have no use here.
    fn group(&mut self) -> Parsed<()> {
        let outer = self.flags;
        if self.take('?') && !self.prefix()? {
            return Ok(()); // flags for what follows
        }
        self.alternatives()?;
        self.flags = outer;
        if self.take(')') { Ok(()) } else { Err(PatternError::UnclosedGroup) }
    }

    /// What follows `(?`: flags, `:`, or a name. False when there is no group after it.
    fn prefix(&mut self) -> Parsed<bool> {
        if let Some(named) = self.rest.strip_prefix("P<").or_else(|| self.rest.strip_prefix('<')) {
            let is_name =
                |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let named = named.split_once('>').filter(|(name, _)| is_name(name));
            self.rest = named.ok_or(PatternError::Group)?.1;
            return Ok(true);
        }
        let mut on = true;
        loop {
            match self.next() {
                Some('i') => self.flags.any_case = on,
                Some('m') => self.flags.lines = on,
                Some('s') => self.flags.dot_all = on,
                Some('-') => on = false,
                Some(':') => return Ok(true),
                Some(')') => return Ok(false),
                _ => return Err(PatternError::Group),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let character = rest.next()?;
        self.rest = rest.as_str();
        Some(character)
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push(&mut self, state: State) -> Parsed<()> {
        self.insert(self.states.len(), state)
    }

    /// Puts a choice before the states from `at` on: into them, or `beyond` their last one.
    fn split_around(&mut self, at: usize, beyond: i16) -> Parsed<()> {
        let length = (self.states.len() - at) as i16;
        self.insert(at, State::Split(1, length + beyond))
    }

    #[inline(never)]
    fn insert(&mut self, at: usize, state: State) -> Parsed<()> {
        if self.states.len() == PATTERN_STATES_MAX {
            return Err(PatternError::TooLarge);
        }
        self.states.insert(at, state);
        Ok(())
    }
}

fn one(character: char) -> Set {
    class(&[(character, character)], false)
}

fn class(ranges: &[(char, char)], negated: bool) -> Set {
    Set { ranges: ranges.to_vec(), negated, any_case: false }
}

/// Adds a class to a set that is not negated yet, by turning a negated one into what lies between its ranges.
fn extend(set: &mut Set, class: Set) {
    if !class.negated {
        set.ranges.extend(class.ranges);
        return;
    }
    let mut first = '\0';
    for (start, end) in class.ranges {
        // Named classes are ASCII, so that the neighbours of their ends are bytes.
        if first < start {
            set.ranges.push((first, char::from(start as u8 - 1)));
        }
        first = char::from(end as u8 + 1);
    }
    set.ranges.push((first, char::MAX));
}

/// POSIX classes by their names, and their ranges in order.
const POSIX: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", &[('0', '9')]),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];
