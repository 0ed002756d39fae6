//! Alerts and dead letters as lines for people: what an event holds never reaches the terminal as anything but visible text.

use std::fmt::Write;
use std::io::IsTerminal;

use serde_json::Value;
use wasmill_core::{Batch, PartitionId};

use crate::dead_letters;
use crate::delivery::{DeadLetter, Rows};

/// The most characters of a value that a line shows.
const CHARS_MAX: usize = 500;

/// Makes lines; by default without colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextLines {
    has_color: bool,
}

/// How a word stands out, as the terminal's attribute.
pub type Color = &'static str;

/// Of what is neither good nor bad.
pub const CALM: Color = "36";
/// Of what is well.
pub const GOOD: Color = "32";
/// Of what needs a look.
pub const DOUBTFUL: Color = "33";
/// Of what is wrong.
pub const WRONG: Color = "31";
/// Of an event that is not taken.
pub const REJECTED: Color = "35";

impl TextLines {
    /// In colour where standard output is a terminal that has any and `NO_COLOR` is not set.
    pub fn of_stdout() -> Self {
        let variable = |name| std::env::var_os(name).unwrap_or_default();
        Self {
            has_color: std::io::stdout().is_terminal() && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb",
        }
    }

    /// A line for each of these alerts.
    pub fn encode(self, alerts: &Batch, events: &[u32]) -> Rows {
        let mut rows = Rows::default();
        for event in events {
            let alert: Value = serde_json::from_slice(&alerts.payload(*event)).unwrap_or_default();
            rows.bytes.extend_from_slice(self.alert(&alert).as_bytes());
            rows.finish_row(*event);
        }
        rows
    }

    /// A dead letter that was rejected at `time_us` (microseconds since 1970).
    pub fn letter(self, partition: &PartitionId, letter: &DeadLetter, time_us: i64) -> String {
        let json = dead_letters::to_json(partition, letter, time_us);
        let by = json["plugin"].as_str().or(json["sink"].as_str()).unwrap_or("host");
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            line,
            "{}  {}  {} by {}  {}[{}] at {}: {}",
            visible(&json["time"]),
            self.colored("rejected", REJECTED),
            visible(&json["code"]),
            visible(&Value::from(by)),
            visible(&json["origin"]["topic"]),
            partition.partition,
            letter.offset,
            visible(&json["reason"])
        );
        line
    }

    /// A line for an alert, as a sink gets it.
    pub fn alert(self, alert: &Value) -> String {
        let severity = alert["severity"].as_str().unwrap_or_default();
        let color = match (severity, alert["life"]["state"].as_str()) {
            (_, Some("resolved")) => GOOD,
            ("critical", _) => "1;31",
            ("error", _) => WRONG,
            ("warning", _) => DOUBTFUL,
            _ => CALM,
        };
        let mut line = format!("{}  {}", visible(&alert["at"]), self.colored(&format!("{severity:<8}"), color));
        // Writing to a string does not fail.
        if let Some(state) = alert["life"]["state"].as_str() {
            let _ = write!(line, "  {state:<8}");
        }
        let _ =
            write!(line, "  {} [{}]  {}", visible(&alert["rule"]), visible(&alert["key"]), visible(&alert["summary"]));
        for (name, value) in alert["labels"].as_object().into_iter().flatten() {
            let _ = write!(line, "  {}={}", visible(&Value::from(name.as_str())), visible(value));
        }
        if let Some(count @ 2..) = alert["life"]["count"].as_u64() {
            let _ = write!(line, "  ({count} since {})", visible(&alert["life"]["first_at"]));
        }
        line.push('\n');
        line
    }

    /// A word that stands out, where there are colours.
    pub fn colored(self, word: &str, color: Color) -> String {
        if self.has_color { format!("\x1b[{color}m{word}\x1b[0m") } else { word.to_owned() }
    }
}

fn visible(value: &Value) -> String {
    value.as_str().map_or_else(|| plain(&value.to_string()), plain)
}

/// A text with every character that is not plainly visible written out: controls, and those that turn the direction of text. What is
/// longer than some lines is cut.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, c) in text.chars().enumerate() {
        if number == CHARS_MAX {
            shown.push('…');
            break;
        }
        push_visible(&mut shown, c);
    }
    shown
}

/// Appends a character, written out where it is not plainly visible.
pub fn push_visible(shown: &mut String, c: char) {
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if c.is_control() || hides {
        shown.extend(c.escape_unicode());
    } else {
        shown.push(c);
    }
}

/// All of a text, with every character that is not plainly visible written out.
pub fn all_visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        push_visible(&mut shown, c);
        shown
    })
}

/// Rows of cells in columns, two blanks between them.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alert_is_a_line_in_which_nothing_of_an_event_is_raw() {
        let alert = json!({
            "at": "2026-01-01T00:00:00Z", "severity": "critical", "rule": "r", "key": "k\x1b[2J", "labels": { "a": "b\r\n" },
            "summary": "\u{9b}31m \u{202e}olleh\u{7f} ü \"quoted\"",
        });
        let line = TextLines { has_color: false }.alert(&alert);
        let expected = "2026-01-01T00:00:00Z  critical  r [k\\u{1b}[2J]  \\u{9b}31m \\u{202e}olleh\\u{7f} ü \"quoted\"  a=b\\u{d}\\u{a}\n";
        assert_eq!(line, expected);
        let colored = TextLines { has_color: true }.alert(&alert);
        assert_eq!(colored, expected.replace("critical", "\x1b[1;31mcritical\x1b[0m"));
    }

    #[test]
    fn life_is_told_with_its_count() {
        let alert = |state, count| {
            json!({ "at": "t", "severity": "error", "rule": "r", "key": "k", "summary": "s",
                    "life": { "state": state, "count": count, "first_at": "f" } })
        };
        let line = |state, count| TextLines { has_color: true }.alert(&alert(state, count));
        assert_eq!(line("firing", 1), "t  \x1b[31merror   \x1b[0m  firing    r [k]  s\n");
        assert_eq!(line("resolved", 7), "t  \x1b[32merror   \x1b[0m  resolved  r [k]  s  (7 since f)\n");
    }

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [["id", "code", "x"], ["7", "bad_timestamp", ""], ["12", "ü", "y"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "id  code           x\n7   bad_timestamp\n12  ü              y\n");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(visible(&json!("x".repeat(501))).chars().count(), 501);
        assert!(visible(&json!("x".repeat(501))).ends_with('…') && !visible(&json!("x".repeat(500))).ends_with('…'));
    }
}
