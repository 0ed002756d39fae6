//! Patterns as deterministic automata: one look-up per character, whatever the pattern. A state stands for a set of the pattern's
//! states and for what came before it (subset construction), and all of them are made when the pattern is.
//!
//! Some patterns have exponentially many: those stay as they are, see [`Automaton::new`].

use super::{Active, Assertion, State};

/// Entries of an automaton's table. Beyond them there is none: it would take long to make, for a pattern that hardly any text needs.
const ENTRIES_MAX: usize = 4096;

/// The state of a text in which the pattern has matched. A state is the place in the table where its row begins.
const MATCHED: u16 = 0;
/// The first character that is not ASCII.
const FIRST_OF_OTHERS: char = '\u{80}';

/// A pattern's table of states and classes of characters.
#[derive(Debug, Clone)]
pub(super) struct Automaton {
    /// The class of each ASCII character.
    ascii: [u8; 128],
    /// The first character of each further range, in order, and its class.
    others: Box<[(char, u8)]>,
    /// The next state by state and class; the last class is the text's end.
    next: Box<[u16]>,
    start: u16,
    /// States up to this one are decided: the match, and the one without a way to it.
    decided: u16,
    end: u8,
}

/// What a state stands for: the pattern's states, and the character before, as far as the pattern asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    active: Active,
    before: Option<char>,
}

impl Automaton {
    /// The automaton of a pattern; `None`: its table would have more than [`ENTRIES_MAX`] entries.
    pub(super) fn new(states: &[State]) -> Option<Self> {
        let asked = Asked::by(states);
        let classes = Classes::of(states, &asked)?;
        let width = classes.examples.len() + 1;
        let hopeless = Place { active: Active::default(), before: asked.kind(Some(' ')) };
        let mut places = vec![hopeless];
        let mut next = vec![MATCHED; width];
        let mut at = 0;
        let start = number(&mut places, Place { active: Active::default(), before: asked.kind(None) }) * width;
        while at < places.len() {
            let place = places[at].clone();
            at += 1;
            if (places.len() + 1) * width > ENTRIES_MAX {
                return None;
            }
            for after in classes.examples.iter().copied().map(Some).chain([None]) {
                let mut active = place.active.clone();
                active.add(0);
                let state = match (super::follow(states, &mut active, place.before, after), after) {
                    (true, _) => usize::from(MATCHED),
                    (false, None) => width,
                    (false, Some(character)) => {
                        let active = super::step(states, &active, character);
                        number(&mut places, Place { active, before: asked.kind(after) }) * width
                    }
                };
                next.push(state as u16); // below ENTRIES_MAX, or there is no automaton
            }
        }
        // Without a way out it is where a text can match no more; otherwise a state as any other.
        let is_hopeless = next[width..2 * width].iter().all(|state| usize::from(*state) == width);
        Some(Self {
            ascii: classes.ascii,
            others: classes.others.into(),
            next: next.into(),
            start: start as u16,
            decided: if is_hopeless { width as u16 } else { MATCHED },
            end: (width - 1) as u8,
        })
    }

    /// Whether the pattern matches in the text, `None` where only what follows can tell; nothing follows on a `whole` text.
    // Inlined, it is compiled as its user is: for speed.
    #[inline]
    pub(super) fn find(&self, text: &str, is_whole: bool) -> Option<bool> {
        let bytes = text.as_bytes();
        let (mut state, mut at) = (self.start, 0);
        while let Some(byte) = bytes.get(at) {
            let class = match self.ascii.get(usize::from(*byte)) {
                Some(class) => {
                    at += 1;
                    *class
                }
                None => {
                    let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                    at += character.len_utf8();
                    self.class_of_other(character)
                }
            };
            state = self.next[usize::from(state) + usize::from(class)];
            if state <= self.decided {
                return Some(state == MATCHED);
            }
        }
        is_whole.then(|| self.next[usize::from(state) + usize::from(self.end)] == MATCHED)
    }

