//! Golden batches: events in a file, and what became of them in another, which is looked at when it changes.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::binary::package_folder;
use crate::native::own_part;
use crate::outcome::{EventOutcome, Run};
use crate::report::{Report, cut};
use crate::{Event, Harness, fuel};

/// The variable that has what came out be what is expected from now on.
const ACCEPT: &str = "WASMILL_ACCEPT";

/// How what came out is accepted, as failures tell it.
pub(crate) const HOW_TO_ACCEPT: &str = "if that is right, run `WASMILL_ACCEPT=1 cargo test` and commit what it changes";

impl Harness {
    /// Runs the events of `tests/golden/NAME.jsonl` in the crate's folder, compares what became of them with `NAME.expected` beside it, and
    /// what an event cost with `fuel.lock` in the crate's folder ([`Harness::fuel_growth`]). With `WASMILL_ACCEPT=1` in the environment
    /// both are written instead.
    ///
    /// A line of the file is an event, whatever stands there. A line `@1795250700000` is the time of the events that follow, in
    /// milliseconds since 1970, and `@batch` begins another batch.
    ///
    /// # Panics
    /// When an outcome, an alert or a log line is another, or an event costs more; or there is no such file.
    #[track_caller]
    pub fn assert_golden(&self, name: &str) -> Run {
        match self.golden(name) {
            Ok(run) => run,
            Err(error) => panic!("golden batch {name}: {error:#}"),
        }
    }

    #[track_caller]
    fn golden(&self, name: &str) -> anyhow::Result<Run> {
        let crate_folder = package_folder()?;
        let file = crate_folder.join("tests/golden").join(format!("{name}.jsonl"));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let batches = batches(&text);
        let mut running = self.start()?;
        let mut found = String::new();
        let mut whole: Option<Run> = None;
        for batch in &batches {
            let run = running.run(batch)?;
            let first = whole.as_ref().map_or(0, |whole| whole.events.len());
            write_outcomes(&mut found, &run, first);
            match &mut whole {
                Some(whole) => whole.extend(run),
                None => whole = Some(run),
            }
        }
        let Some(whole) = whole else { bail!("{} has no event", file.display()) };
        let expected = file.with_extension("expected");
        if accepts() {
            write_if_other(&expected, &found)?;
            fuel::accept(&crate_folder, name, whole.fuel_per_event())?;
        } else {
            compare(&whole, name, &expected, &found)?;
            fuel::check(&crate_folder, name, whole.fuel_per_event(), self.fuel_growth_percent)?;
        }
        Ok(whole)
    }
}

/// Whether what comes out is to be written.
fn accepts() -> bool {
    env::var_os(ACCEPT).is_some_and(|value| value == "1")
}

