//! Regular expressions, in time linear in the text whatever the pattern: an automaton that looks at each byte once, made when the
//! plugin is loaded, or, where that would be large, one that holds all states of the pattern at the same time.

use regex_automata::Input;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::syntax;

use crate::ecma;
use crate::escape::quoted;

/// Bytes of an automaton with a state for each byte.
const DFA_BYTES_MAX: usize = 256 << 10;
/// Bytes that making it may take.
const DETERMINIZE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a pattern's states.
const NFA_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: String,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Dfa(Box<dense::DFA<Vec<u32>>>),
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
            Some(dfa) => Search::Dfa(Box::new(dfa)),
            None => Search::Nfa(Box::new(PikeVM::new_from_nfa(nfa).map_err(|why| wrong(&why.to_string()))?)),
        };
        Ok(Pattern { source: source.to_owned(), search })
    }

    /// As the schema has it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches anywhere in the text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        match &self.search {
            // It could only fail on bytes at which it is told to stop, and there are none.
            Search::Dfa(dfa) => matches!(dfa.try_search_fwd(&input), Ok(Some(_))),
            Search::Nfa(vm) => vm.is_match(&mut vm.create_cache(), input),
        }
    }
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

fn dfa(nfa: &NFA) -> Option<dense::DFA<Vec<u32>>> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(DFA_BYTES_MAX))
        .determinize_size_limit(Some(DETERMINIZE_BYTES_MAX));
    dense::Builder::new().configure(config).build_from_nfa(nfa).ok()
}
