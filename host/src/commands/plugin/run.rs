//! `wasmill plugin run`: one plugin over the lines of standard input, and what becomes of each.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wasmill_core::EventTime;

use crate::changes::changes;
use crate::cli::{Output, TryArgs};
use crate::commands::engine::engine;
use crate::commands::plugin::subject::Subject;
use crate::commands::{Exit, say};
use crate::lookups::ReverseDns;
use crate::solo::{Fared, Fate, Given, Solo};
use crate::terminal::{self, TextLines, all_visible, plain};

/// Most events of a batch. Fewer where no more have come yet: whoever types sees an answer to each line.
const BATCH_EVENTS_MAX: usize = 1_000;

/// Counts what became of the events.
#[derive(Default)]
struct Counts {
    events: u64,
    passed: u64,
    dropped: u64,
    rejected: u64,
    alerts: u64,
    fuel: u64,
}

/// Runs the plugin until standard input ends.
///
/// # Errors
/// When standard input or output fail.
pub(super) fn run(args: &TryArgs) -> anyhow::Result<Exit> {
    let mut solo = match solo(args) {
        Ok(solo) => solo,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let mut input = BufReader::new(io::stdin().lock());
    let mut out = io::stdout().lock();
    let lines = TextLines::of_stdout();
    let mut counts = Counts::default();
    loop {
        let batch = next_batch(&mut input)?;
        if batch.is_empty() {
            break;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        let given: Vec<Given<'_>> = batch.iter().map(|line| Given { payload: Some(line), timestamp_ns: now }).collect();
        let ran = match solo.run(&given) {
            Ok(ran) => ran,
            Err(broken) => return Ok(Exit::failed(broken.to_string())),
        };
        counts.fuel += ran.cost.fuel;
        let mut shown = String::new();
        for (line, fared) in batch.iter().zip(&ran.events) {
            counts.add(fared);
            match args.format {
                Output::Json => shown.push_str(&format!("{}\n", as_json(counts.events, fared))),
                Output::Text => shown.push_str(&as_text(lines, line, fared, args.diff)),
            }
        }
        // What the plugin says is of the batch, not of an event; it goes where logs go.
        ran.log.iter().for_each(|line| say(&format!("log       {}: {}\n", line.level, plain(&line.text))));
        // A reader that went away is no failure of ours.
        if out.write_all(shown.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Exit::success());
        }
    }
    if args.format == Output::Text {
        say(&counts.told());
    }
    Ok(Exit::success())
}

fn solo(args: &TryArgs) -> Result<Solo, String> {
    let engine = engine(args.cache.as_deref(), None)?;
    let plugin = Subject::read(&args.file, args.config.as_deref())?.load_in(&engine)?;
    let event_time = args.event_time.parse().map_err(|error| format!("--event-time: {error}"))?;
    let names: HashMap<IpAddr, Option<Arc<str>>> =
        serde_json::from_str(&args.reverse_dns).map_err(|error| format!("--reverse-dns: {error}"))?;
    Ok(Solo::new(plugin, EventTime::Field(event_time), Arc::new(ReverseDns::of_table(names))))
}

/// The lines that are there, one at least; none at the end.
fn next_batch<R: Read>(input: &mut BufReader<R>) -> io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    while lines.len() < BATCH_EVENTS_MAX && (lines.is_empty() || input.buffer().contains(&b'\n')) {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            line.pop();
        }
        lines.push(line);
    }
    Ok(lines)
}

fn as_json(number: u64, Fared { fate, alerts }: &Fared) -> Value {
    let mut told = match fate {
        Fate::Passed(payload) => {
            let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
            json!({ "outcome": "passed", "payload": payload })
        }
        Fate::Dropped => json!({ "outcome": "dropped" }),
        Fate::Rejected { code, reason, .. } => json!({ "outcome": "rejected", "code": code, "reason": reason }),
    };
    told["event"] = json!(number);
    told["alerts"] = json!(alerts);
    told
}

fn as_text(lines: TextLines, line: &[u8], Fared { fate, alerts }: &Fared, is_diff: bool) -> String {
    let before = String::from_utf8_lossy(line);
    let word = |word: &str, color| lines.colored(&format!("{word:<8}"), color);
    let mut text = match fate {
        Fate::Passed(payload) if is_diff => {
            let mut text = format!("{}  {}\n", word("passed", terminal::GOOD), plain(&before));
            let parsed = |bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            for change in changes(&parsed(line), &parsed(payload)) {
                text.push_str(&format!("          {}\n", lines.colored(&plain(&change.to_string()), terminal::CALM)));
            }
            text
        }
        Fate::Passed(payload) => {
            format!("{}  {}\n", word("passed", terminal::GOOD), all_visible(&String::from_utf8_lossy(payload)))
        }
        Fate::Dropped => format!("{}  {}\n", word("dropped", terminal::CALM), plain(&before)),
        Fate::Rejected { code, reason, .. } => {
            let word = word("rejected", terminal::REJECTED);
            format!("{word}  {}: {}\n          {}\n", plain(code), plain(reason), plain(&before))
        }
    };
    for alert in alerts {
        text.push_str(&format!("{}  {}", word("alert", terminal::DOUBTFUL), lines.alert(alert)));
    }
    text
}

impl Counts {
    fn add(&mut self, Fared { fate, alerts }: &Fared) {
        self.events += 1;
        self.alerts += alerts.len() as u64;
        match fate {
            Fate::Passed(_) => self.passed += 1,
            Fate::Dropped => self.dropped += 1,
            Fate::Rejected { .. } => self.rejected += 1,
        }
    }

    fn told(&self) -> String {
        let Self { events, passed, dropped, rejected, alerts, fuel } = self;
        let each = fuel / (*events).max(1);
        format!(
            "{events} events: {passed} passed, {dropped} dropped, {rejected} rejected, {alerts} alerts; {each} fuel each\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_is_what_has_come_and_lines_lose_their_ends() {
        let mut input = BufReader::with_capacity(8, &b"ab\r\ncd\nlonger than the buffer\nlast"[..]);
        let lines = |input: &mut BufReader<_>| next_batch(input).unwrap();
        assert_eq!(lines(&mut input), [b"ab".to_vec(), b"cd".to_vec()]);
        assert_eq!(lines(&mut input)[0], b"longer than the buffer");
        let rest: Vec<Vec<u8>> =
            std::iter::from_fn(|| Some(lines(&mut input)).filter(|lines| !lines.is_empty())).flatten().collect();
        assert_eq!(rest, [b"last".to_vec()]);
    }
}
