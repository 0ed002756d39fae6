//! Assertions that a plugin's answers depend on its events alone.

use std::fmt::Display;

use crate::outcome::Run;
use crate::report::Report;
use crate::{Events, Harness};

/// Events of a batch where batches are cut.
const CUTS: [usize; 3] = [1, 7, 100];

impl Harness {
    /// Loads it anew and runs the events in batches of at most `size`. Events and alerts are the same whatever the size: the
    /// engine promises it of every plugin that is a pure function of its event.
    ///
    /// # Errors
    /// As for [`Harness::start`] and [`crate::Running::run`].
    pub fn run_cut(&self, events: impl Into<Events>, size: usize) -> anyhow::Result<Run> {
        let events = events.into();
        let mut running = self.start()?;
        let mut whole = running.run(&events.list[..events.list.len().min(size)])?;
        for batch in events.list.chunks(size.max(1)).skip(1) {
            whole.extend(running.run(batch)?);
        }
        Ok(whole)
    }

    /// Runs the events as one batch and cut into batches of several sizes, and gives what came of the one batch.
    ///
    /// # Panics
    /// When an event or an alert depends on where batches are cut, or the plugin is broken.
    #[track_caller]
    pub fn assert_cut_invariant(&self, events: impl Into<Events>) -> Run {
        let events = events.into();
        let whole = settled(self.run_cut(&events, usize::MAX), "in one batch", &events);
        for size in CUTS {
            let how = format!("in batches of {size}");
            let cut = settled(self.run_cut(&events, size), &how, &events);
            assert_same(&whole, &cut, &format!("{how} it is another"), &events);
        }
        whole
    }

    /// Runs the events twice in one process, with the state from before them, and once in another, and gives what came of it.
    ///
    /// # Panics
    /// When an event, an alert or a log line is another the next time, or the plugin is broken.
    #[track_caller]
    pub fn assert_deterministic(&self, events: impl Into<Events>) -> Run {
        let events = events.into();
        let run = || -> anyhow::Result<[Run; 3]> {
            let mut running = self.start()?;
            let first = running.run(&events)?;
            Ok([first, running.replay()?, self.run(&events)?])
        };
        let [first, again, elsewhere] = settled(run(), "in one batch", &events);
        for (other, how) in [(again, "the second time it is another"), (elsewhere, "in another process it is another")]
        {
            assert_same(&first, &other, how, &events);
            assert_same_log(&first, &other, how, &events);
        }
        first
    }
}

/// What came of `done`, or a failed test.
#[track_caller]
pub(crate) fn settled<T>(done: anyhow::Result<T>, how: &str, events: &Events) -> T {
    match done {
        Ok(value) => value,
        Err(error) => panic!("{how}: {error:#}{}", events.origin()),
    }
}

impl Run {
    /// Asserts that the plugin logged a line of this level (`error`, `warn`, `info`, `debug`, `trace`) that contains this.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_logged(&self, level: &str, part: &str) -> &Self {
        let is_there = self.log.iter().any(|line| line.level == level && line.text.contains(part));
        self.assert(is_there, format_args!("a line of the level {level} with {part:?} in it"), "no such line")
    }

    /// Asserts that an event costs at most so much fuel.
    ///
    /// # Panics
    /// When it costs more.
    #[track_caller]
    pub fn assert_fuel_per_event(&self, most: u64) -> &Self {
        let found = self.fuel_per_event();
        self.assert(found <= most, format_args!("at most {most} fuel per event"), &found.to_string())
    }

    /// Asserts that the plugin has at most so many bytes of memory.
    ///
    /// # Panics
    /// When it has more.
    #[track_caller]
    pub fn assert_memory(&self, most_bytes: u64) -> &Self {
        let found = self.memory_bytes;
        self.assert(found <= most_bytes, format_args!("at most {most_bytes} bytes of memory"), &found.to_string())
    }

    #[track_caller]
    fn assert(&self, holds: bool, expected: impl Display, got: &str) -> &Self {
        if !holds {
            let report = Report::new(format_args!("a batch of {} events", self.events.len()));
            report.line("expected", expected).line("got", got).log(self).fail();
        }
        self
    }

    /// Adds the batch that came next.
    pub(crate) fn extend(&mut self, next: Self) {
        self.events.extend(next.events);
        self.alerts.extend(next.alerts);
        self.log.extend(next.log);
        self.looked_up.extend(next.looked_up);
        self.inputs.extend(next.inputs);
        self.fuel += next.fuel;
        self.calls += next.calls;
        self.memory_bytes = self.memory_bytes.max(next.memory_bytes);
    }
}

