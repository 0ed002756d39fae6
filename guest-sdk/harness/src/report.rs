//! What an assertion that fails says: the event, what was expected, what was got, and where the plugin was.

use std::fmt::{Display, Write};

use serde_json::Value;

use crate::outcome::{EventOutcome, Run};

/// Characters of a value that are shown.
const CHARS_MAX: usize = 400;

/// Lines with a label each, below a headline.
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn new(headline: impl Display) -> Self {
        Self(headline.to_string())
    }

    /// About event number `n`, with its payload.
    pub(crate) fn of_event(run: &Run, n: usize) -> Self {
        let event = run.inputs.get(n).map(|event| cut(&event.shown())).unwrap_or_default();
        let time = run.inputs.get(n).filter(|event| event.time_ns != 0);
        let time = time.map(|event| format!(" at {} ns", event.time_ns)).unwrap_or_default();
        Self::new(format_args!("event {n} of {}{time}: {event}", run.events.len()))
    }

    pub(crate) fn line(mut self, label: &str, what: impl Display) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "\n  {label:<10} {}", cut(&what.to_string()));
        self
    }

    /// What became of an event, with where the plugin was and what it said.
    pub(crate) fn outcome(self, outcome: &EventOutcome) -> Self {
        let report = self.line("outcome", outcome.sentence());
        let label = |n| if n == 0 { "backtrace" } else { "" };
        let frames = outcome.backtrace();
        frames.iter().enumerate().fold(report, |report, (n, frame)| report.line(label(n), frame))
    }

    pub(crate) fn log(self, run: &Run) -> Self {
        run.log.iter().fold(self, |report, line| report.line("log", format_args!("{}: {}", line.level, line.text)))
    }

    /// Adds a part that is there already.
    pub(crate) fn more(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    /// Fails the test with it.
    #[track_caller]
    pub(crate) fn fail(self) -> ! {
        panic!("{}", self.0)
    }
}

/// A value, or that it is not there.
pub(crate) fn shown(value: Option<&Value>) -> String {
    value.map_or("absent".to_owned(), ToString::to_string)
}

/// The text up to what is shown of it.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_and_says_how_long_it_is() {
        assert_eq!(cut("ä"), "ä");
        let long = "ä".repeat(CHARS_MAX + 1);
        assert_eq!(cut(&long), format!("{}… ({} bytes)", "ä".repeat(CHARS_MAX), long.len()));
    }
}
