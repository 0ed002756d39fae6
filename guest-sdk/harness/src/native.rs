//! The same events both ways: in the sandbox, and by the SDK natively.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use wasmill_sdk::__private::keys;
use wasmill_sdk::{Alert, Alerter, Enricher, Loaded, Rejection, Severity, Validator, Verdict};

use crate::assertions::settled;
use crate::outcome::{EventOutcome, Run};
use crate::report::Report;
use crate::{Events, Harness};

/// Events of a batch, where it is not all of them: so that state goes from batch to batch.
const BATCH: usize = 17;

/// An event as the SDK takes it.
type Event<'a> = wasmill_sdk::Event<'a>;

/// Runs batches natively, and gives an answer for each event.
type Answers = dyn Fn(&str, &[&[Event<'_>]]) -> Result<Vec<Answer>, String>;

/// A plugin's function, to be run natively.
///
/// ```no_run
/// use wasmill_harness::{Events, Harness, Native};
/// # use wasmill_sdk::{Fields, Verdict};
/// # #[derive(Fields)]
/// # struct Log<'a> { severity: &'a str }
///
/// #[wasmill_sdk::validator]
/// fn known_severity(log: Log<'_>) -> Verdict {
///     if log.severity == "INFO" { Verdict::pass() } else { Verdict::reject("bad_severity", "it is unknown") }
/// }
///
/// let events = Events::any(1_000, |random| format!(r#"{{"severity":"{}"}}"#, random.choice(["INFO", "LOUD"]).unwrap()));
/// Harness::this_plugin().assert_native_equals_wasm(&Native::validator::<known_severity>(), events);
/// ```
pub struct Native(Box<Answers>);

/// The native answer about one event.
enum Answer {
    Verdict(Verdict),
    Written(BTreeMap<String, Value>),
    Alerts(Vec<Alert>),
}

/// Where the two differ: what it is about, what is so natively, and in the sandbox.
struct Difference(&'static str, String, String);

impl Native {
    /// A validator.
    pub fn validator<P: Validator + 'static>() -> Self {
        Self(Box::new(|config, batches| {
            let plugin = Loaded::<P>::configure(config)?;
            Ok(batches.iter().flat_map(|batch| plugin.validate_json(batch)).map(Answer::Verdict).collect())
        }))
    }

    /// An enricher.
    pub fn enricher<P: Enricher + 'static>() -> Self {
        Self(Box::new(|config, batches| {
            let plugin = Loaded::<P>::configure(config)?;
            Ok(batches.iter().flat_map(|batch| plugin.enrich_json(batch)).map(Answer::Written).collect())
        }))
    }

    /// An alerter.
    pub fn alerter<P: Alerter + 'static>() -> Self {
        Self(Box::new(|config, batches| {
            let plugin = Loaded::<P>::configure(config)?;
            let mut answers = Vec::new();
            for batch in batches {
                let mut alerts: Vec<Vec<Alert>> = batch.iter().map(|_| Vec::new()).collect();
                plugin.evaluate_json(batch).into_iter().for_each(|(event, alert)| alerts[event as usize].push(alert));
                answers.extend(alerts.into_iter().map(Answer::Alerts));
            }
            Ok(answers)
        }))
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")
    }
}

impl Harness {
    /// Runs the events in the sandbox and natively, as one batch and in batches of 17, and gives what came of the one batch. Events that the
    /// host refuses before any plugin are left out natively, as are those whose fields cannot be written; names of look-ups are
    /// found natively by addresses as they stand in the payload.
    ///
    /// # Panics
    /// When the two differ: another verdict, another code or reason, another field or alert. Or the plugin is broken.
    #[track_caller]
    pub fn assert_native_equals_wasm(&self, native: &Native, events: impl Into<Events>) -> Run {
        let events = events.into();
        let whole = self.compare(native, &events, events.list.len().max(1));
        self.compare(native, &events, BATCH);
        whole
    }

    #[track_caller]
    fn compare(&self, native: &Native, events: &Events, size: usize) -> Run {
        let run = settled(self.run_cut(events, size), "in the sandbox", events);
        let answers = settled(self.answers(native, &run, size).map_err(anyhow::Error::msg), "natively", events);
        for (n, answer) in answers {
            if let Some(Difference(what, natively, in_wasm)) = difference(&answer, &run, n) {
                let report = Report::of_event(&run, n).line("differs", what).line("natively", natively);
                report.line("as wasm", in_wasm).outcome(&run.events[n]).more(&events.origin()).fail();
            }
        }
        run
    }

    /// The native answers about the events that came to the plugin, with their numbers.
    fn answers(&self, native: &Native, run: &Run, size: usize) -> Result<Vec<(usize, Answer)>, String> {
        let names = self.names.clone().unwrap_or_default();
        let names = names.at_once();
        let came = |n: &usize| !matches!(&run.events[*n], EventOutcome::Rejected { stage, .. } if stage == "parse");
        let event = |n: usize| {
            let event = &run.inputs[n];
            let payload = event.payload.as_deref().and_then(|payload| std::str::from_utf8(payload).ok());
            Event::from((payload.unwrap_or_default(), event.time_ns)).with_names(&names)
        };
        let numbers: Vec<Vec<usize>> = (0..run.events.len())
            .collect::<Vec<_>>()
            .chunks(size)
            .map(|batch| batch.iter().copied().filter(came).collect())
            .collect();
        let batches: Vec<Vec<Event<'_>>> =
            numbers.iter().map(|batch| batch.iter().map(|n| event(*n)).collect()).collect();
        let batches: Vec<&[Event<'_>]> = batches.iter().map(Vec::as_slice).collect();
        let answers = (native.0)(&self.config.to_string(), &batches)?;
        Ok(numbers.into_iter().flatten().zip(answers).collect())
    }
}

fn difference(answer: &Answer, run: &Run, n: usize) -> Option<Difference> {
    let outcome = &run.events[n];
    match answer {
        Answer::Verdict(verdict) => {
            let differs = || Difference("the verdict", told(verdict), outcome.sentence());
            (!agree(verdict, outcome)).then(differs)
        }
        // Whether there is room for a field in a payload is the host's to say.
        Answer::Written(_) if outcome.code() == Some("enrich_conflict") => None,
        Answer::Written(written) => {
            let payload = run.inputs[n].payload.as_deref().unwrap_or_default();
            let expected = with(payload, written);
            let found = outcome.json();
            (expected != found).then(|| Difference("the fields", expected.to_string(), found.to_string()))
        }
        Answer::Alerts(alerts) => {
            let expected: Vec<Value> = alerts.iter().map(alert).collect();
            let found: Vec<Value> = run.alerts_of(n).map(|alert| own_part(alert.clone())).collect();
            let differs = || {
                Difference(
                    "the alerts",
                    Value::from(expected.clone()).to_string(),
                    Value::from(found.clone()).to_string(),
                )
            };
            (expected != found || !outcome.passed()).then(differs)
        }
    }
}

fn agree(verdict: &Verdict, outcome: &EventOutcome) -> bool {
    match (verdict.rejection(), outcome) {
        // The host looks for what is required itself, and words it in its own way.
        (Some(native), EventOutcome::Rejected { code, reason, .. }) => {
            native.code == *code && (code == "missing_field" || is_reason(&native.reason, reason))
        }
        (None, EventOutcome::Passed { .. }) => verdict.is_pass(),
        (None, EventOutcome::Dropped) => verdict.is_drop(),
        _ => false,
    }
}

/// Whether `reason` is what the host makes of a reason: without control characters, and cut.
fn is_reason(native: &str, reason: &str) -> bool {
    let clean: String = native.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect();
    clean == reason || reason.strip_suffix('…').is_some_and(|begin| clean.starts_with(begin))
}

fn told(verdict: &Verdict) -> String {
    match verdict.rejection() {
        Some(Rejection { code, reason }) => format!("rejected ({code}): {reason}"),
        None if verdict.is_drop() => "dropped".to_owned(),
        None => "passed".to_owned(),
    }
}

/// A payload with these values written to it, by way of a document.
fn with(payload: &[u8], written: &BTreeMap<String, Value>) -> Value {
    let mut document: Value = serde_json::from_slice(payload).unwrap_or_default();
    for (path, value) in written {
        let place = keys(path).into_iter().fold(&mut document, |parent, key| {
            if !parent.is_object() {
                *parent = Value::Object(Default::default());
            }
            &mut parent[key]
        });
        *place = value.clone();
    }
    document
}

fn alert(alert: &Alert) -> Value {
    let severity = match alert.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Critical => "critical",
    };
    let labels: serde_json::Map<String, Value> =
        alert.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    serde_json::json!({
        "rule": alert.rule, "key": alert.key, "severity": severity, "summary": alert.summary, "labels": labels })
}

/// What the plugin itself says in an alert.
pub(crate) fn own_part(mut alert: Value) -> Value {
    const OWN: [&str; 5] = ["rule", "key", "severity", "summary", "labels"];
    if let Value::Object(members) = &mut alert {
        members.retain(|name, _| OWN.contains(&name.as_str()));
    }
    alert
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_by_path_with_the_objects_on_the_way() {
        let written = [("a.b", json!(1)), (r"c\.d", json!(null))].map(|(path, value)| (path.to_owned(), value));
        let document = with(br#"{"a":{"x":2}}"#, &BTreeMap::from(written));
        assert_eq!(document, json!({ "a": { "b": 1, "x": 2 }, "c.d": null }));
    }

    #[test]
    fn a_reason_is_compared_as_the_host_words_it() {
        assert!(is_reason("a\u{1b}b", "a\u{fffd}b") && is_reason("long", "lo…"));
        assert!(!is_reason("a", "b") && !is_reason("long", "la…"));
    }
}
