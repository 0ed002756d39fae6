//! What a tap tells, as lines of JSON: the form of docs/tap.md.

use serde::Serialize;
use serde_json::{Value, json};
use wasmill_core::{Alert, Severity, Stage};
use wasmill_expr::time::format_rfc3339;

use super::redaction::{Redaction, Secrets};
use super::sample::{Sample, SeenStep, Told, Verdict};
use crate::changes::changes;

/// An event at one step.
#[derive(Debug, Serialize)]
struct StepLine<'a> {
    kind: &'static str,
    seen_at: String,
    event_time: String,
    source: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    step: usize,
    steps: usize,
    stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Paths; also of fields whose values are redacted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    fuel: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<AlertLine>,
}

#[derive(Debug, Serialize)]
struct AlertLine {
    rule: String,
    key: String,
    severity: Severity,
    summary: String,
    labels: Value,
}

/// A step with its payloads parsed, and later without secrets.
struct Parsed<'s> {
    step: &'s SeenStep,
    changed: Vec<String>,
    before: Option<Value>,
    after: Option<Value>,
}

/// The lines of something that is told.
pub(super) fn lines(told: &Told, redaction: &Redaction) -> String {
    match told {
        Told::Event(sample) => of_sample(sample, redaction),
        Told::Broken { partition, first, next, reason } => line(&json!({
            "kind": "broken", "source": partition.source, "topic": partition.topic, "partition": partition.partition,
            "first_offset": first, "next_offset": next, "reason": reason,
        })),
    }
}

/// That so many events found no room.
pub(super) fn lost(events: u64) -> String {
    line(&json!({ "kind": "lost", "events": events }))
}

/// That nothing follows, and why.
pub(super) fn end(reason: &str) -> String {
    line(&json!({ "kind": "end", "reason": reason }))
}

fn line(value: &impl Serialize) -> String {
    // Serializing what has string keys does not fail.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

fn of_sample(sample: &Sample, redaction: &Redaction) -> String {
    let mut secrets = Secrets::default();
    let mut steps: Vec<Parsed<'_>> =
        sample.steps.iter().map(|step| Parsed::of(step, redaction, &mut secrets)).collect();
    let partition = &sample.partition;
    let mut text = String::new();
    for Parsed { step, changed, before, after } in &mut steps {
        before.iter_mut().chain(after.iter_mut()).for_each(|payload| secrets.take_out_of(payload));
        let (code, reason) = match &step.verdict {
            Verdict::Rejected { code, reason, .. } => (Some(secrets.out_of(code)), Some(secrets.out_of(reason))),
            _ => (None, None),
        };
        text.push_str(&line(&StepLine {
            kind: "step",
            seen_at: format_rfc3339(sample.seen_ns).as_str().to_owned(),
            event_time: format_rfc3339(sample.time_ns).as_str().to_owned(),
            source: &partition.source,
            topic: &partition.topic,
            partition: partition.partition,
            offset: sample.offset,
            step: step.place,
            steps: sample.steps_all,
            stage: step.stage,
            plugin: step.plugin.as_ref().map(|plugin| plugin.name.as_str()),
            version: step.plugin.as_ref().map(|plugin| plugin.version.as_str()),
            digest: step.plugin.as_ref().map(|plugin| plugin.digest.to_string()),
            verdict: step.verdict.word(),
            code,
            reason,
            changed: std::mem::take(changed),
            before: before.as_ref(),
            after: after.as_ref(),
            fuel: step.fuel,
            alerts: step.alerts.iter().map(|alert| AlertLine::of(alert, redaction, &mut secrets)).collect(),
        }));
    }
    text
}

impl<'s> Parsed<'s> {
    fn of(step: &'s SeenStep, redaction: &Redaction, secrets: &mut Secrets) -> Self {
        let parsed = |payload: &[u8]| serde_json::from_slice::<Value>(payload).unwrap_or_default();
        let mut before = step.before.as_deref().map(parsed);
        let mut after = match &step.verdict {
            Verdict::Passed | Verdict::Skipped => before.clone(),
            Verdict::Changed(payload) => Some(parsed(payload)),
            Verdict::Dropped | Verdict::Rejected { .. } => None,
        };
        let changed = match (&before, &after, &step.verdict) {
            (Some(before), Some(after), Verdict::Changed(_)) => {
                changes(before, after).into_iter().map(|change| change.path).collect()
            }
            _ => Vec::new(),
        };
        before.iter_mut().chain(&mut after).for_each(|payload| redaction.take(payload, secrets));
        Self { step, changed, before, after }
    }
}

impl AlertLine {
    fn of(alert: &Alert, redaction: &Redaction, secrets: &mut Secrets) -> Self {
        let label = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        let mut labels = Value::Object(alert.labels.iter().map(label).collect());
        redaction.take(&mut labels, secrets);
        secrets.take_out_of(&mut labels);
        Self {
            rule: alert.rule.clone(),
            key: secrets.out_of(&alert.key),
            severity: alert.severity,
            summary: secrets.out_of(&alert.summary),
            labels,
        }
    }
}
