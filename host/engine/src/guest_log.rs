//! What a guest says: bounded lines without control characters, kept until it is known that the call counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wasmill_core::PluginRef;

use crate::abi::Level;
use crate::limits::Limits;

/// A line as it will be logged.
pub(crate) type Line = (Level, String);

/// The lines of one batch in one plugin.
#[derive(Debug)]
pub(crate) struct GuestLog {
    lines: Vec<Line>,
    suppressed: u64,
    /// What was written to stdout or stderr since the last newline.
    pending: Vec<u8>,
    lines_max: usize,
    line_bytes_max: usize,
}

impl GuestLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            lines: Vec::new(),
            suppressed: 0,
            pending: Vec::new(),
            lines_max: limits.log_lines as usize,
            line_bytes_max: limits.log_line_bytes,
        }
    }

    /// Takes one line, if there is room for it.
    pub(crate) fn line(&mut self, level: Level, text: &str) {
        if self.lines.len() < self.lines_max {
            self.lines.push((level, clean(text, self.line_bytes_max)));
        } else {
            self.suppressed += 1;
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

    /// Ends the last line, if one was begun, and gives all lines and the number of those that had no room.
    pub(crate) fn take(&mut self) -> (Vec<Line>, u64) {
        if !self.pending.is_empty() {
            self.end_line();
        }
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.suppressed))
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
    let mut line = String::with_capacity(text.len().min(bytes_max) + '…'.len_utf8());
    // What replaces a control character is longer than it.
    for c in text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }) {
        if line.len() + c.len_utf8() > bytes_max {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

/// The same for a message of several lines. All but the first are indented, so that none looks like a line of the host's.
pub(crate) fn clean_lines(text: &str, line_bytes_max: usize, lines_max: usize) -> String {
    let lines = text.lines().take(lines_max).map(|line| clean(line, line_bytes_max));
    lines.collect::<Vec<_>>().join("\n  ")
}

/// How many lines of a plugin are logged in a second, whichever threads and lanes they come from. What is not used of a second is not
/// saved for the next.
#[derive(Debug)]
pub(crate) struct Rate {
    began: Instant,
    per_second: u32,
    /// The second of the last line in the upper half, the lines of that second in the lower.
    state: AtomicU64,
}

impl Rate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { began: Instant::now(), per_second: limits.log_lines_per_second, state: AtomicU64::new(0) }
    }

    /// How many of `lines` may be logged now.
    pub(crate) fn take(&self, lines: usize) -> usize {
        self.take_at(self.began.elapsed().as_secs() as u32, lines)
    }

    fn take_at(&self, second: u32, lines: usize) -> usize {
        let wanted = u32::try_from(lines).unwrap_or(u32::MAX);
        let used = |state: u64| if (state >> 32) as u32 == second { state as u32 } else { 0 };
        let given = |state: u64| wanted.min(self.per_second.saturating_sub(used(state)));
        let next = |state: u64| Some(u64::from(second) << 32 | u64::from(used(state) + given(state)));
        // Never an error: there is always a next state.
        let before = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_default();
        given(before) as usize
    }
}

/// Logs lines in the plugin's name, as many as its rate allows. Gives how many were logged, and how many were not in all.
pub(crate) fn emit_at(rate: &Rate, plugin: &PluginRef, lines: &[Line], suppressed: u64) -> (u64, u64) {
    // What is said about lines that are not logged is a line itself.
    let wanted = lines.len() + usize::from(suppressed > 0);
    let logged = rate.take(wanted).min(lines.len());
    let suppressed = suppressed + (lines.len() - logged) as u64;
    let told = if wanted > 0 && logged == 0 { 0 } else { suppressed };
    emit(plugin, &lines[..logged], told);
    (logged as u64, suppressed)
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
        assert_eq!(at.take().1, 0);
        let mut above = log(2, 10);
        above.write(b"a\nb\nc");
        let (lines, suppressed) = above.take();
        assert_eq!((lines.len(), suppressed), (2, 1));
    }

    #[test]
    fn lines_are_limited_in_length_and_hold_no_control_characters() {
        let mut log = log(9, 5);
        log.write(b"fiver\nsixers\n");
        log.line(Level::Warn, "a\x1bb");
        log.line(Level::Warn, "a\x1bbc");
        let lines: Vec<String> = log.take().0.into_iter().map(|(_, line)| line).collect();
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
