//! What a guest says: bounded lines without control characters, kept until it is known that the call counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use wasmill_core::PluginRef;

use crate::abi::Level;
use crate::limits::Limits;
use crate::outcome::LogLine;

/// A line as it will be logged.
pub(crate) type Line = (Level, String);

/// What a guest said in some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) lines: Vec<Line>,
    /// Lines beyond `limits.log_lines`.
    pub(crate) suppressed: u64,
    /// Lines that were too long.
    pub(crate) cut: u64,
}

impl Said {
    /// Adds what was said in another call, with at most so many lines in all.
    pub(crate) fn add(&mut self, other: Self, lines_max: usize) {
        let room = lines_max.saturating_sub(self.lines.len());
        self.suppressed += other.suppressed + other.lines.len().saturating_sub(room) as u64;
        self.cut += other.cut;
        self.lines.extend(other.lines.into_iter().take(room));
    }
}

/// The lines of one batch in one plugin.
#[derive(Debug)]
pub(crate) struct GuestLog {
    said: Said,
    /// What was written to stdout or stderr since the last newline.
    pending: Vec<u8>,
    lines_max: usize,
    line_bytes_max: usize,
}

impl GuestLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            said: Said::default(),
            pending: Vec::new(),
            lines_max: limits.log_lines as usize,
            line_bytes_max: limits.log_line_bytes,
        }
    }

    /// Takes one line, if there is room for it.
    pub(crate) fn line(&mut self, level: Level, text: &str) {
        if self.said.lines.len() < self.lines_max {
            let (line, is_cut) = cut(text, self.line_bytes_max);
            self.said.cut += u64::from(is_cut);
            self.said.lines.push((level, line));
        } else {
            self.said.suppressed += 1;
        }
    }

    /// Takes bytes of stdout or stderr, which become lines at each newline.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.append(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.append(rest);
    }

    /// Ends the last line, if one was begun, and gives all that was said.
    pub(crate) fn take(&mut self) -> Said {
        if !self.pending.is_empty() {
            self.end_line();
        }
        std::mem::take(&mut self.said)
    }

    fn append(&mut self, bytes: &[u8]) {
        // One byte more than fits, so that the cut shows.
        let room = (self.line_bytes_max + 1).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&bytes);
        if !text.trim().is_empty() {
            self.line(Level::Info, &text);
        }
    }
}

/// `text` without control characters, cut at `bytes_max` with an ellipsis.
pub(crate) fn clean(text: &str, bytes_max: usize) -> String {
    cut(text, bytes_max).0
}

/// The same, and whether something is cut.
pub(crate) fn cut(text: &str, bytes_max: usize) -> (String, bool) {
    let mut line = String::with_capacity(text.len().min(bytes_max) + '…'.len_utf8());
    // What replaces a control character is longer than it.
    for c in text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }) {
        if line.len() + c.len_utf8() > bytes_max {
            line.push('…');
            return (line, true);
        }
        line.push(c);
    }
    (line, false)
}

/// The same for a message of several lines. All but the first are indented, so that none looks like a line of the host's.
pub(crate) fn clean_lines(text: &str, line_bytes_max: usize, lines_max: usize) -> String {
    let lines = text.lines().take(lines_max).map(|line| clean(line, line_bytes_max));
    lines.collect::<Vec<_>>().join("\n  ")
}

/// How many lines of a plugin are logged in a second, whichever threads and lanes they come from. What is not used of a second is not
/// saved for the next. Beside them one line in a second may tell how many were not logged.
#[derive(Debug)]
pub(crate) struct Rate {
    began: Instant,
    per_second: u32,
    /// The second of the last line in the upper half, the lines of that second in the lower, with [`TOLD`].
    state: AtomicU64,
    /// Lines that were not logged, and of which it was not told.
    untold: AtomicU64,
}

/// Set where it was told in this second that lines were not logged.
const TOLD: u32 = 1 << 31;

impl Rate {
    pub(crate) fn new(limits: &Limits) -> Self {
        let per_second = limits.log_lines_per_second.min(TOLD - 1);
        Self { began: Instant::now(), per_second, state: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }

    /// How many of `lines` may be logged now.
    pub(crate) fn take(&self, lines: usize) -> usize {
        self.take_at(self.second(), lines)
    }

    /// Takes note of lines that are not logged. Gives how many are to be told of now.
    pub(crate) fn untold(&self, lines: u64) -> u64 {
        self.untold_at(self.second(), lines)
    }

    fn second(&self) -> u32 {
        self.began.elapsed().as_secs() as u32
    }

    fn untold_at(&self, second: u32, lines: u64) -> u64 {
        if self.untold.fetch_add(lines, Ordering::Relaxed) + lines == 0 {
            return 0;
        }
        let tell = |state: u64| {
            let used = used(state, second);
            (used & TOLD == 0).then_some(u64::from(second) << 32 | u64::from(used | TOLD))
        };
        let is_first = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, tell).is_ok();
        if is_first { self.untold.swap(0, Ordering::Relaxed) } else { 0 }
    }

