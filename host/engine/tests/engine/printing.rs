//! What a plugin of the SDK prints is lines of the log.

use serde_json::json;
use wasmill_engine::{LaneMemory, Limits, Worker};

use crate::log::logged;
use crate::support::{batch, component, load};

/// The lines that come of a batch in which each event prints one of these texts.
fn lines_of(texts: &[&str]) -> Option<Vec<String>> {
    let plugins = [load(&component("counter")?, json!({}), Limits::default()).unwrap()];
    let events: Vec<String> = texts.iter().map(|text| json!({ "key": text, "act": "print" }).to_string()).collect();
    let (generation, mut batch) = batch(&plugins, 0, &events);
    let run = || generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new()).map(drop);
    let (ran, lines) = logged(run);
    ran.unwrap();
    Some(lines.into_iter().map(|line| line.message).collect())
}

#[test]
fn what_is_printed_in_pieces_is_logged_line_by_line() {
    let Some(lines) = lines_of(&["one\ntw", "o\n\n  \n", "a rest"]) else { return };
    assert_eq!(lines, ["one", "two", "a rest"]);
}

#[test]
fn bytes_that_are_no_text_are_question_marks_in_the_log() {
    let Some(lines) = lines_of(&["caf\u{e9}\n", "\u{1b}[31m\n", "caf\u{c3}\u{a9}\n"]) else { return };
    assert_eq!(lines, ["caf?", "\u{fffd}[31m", "café"]);
}