    fn class_of_other(&self, character: char) -> u8 {
        let after = self.others.partition_point(|(first, _)| *first <= character);
        self.others[after - 1].1 // the first range begins where ASCII ends
    }
}

/// The number of a place's row, which it gets if it is new.
fn number(places: &mut Vec<Place>, place: Place) -> usize {
    let known = places.iter().position(|known| *known == place);
    let index = known.unwrap_or_else(|| {
        places.push(place);
        places.len() - 1
    });
    index + 1 // after the match's
}

/// Which conditions a pattern has.
struct Asked {
    text_start: bool,
    lines: bool,
    words: bool,
}

impl Asked {
    fn by(states: &[State]) -> Self {
        let one_of = |wanted: &[Assertion]| {
            states.iter().any(|state| matches!(state, State::Assert(assertion) if wanted.contains(assertion)))
        };
        Self {
            text_start: one_of(&[Assertion::TextStart]),
            lines: one_of(&[Assertion::LineStart, Assertion::LineEnd]),
            words: one_of(&[Assertion::WordBoundary, Assertion::NoWordBoundary]),
        }
    }

    /// One for all characters that the conditions cannot tell apart.
    fn kind(&self, character: Option<char>) -> Option<char> {
        match character {
            None if self.text_start => None,
            None | Some('\n') if self.lines => Some('\n'),
            Some(character) if self.words && super::is_word(character) => Some('a'),
            _ => Some(' '),
        }
    }
}

/// Characters that no state and no condition tells apart have one class.
struct Classes {
    ascii: [u8; 128],
    others: Vec<(char, u8)>,
    /// One character of each class.
    examples: Vec<char>,
}

impl Classes {
    fn of(states: &[State], asked: &Asked) -> Option<Self> {
        let mut classes = Self { ascii: [0; 128], others: Vec::new(), examples: Vec::new() };
        let mut signs = Vec::new();
        for (code, class) in (0_u8..).zip(&mut classes.ascii) {
            *class = class_of(char::from(code), states, asked, &mut signs, &mut classes.examples)?;
        }
        for first in firsts_of_others(states) {
            let class = class_of(first, states, asked, &mut signs, &mut classes.examples)?;
            classes.others.push((first, class));
        }
        Some(classes)
    }
}

/// The class of a character, which is a new one when no class so far has its sign: the states that take it, and its kind.
fn class_of(
    character: char,
    states: &[State],
    asked: &Asked,
    signs: &mut Vec<Place>,
    examples: &mut Vec<char>,
) -> Option<u8> {
    let mut active = Active::default();
    for (index, state) in states.iter().enumerate() {
        if matches!(state, State::Take(set) if set.contains(character)) {
            active.add(index);
        }
    }
    let sign = Place { active, before: asked.kind(Some(character)) };
    let known = signs.iter().position(|known| *known == sign);
    let class = known.unwrap_or_else(|| {
        signs.push(sign);
        examples.push(character);
        signs.len() - 1
    });
    u8::try_from(class).ok().filter(|class| *class < u8::MAX) // one more is the text's end
}

/// Where a range of characters beyond ASCII begins or has just ended, in order.
fn firsts_of_others(states: &[State]) -> Vec<char> {
    let mut firsts = vec![FIRST_OF_OTHERS];
    for state in states {
        if let State::Take(set) = state {
            for (first, last) in &set.ranges {
                insert(&mut firsts, *first);
                insert(&mut firsts, after(*last));
            }
        }
    }
    firsts
}

/// The next character, over the gap of the surrogates; none of those beyond ASCII after the last one.
fn after(character: char) -> char {
    match character {
        '\u{d7ff}' => '\u{e000}',
        _ => char::from_u32(u32::from(character) + 1).unwrap_or_default(),
    }
}

/// Puts a character beyond ASCII into its place. The library's sort would be 4 kB of every plugin.
#[inline(never)]
fn insert(firsts: &mut Vec<char>, first: char) {
    let place = firsts.partition_point(|before| *before < first);
    if first > FIRST_OF_OTHERS && firsts.get(place) != Some(&first) {
        firsts.insert(place, first);
    }
}
