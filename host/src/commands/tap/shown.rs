//! What a tap tells, as lines for people.

use std::fmt::Write;

use serde_json::Value;

use crate::changes::changes;
use crate::terminal::{self, Color, TextLines, plain};

/// Hexadecimal digits of a digest that people are shown.
const DIGEST_SHOWN: usize = 12;

/// Makes lines, those of one event below each other.
#[derive(Debug)]
pub(super) struct Shown {
    lines: TextLines,
    /// The event of the last line.
    event: String,
}

/// What is tapped.
pub(super) fn tapping(told: &Value) -> String {
    let plugins = told["plugins"].as_array().into_iter().flatten();
    let plugins: Vec<String> =
        plugins.map(|plugin| format!("{} {}", text(&plugin["name"]), text(&plugin["version"]))).collect();
    let plugins = if plugins.is_empty() { "it has no plugins".to_owned() } else { plugins.join(", ") };
    format!("tapping {}: {plugins}; Ctrl-C ends\n", text(&told["pipeline"]))
}

impl Shown {
    pub(super) fn new(lines: TextLines) -> Self {
        Self { lines, event: String::new() }
    }

    /// The lines of what is told.
    pub(super) fn text(&mut self, told: &Value) -> String {
        let place = format!("{}[{}]", text(&told["topic"]), text(&told["partition"]));
        match told["kind"].as_str() {
            Some("step") => self.step(told, &place),
            Some("lost") => {
                let events = text(&told["events"]);
                let word = self.lines.colored("lost", terminal::DOUBTFUL);
                format!("{word}  {events} events are left out, since this is read too slowly\n")
            }
            Some("broken") => {
                let (first, next) = (text(&told["first_offset"]), text(&told["next_offset"]));
                let word = self.lines.colored("broken", terminal::WRONG);
                format!("{word}  {place} from {first} to before {next}: {}\n", text(&told["reason"]))
            }
            Some("end") => format!("{}\n", text(&told["reason"])),
            _ => String::new(),
        }
    }

    fn step(&mut self, told: &Value, place: &str) -> String {
        let mut shown = String::new();
        let event = format!("{place} at {}", text(&told["offset"]));
        let before = &told["before"];
        // Writing to a string does not fail.
        if self.event != event {
            let _ = writeln!(shown, "{event}  {}", text(&told["event_time"]));
            if before.is_object() {
                let _ = writeln!(shown, "     {}", plain(&before.to_string()));
            }
            self.event = event;
        }
        let verdict = told["verdict"].as_str().unwrap_or_default();
        let word = self.lines.colored(&format!("{verdict:<8}"), color(verdict));
        let _ = write!(shown, "{}/{}  {word}  {}", text(&told["step"]), text(&told["steps"]), who(told));
        if told["code"].is_string() {
            let _ = write!(shown, "  {}: {}", text(&told["code"]), text(&told["reason"]));
        }
        shown.push('\n');
        for change in changed(told) {
            let _ = writeln!(shown, "     {}", self.lines.colored(&plain(&change), terminal::CALM));
        }
        for alert in told["alerts"].as_array().into_iter().flatten() {
            let mut alert = alert.clone();
            alert["at"] = told["event_time"].clone();
            let _ = write!(shown, "     {}", self.lines.alert(&alert));
        }
        shown
    }
}

/// The changed fields; of those that are redacted the paths alone.
fn changed(told: &Value) -> Vec<String> {
    let seen = changes(&told["before"], &told["after"]);
    let paths = told["changed"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let hidden = paths.filter(|path| seen.iter().all(|change| change.path != *path));
    let hidden: Vec<String> = hidden.map(|path| format!("~ {path}: [redacted]")).collect();
    let is_changed = told["verdict"] == "changed";
    let seen = seen.iter().filter(|_| is_changed).map(ToString::to_string);
    seen.chain(hidden).collect()
}

fn who(told: &Value) -> String {
    match told["plugin"].as_str() {
        None => "reading".to_owned(),
        Some(plugin) => {
            let digest: String = text(&told["digest"]).chars().take(DIGEST_SHOWN).collect();
            format!("{} {} ({digest}), {} fuel", plain(plugin), text(&told["version"]), text(&told["fuel"]))
        }
    }
}

fn color(verdict: &str) -> Color {
    match verdict {
        "passed" => terminal::GOOD,
        "rejected" => terminal::REJECTED,
        "trapped" => terminal::WRONG,
        "skipped" => terminal::DOUBTFUL,
        _ => terminal::CALM,
    }
}

/// A value without quotes around a text, and with nothing in it that a terminal would heed.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| plain(&value.to_string()), plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(step: usize, verdict: &str, after: Value) -> Value {
        json!({
            "kind": "step", "topic": "raw", "partition": 2, "offset": 7, "event_time": "2026-01-01T00:00:00Z", "step": step,
            "steps": 2, "plugin": "p", "version": "1.0.0", "digest": "0123456789abcdef", "fuel": 12, "verdict": verdict,
            "before": { "a": 1, "token": "[redacted]" }, "after": after,
        })
    }

    #[test]
    fn steps_of_an_event_stand_below_it_and_changes_below_their_step() {
        let mut shown = Shown::new(TextLines::default());
        let head = "raw[2] at 7  2026-01-01T00:00:00Z\n     {\"a\":1,\"token\":\"[redacted]\"}\n";
        let passed = shown.text(&step(1, "passed", json!({ "a": 1, "token": "[redacted]" })));
        assert_eq!(passed, format!("{head}1/2  passed    p 1.0.0 (0123456789ab), 12 fuel\n"));
        let mut told = step(2, "changed", json!({ "a": 2, "token": "[redacted]" }));
        told["changed"] = json!(["a", "token"]);
        let expected = "2/2  changed   p 1.0.0 (0123456789ab), 12 fuel\n     ~ a: 1 -> 2\n     ~ token: [redacted]\n";
        assert_eq!(shown.text(&told), expected);
    }

    #[test]
    fn rejection_is_told_with_code_and_reason_and_nothing_that_a_terminal_heeds() {
        let mut shown = Shown::new(TextLines::default());
        let mut told = step(1, "rejected", Value::Null);
        (told["code"], told["reason"]) = (json!("bad"), json!("no\x1b[2J"));
        let text = shown.text(&told);
        assert!(text.ends_with("1/2  rejected  p 1.0.0 (0123456789ab), 12 fuel  bad: no\\u{1b}[2J\n"), "{text}");
    }

    #[test]
    fn what_is_tapped_and_what_is_lost_are_sentences() {
        let told = json!({ "kind": "tapping", "pipeline": "xdr", "plugins": [{ "name": "a", "version": "1" }, { "name": "b", "version": "2" }] });
        assert_eq!(tapping(&told), "tapping xdr: a 1, b 2; Ctrl-C ends\n");
        let lost = Shown::new(TextLines::default()).text(&json!({ "kind": "lost", "events": 3 }));
        assert_eq!(lost, "lost  3 events are left out, since this is read too slowly\n");
    }
}