/// The batches of a file.
fn batches(text: &str) -> Vec<Vec<Event>> {
    let mut batches = vec![Vec::new()];
    let mut time_ms = 0;
    for line in text.lines() {
        match line.strip_prefix('@') {
            Some("batch") => batches.push(Vec::new()),
            Some(time) if time.parse::<i64>().is_ok() => time_ms = time.parse().unwrap_or_default(),
            _ => batches.last_mut().expect("there is one from the beginning").push(Event::from(line).at_ms(time_ms)),
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// A line for each event, with its alerts below it, and the log of the batch. Without what each build changes.
fn write_outcomes(out: &mut String, run: &Run, first: usize) {
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{text}");
    };
    for (n, outcome) in run.events.iter().enumerate() {
        let payload = run.inputs[n].payload.as_deref();
        match outcome {
            EventOutcome::Passed { payload: passed } if Some(passed.as_bytes()) == payload => {
                line(format_args!("{} passed unchanged", first + n));
            }
            EventOutcome::Passed { payload } => line(format_args!("{} passed {payload}", first + n)),
            EventOutcome::Dropped => line(format_args!("{} dropped", first + n)),
            EventOutcome::Rejected { code, reason, .. } => {
                line(format_args!("{} rejected {code}: {}", first + n, reason.replace('\n', " ")));
            }
        }
        for alert in run.alerts_of(n) {
            let at = alert["at"].as_str().unwrap_or_default();
            line(format_args!("{} alert at {at} {}", first + n, own_part(alert.clone())));
        }
    }
    for said in &run.log {
        line(format_args!("log {}: {}", said.level, said.text));
    }
}

#[track_caller]
fn compare(run: &Run, name: &str, file: &Path, found: &str) -> anyhow::Result<()> {
    if !file.is_file() {
        bail!("there is no {}: {HOW_TO_ACCEPT}", file.display());
    }
    let expected = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if expected == found {
        return Ok(());
    }
    let (mut before, mut now) = (expected.lines(), found.lines());
    let mut number = 0;
    let (before, now) = loop {
        number += 1;
        match (before.next(), now.next()) {
            (Some(before), Some(now)) if before == now => {}
            (before, now) => break (before, now),
        }
    };
    let of_event = now.or(before).and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
    let report = match of_event.filter(|n| *n < run.events.len()) {
        Some(n) => Report::of_event(run, n),
        None => Report::new("another line"),
    };
    let shown = |line: Option<&str>| line.map_or("no line".to_owned(), cut);
    let place = format!("golden batch {name}, line {number} of {}", file.display());
    report
        .line("in", place)
        .line("expected", shown(before))
        .line("got", shown(now))
        .line("accept", HOW_TO_ACCEPT)
        .fail();
}

fn write_if_other(file: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read_to_string(file).ok().as_deref() != Some(text) {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_events_but_for_times_and_new_batches() {
        let batches = batches("@batch\n{\"a\":1}\n@7\n\n@nobody\n@batch\n{}\n@-1\n{}\n");
        let [first, second] = &batches[..] else { panic!("{batches:?}") };
        assert_eq!(first[..], [Event::from("{\"a\":1}"), Event::from("").at_ms(7), Event::from("@nobody").at_ms(7)]);
        assert_eq!(second[..], [Event::from("{}").at_ms(7), Event::from("{}").at_ms(-1)]);
    }

    /// A batch of two events with an alert and a log line.
    fn run() -> Run {
        let alert = serde_json::json!({
            "id": "1", "rule": "r", "key": "k", "at": "1970-01-01T00:00:00Z", "origin": { "offset": 4 }, "plugin": {} });
        let events = serde_json::json!([
            { "outcome": "passed", "payload": "{\"a\":1}" },
            { "outcome": "rejected", "stage": "validate", "code": "bad", "reason": "two\nlines" }]);
        let run = serde_json::json!({
            "events": events, "alerts": [alert], "log": [{ "level": "warn", "text": "said" }], "looked_up": {}, "fuel": 9,
            "calls": 1, "memory_bytes": null, "first_offset": 4 });
        Run { inputs: vec!["{\"a\":1}".into(), "{}".into()], ..serde_json::from_value(run).unwrap() }
    }

    #[test]
    fn outcomes_are_lines_without_what_each_build_changes() {
        let mut text = String::new();
        write_outcomes(&mut text, &run(), 7);
        assert_eq!(
            text,
            "7 passed unchanged\n7 alert at 1970-01-01T00:00:00Z {\"key\":\"k\",\"rule\":\"r\"}\n8 rejected bad: two lines\nlog warn: said\n"
        );
    }

    #[test]
    fn the_first_line_that_is_another_is_told_with_its_event_and_how_to_accept_it() {
        let folder = env::temp_dir().join(format!("wasmill-golden-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.expected");
        let mut found = String::new();
        write_outcomes(&mut found, &run(), 0);
        let missing = compare(&run(), "a", &file, &found).unwrap_err().to_string();
        assert!(missing.contains("there is no") && missing.ends_with(HOW_TO_ACCEPT), "{missing}");
        write_if_other(&file, &found).unwrap();
        assert!(compare(&run(), "a", &file, &found).is_ok());
        fs::write(&file, found.replace("bad: two", "bad: three")).unwrap();
        let panic = std::panic::catch_unwind(|| compare(&run(), "a", &file, &found)).unwrap_err();
        let why = panic.downcast_ref::<String>().unwrap();
        let place = format!("\n  in         golden batch a, line 3 of {}\n", file.display());
        assert!(why.starts_with("event 1 of 2: {}\n") && why.contains(&place), "{why}");
        assert!(
            why.contains("expected   1 rejected bad: three lines\n  got        1 rejected bad: two lines\n"),
            "{why}"
        );
        assert!(why.ends_with(HOW_TO_ACCEPT), "{why}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
