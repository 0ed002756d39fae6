//! Assertions on what became of one event.

use serde_json::Value;
use wasmill_sdk::__private::keys;

use crate::outcome::{EventOutcome, Run};
use crate::report::{Report, shown};

/// One event of a batch. Each assertion gives it back, so that the next one can follow.
///
/// ```no_run
/// # fn of(run: &wasmill_harness::Run) {
/// run.event(0).assert_passed().assert_field("source.host", "web-7.example").assert_no_field("source.port");
/// run.event(1).assert_rejected("bad_severity").assert_reason("`LOUD` is not allowed");
/// run.event(2).assert_alert("failed-login");
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Checked<'r> {
    run: &'r Run,
    n: usize,
}

impl<'r> Checked<'r> {
    #[track_caller]
    pub(crate) fn new(run: &'r Run, n: usize) -> Self {
        assert!(n < run.events.len(), "there is no event {n}: the batch has {}, counted from 0", run.events.len());
        Self { run, n }
    }

    /// What became of it.
    pub fn outcome(&self) -> &'r EventOutcome {
        &self.run.events[self.n]
    }

    /// The value at a path of the payload after enrichment, keys joined by dots; `\.` is a dot in a key.
    pub fn field(&self, path: &str) -> Option<Value> {
        let keys = keys(path);
        let mut value = self.outcome().json();
        for key in &keys {
            value = value.get_mut(key)?.take();
        }
        Some(value)
    }

    /// Asserts that it goes on.
    #[track_caller]
    pub fn assert_passed(self) -> Self {
        self.assert(self.outcome().passed(), "it goes on")
    }

    /// Asserts that it goes on, byte for byte as it came.
    #[track_caller]
    pub fn assert_unchanged(self) -> Self {
        let payload = self.run.inputs.get(self.n).and_then(|event| event.payload.as_deref());
        let is_same = self.outcome().payload().map(str::as_bytes) == payload;
        self.assert_passed().assert(is_same, "it goes on byte for byte as it came")
    }

    /// Asserts that a validator drops it.
    #[track_caller]
    pub fn assert_dropped(self) -> Self {
        self.assert(*self.outcome() == EventOutcome::Dropped, "it is dropped")
    }

    /// Asserts that it becomes a dead letter with this code.
    #[track_caller]
    pub fn assert_rejected(self, code: &str) -> Self {
        self.assert(self.outcome().code() == Some(code), &format!("it is rejected ({code})"))
    }

    /// Asserts that the reason of its rejection contains this.
    #[track_caller]
    pub fn assert_reason(self, part: &str) -> Self {
        let is_there = matches!(self.outcome(), EventOutcome::Rejected { reason, .. } if reason.contains(part));
        self.assert(is_there, &format!("it is rejected for a reason with {part:?} in it"))
    }

    /// Asserts that a field has this value after enrichment.
    #[track_caller]
    pub fn assert_field(self, path: &str, expected: impl Into<Value>) -> Self {
        let (expected, found) = (expected.into(), self.field(path));
        if found.as_ref() != Some(&expected) {
            self.fail(&[("field", path), ("expected", &expected.to_string()), ("got", &shown(found.as_ref()))]);
        }
        self
    }

    /// Asserts that there is no such field after enrichment, not even null.
    #[track_caller]
    pub fn assert_no_field(self, path: &str) -> Self {
        self.assert_passed();
        if let Some(found) = self.field(path) {
            self.fail(&[("field", path), ("expected", "absent"), ("got", &found.to_string())]);
        }
        self
    }

    /// Asserts that there is an alert of this rule about it.
    #[track_caller]
    pub fn assert_alert(self, rule: &str) -> Self {
        self.assert(self.rules().contains(&rule), &format!("an alert of the rule {rule:?}"))
    }

    /// Asserts that there is no alert about it.
    #[track_caller]
    pub fn assert_no_alert(self) -> Self {
        self.assert(self.rules().is_empty(), "no alert")
    }

    /// The rules of the alerts about it, in order.
    pub fn rules(&self) -> Vec<&'r str> {
        self.run.alerts_of(self.n).filter_map(|alert| alert["rule"].as_str()).collect()
    }

    #[track_caller]
    fn assert(self, holds: bool, expected: &str) -> Self {
        if !holds {
            self.fail(&[("expected", expected)]);
        }
        self
    }

    #[track_caller]
    fn fail(&self, lines: &[(&str, &str)]) -> ! {
        let report = Report::of_event(self.run, self.n);
        let report = lines.iter().fold(report, |report, (label, what)| report.line(label, what));
        let alerts = self.run.alerts_of(self.n);
        alerts.fold(report.outcome(self.outcome()), |report, alert| report.line("alert", alert)).log(self.run).fail()
    }
}