    fn take_at(&self, second: u32, lines: usize) -> usize {
        let wanted = u32::try_from(lines).unwrap_or(u32::MAX);
        let given = |state: u64| wanted.min(self.per_second.saturating_sub(used(state, second) & !TOLD));
        let next = |state: u64| Some(u64::from(second) << 32 | u64::from(used(state, second) + given(state)));
        // Never an error: there is always a next state.
        let before = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_default();
        given(before) as usize
    }
}

/// What the lower half of a [`Rate`]'s state says of this second.
fn used(state: u64, second: u32) -> u32 {
    if (state >> 32) as u32 == second { state as u32 } else { 0 }
}

/// Logs lines in the plugin's name, as many as its rate allows. Gives how many were logged, and how many its rate left out.
pub(crate) fn emit_at(rate: &Rate, plugin: &PluginRef, said: &Said) -> (u64, u64) {
    let logged = rate.take(said.lines.len());
    let left_out = (said.lines.len() - logged) as u64;
    emit(plugin, &said.lines[..logged], rate.untold(said.suppressed + left_out));
    (logged as u64, left_out)
}

/// A line as it is handed on, of the plugin with this index.
pub(crate) fn told(plugin: usize, (level, text): Line) -> LogLine {
    let level = match level {
        Level::Trace => tracing::Level::TRACE,
        Level::Debug => tracing::Level::DEBUG,
        Level::Info => tracing::Level::INFO,
        Level::Warn => tracing::Level::WARN,
        Level::Error => tracing::Level::ERROR,
    };
    LogLine { plugin, level, text }
}

/// Logs lines in the plugin's name.
pub(crate) fn emit(plugin: &PluginRef, lines: &[Line], suppressed: u64) {
    let (name, digest) = (plugin.name.as_str(), format_args!("{:#}", plugin.digest));
    for (level, line) in lines {
        match level {
            Level::Trace => tracing::trace!(plugin = name, %digest, "{line}"),
            Level::Debug => tracing::debug!(plugin = name, %digest, "{line}"),
            Level::Info => tracing::info!(plugin = name, %digest, "{line}"),
            Level::Warn => tracing::warn!(plugin = name, %digest, "{line}"),
            Level::Error => tracing::error!(plugin = name, %digest, "{line}"),
        }
    }
    if suppressed > 0 {
        tracing::warn!(
            plugin = name, %digest, suppressed,
            "the plugin logs more than limits.log_lines or limits.log_lines_per_second allows"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: u32, bytes: usize) -> GuestLog {
        GuestLog::new(&Limits { log_lines: lines, log_line_bytes: bytes, ..Limits::default() })
    }

    #[test]
    fn lines_are_limited_in_number() {
        let mut at = log(2, 10);
        at.write(b"a\nb\n");
        assert_eq!(at.take().suppressed, 0);
        let mut above = log(2, 10);
        above.write(b"a\nb\nc");
        let said = above.take();
        assert_eq!((said.lines.len(), said.suppressed), (2, 1));
    }

    #[test]
    fn lines_are_limited_in_length_and_hold_no_control_characters() {
        let mut log = log(9, 5);
        log.write(b"fiver\nsixers\n");
        log.line(Level::Warn, "a\x1bb");
        log.line(Level::Warn, "a\x1bbc");
        let said = log.take();
        assert_eq!(said.cut, 2);
        let lines: Vec<String> = said.lines.into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["fiver", "sixer…", "a\u{fffd}b", "a\u{fffd}b…"]);
    }

    #[test]
    fn messages_keep_their_lines_up_to_a_number() {
        assert_eq!(clean_lines("two\n lines", 9, 2), "two\n   lines");
        assert_eq!(clean_lines("a\x1b\nb\nc", 9, 2), "a\u{fffd}\n  b");
    }

    #[test]
    fn lines_of_a_second_are_limited_at_the_limit_and_one_above() {
        let rate = Rate::new(&Limits { log_lines_per_second: 5, ..Limits::default() });
        assert_eq!((rate.take_at(0, 3), rate.take_at(0, 2), rate.take_at(0, 1)), (3, 2, 0));
        assert_eq!((rate.take_at(7, 6), rate.take_at(7, 1)), (5, 0));
        assert_eq!(rate.take_at(8, 1), 1);
    }

    #[test]
    fn lines_that_are_not_logged_are_told_of_once_in_a_second_and_none_is_forgotten() {
        let rate = Rate::new(&Limits { log_lines_per_second: 1, ..Limits::default() });
        assert_eq!((rate.untold_at(3, 0), rate.take_at(3, 1), rate.take_at(3, 1)), (0, 1, 0));
        assert_eq!((rate.untold_at(3, 2), rate.untold_at(3, 5), rate.untold_at(3, 0)), (2, 0, 0));
        assert_eq!((rate.take_at(3, 1), rate.take_at(4, 1), rate.untold_at(4, 0)), (0, 1, 5));
    }

    #[test]
    fn endless_output_without_newline_takes_no_memory() {
        let mut log = log(9, 4);
        for _ in 0..1000 {
            log.write(&[b'x'; 1000]);
        }
        assert!(log.pending.capacity() < 100);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clean("aé", 2), "a…");
        assert_eq!(clean("aé", 3), "aé");
    }
}
