//! Regular expressions, in time linear in the text whatever the pattern: an automaton that looks at each byte once, made when the
//! plugin is loaded, or, where that would be large, one that holds all states of the pattern at the same time.

use regex_automata::Input;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

use crate::ecma;
use crate::escape::quoted;

/// Bytes of an automaton with a state for each byte.
const DFA_BYTES_MAX: usize = 256 << 10;
/// Bytes that making it may take.
const DETERMINIZE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a pattern's states.
const NFA_BYTES_MAX: usize = 4 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: String,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Dfa { dfa: Box<dense::DFA<Vec<u32>>>, start: StateID },
    Nfa(Box<PikeVM>),
}

impl Pattern {
    /// Compiles a pattern of ECMA-262.
    ///
    /// # Errors
    /// A sentence that names the pattern and what is wrong with it.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the pattern {}: {why}", quoted(source));
        let translated = ecma::translate(source).map_err(wrong)?;
        if let Some(unsupported) = translated.unsupported {
            return Err(wrong(unsupported));
        }
        let nfa = nfa(&translated.text).map_err(|why| wrong(&why))?;
        let search = match dfa(&nfa) {
            Some((dfa, start)) => Search::Dfa { dfa: Box::new(dfa), start },
            None => Search::Nfa(Box::new(PikeVM::new_from_nfa(nfa).map_err(|why| wrong(&why.to_string()))?)),
        };
        Ok(Pattern { source: source.to_owned(), search })
    }

    /// As the schema has it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it runs without an automaton.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.search, Search::Nfa(_))
    }

    /// Whether it matches anywhere in the text.
    #[inline]
    pub(crate) fn is_match(&self, text: &str) -> bool {
        match &self.search {
            Search::Dfa { dfa, start } => runs_to_match(dfa, *start, text.as_bytes()),
            Search::Nfa(vm) => vm.is_match(&mut vm.create_cache(), Input::new(text).earliest(true)),
        }
    }
}

fn runs_to_match(dfa: &dense::DFA<Vec<u32>>, start: StateID, text: &[u8]) -> bool {
    let mut state = start;
    for byte in text {
        state = dfa.next_state(state, *byte);
        if dfa.is_special_state(state) {
            // Matched by the bytes before this one, or never to match.
            return dfa.is_match_state(state);
        }
    }
    dfa.is_match_state(dfa.next_eoi_state(state))
}

fn nfa(pattern: &str) -> Result<NFA, String> {
    let config = Config::new().utf8(false).nfa_size_limit(Some(NFA_BYTES_MAX)).which_captures(WhichCaptures::None);
    let mut compiler = Compiler::new();
    compiler.configure(config).syntax(syntax::Config::new().utf8(false));
    compiler.build(pattern).map_err(|error| match error.size_limit() {
        Some(_) => "it is too large; repeat less often, or split it into several".to_owned(),
        None => match std::error::Error::source(&error) {
            Some(cause) => one_line(&cause.to_string()),
            None => one_line(&error.to_string()),
        },
    })
}

/// The last line of a message that draws the place first.
fn one_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message);
    last.trim_start_matches("error: ").to_owned()
}

/// The automaton, and the state in which it begins; `None` when it is large.
fn dfa(nfa: &NFA) -> Option<(dense::DFA<Vec<u32>>, StateID)> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .accelerate(false) // so that the only special states are ends
        .dfa_size_limit(Some(DFA_BYTES_MAX))
        .determinize_size_limit(Some(DETERMINIZE_BYTES_MAX));
    let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
    let start = dfa.start_state(&start::Config::new()).ok()?;
    Some((dfa, start))
}