#[track_caller]
fn assert_same_log(first: &Run, other: &Run, how: &str, events: &Events) {
    let longest = first.log.len().max(other.log.len());
    let Some(n) = (0..longest).find(|n| first.log.get(*n) != other.log.get(*n)) else { return };
    let line = |run: &Run| run.log.get(n).map_or("no line".to_owned(), |line| format!("{}: {}", line.level, line.text));
    let report = Report::new(format_args!("line {n} of the log")).line("differs", how).line("expected", line(first));
    report.line("got", line(other)).more(&events.origin()).fail();
}

/// Asserts that the outcomes and the alerts are those of `first`.
#[track_caller]
pub(crate) fn assert_same(first: &Run, other: &Run, how: &str, events: &Events) {
    let outcomes = first.events.iter().zip(&other.events);
    if let Some(n) = outcomes.clone().position(|(one, other)| one != other) {
        let report = Report::of_event(first, n).line("differs", how).line("expected", first.events[n].sentence());
        report.outcome(&other.events[n]).more(&events.origin()).fail();
    }
    assert_eq!(first.events.len(), other.events.len(), "{how} number of outcomes{}", events.origin());
    for n in 0..first.events.len() {
        let (expected, found): (Vec<_>, Vec<_>) = (first.alerts_of(n).collect(), other.alerts_of(n).collect());
        if expected != found {
            let list = |alerts: &[&serde_json::Value]| {
                let alerts: Vec<String> = alerts.iter().map(ToString::to_string).collect();
                if alerts.is_empty() { "no alert".to_owned() } else { alerts.join(", ") }
            };
            let report = Report::of_event(first, n).line("differs", how).line("expected", list(&expected));
            report.line("got", list(&found)).more(&events.origin()).fail();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(payload: &str, alerts: &[&str], log: &[&str]) -> Run {
        let alert = |key: &&str| json!({ "key": key, "origin": { "offset": 0 } });
        let line = |text: &&str| json!({ "level": "info", "text": text });
        let run: Value = json!({
            "events": [{ "outcome": "passed", "payload": payload }], "alerts": alerts.iter().map(alert).collect::<Vec<_>>(),
            "log": log.iter().map(line).collect::<Vec<_>>(), "looked_up": {}, "fuel": 1, "calls": 1, "memory_bytes": 1,
            "first_offset": 0 });
        Run { inputs: vec!["{}".into()], ..serde_json::from_value(run).unwrap() }
    }

    fn failure(first: &Run, other: &Run) -> String {
        let events = Events::seeded(7, 1, |_| "{}");
        let panic = std::panic::catch_unwind(|| {
            assert_same(first, other, "again", &events);
            assert_same_log(first, other, "again", &events);
        });
        panic.unwrap_err().downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn what_is_another_the_next_time_is_told() {
        let first = run("{}", &["a"], &["x"]);
        let head = "event 0 of 1: {}\n  differs    again\n  expected  ";
        let again = "\n  again      WASMILL_SEED=7 cargo test";
        assert_eq!(
            failure(&first, &run("7", &["a"], &["x"])),
            format!("{head} passed: {{}}\n  outcome    passed: 7{again}")
        );
        let alert = r#"{"key":"a","origin":{"offset":0}}"#;
        assert_eq!(failure(&first, &run("{}", &[], &["x"])), format!("{head} {alert}\n  got        no alert{again}"));
        let why = failure(&first, &run("{}", &["a"], &["x", "y"]));
        assert_eq!(
            why,
            format!("line 1 of the log\n  differs    again\n  expected   no line\n  got        info: y{again}")
        );
    }
}
