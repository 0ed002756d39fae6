//! `wasmill dlq show`: one letter, with all that is known of it.

use std::fmt::Write as _;
use std::io::Write as _;

use wasmill_expr::time::format_rfc3339;

use super::choice::absent;
use super::list::{by, stage_name};
use super::{json, letters, payload};
use crate::cli::{Output, ShowArgs};
use crate::commands::{Exit, print};
use crate::letters::{Letter, LetterFilter, Page, Rejected};
use crate::terminal::all_visible;

pub(super) async fn run(args: &ShowArgs) -> anyhow::Result<Exit> {
    let store = match letters(&args.place).await {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let Some(letter) = store.letters(&LetterFilter::default(), Page::of(args.id)).await?.pop() else {
        return Ok(Exit::failed(absent(args.id)));
    };
    match args.format {
        _ if args.payload => {
            // A reader that went away is no failure of ours.
            let _ = std::io::stdout().lock().write_all(letter.stored.letter.payload.as_deref().unwrap_or_default());
        }
        Output::Json => print(&format!("{:#}\n", json::whole(&letter))),
        Output::Text => print(&shown(&letter)),
    }
    Ok(Exit::success())
}

fn shown(letter: &Letter) -> String {
    let (stored, standing) = (&letter.stored, &letter.standing);
    let (partition, event) = (&stored.partition, &stored.letter);
    let rejected = letter.rejected();
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    line("id", &stored.id.to_string());
    let times = if standing.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", standing.attempts) };
    line("state", &format!("{}, {times}", standing.state.as_str()));
    if let Some(changed_at) = letter.changed_at_us {
        line("since", &json::time(changed_at));
    }
    if let Some(note) = &standing.note {
        line("note", &all_visible(note));
    }
    line("origin", &all_visible(&format!("{partition} at offset {}", event.offset)));
    line("source", &all_visible(&format!("{} {} {}", partition.source, partition.cluster, partition.topic_id)));
    line("event's time", format_rfc3339(event.timestamp_ns).as_str());
    line("rejected at", &json::time(stored.rejected_at_us));
    about(&mut line, &rejected, letter.sink().map(|sink| &**sink));
    let first = Rejected::of(event);
    if first != rejected {
        line("first code", &all_visible(&first.code));
        line("first reason", &all_visible(&first.reason));
    }
    if let Some(generation) = standing.generation {
        line("generation", &generation.to_string());
    }
    line("letter's id", &letter.identity());
    if let Some(key) = &event.key {
        line("key", &payload::on_one_line(key));
    }
    for (name, value) in &event.headers {
        let value = value.as_deref().map_or("null".to_owned(), payload::on_one_line);
        line("header", &format!("{}: {value}", payload::on_one_line(name)));
    }
    match &event.payload {
        None => line("payload", "none"),
        Some(bytes) => {
            line("payload", &format!("{} bytes", bytes.len()));
            text.push_str(&payload::shown(bytes));
        }
    }
    text
}

fn about(line: &mut impl FnMut(&str, &str), rejected: &Rejected, sink: Option<&str>) {
    line("stage", &stage_name(rejected.stage));
    line("by", &by(rejected.plugin.as_deref(), sink));
    line("code", &all_visible(&rejected.code));
    line("reason", &all_visible(&rejected.reason));
    for (number, frame) in json::frames(rejected).into_iter().enumerate() {
        line(if number == 0 { "backtrace" } else { "" }, &all_visible(frame));
    }
}
