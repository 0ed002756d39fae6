//! What a plugin answers, checked: nothing of it is taken over before all of it is known to be in order.

use std::collections::HashSet;
use std::sync::Arc;

use wasmill_core::{Alert, AlertId, Batch, FieldKind, Path, PluginRef, Rejection, Severity, Stage, WrittenRows};

use crate::abi;
use crate::fault::Fault;
use crate::guest_log::{clean, cut};
use crate::held::Limit;
use crate::limits::Limits;

/// Bytes of a rejection's code.
const CODE_BYTES_MAX: usize = 64;

/// Actions of a verdict, by their byte.
const PASS: u8 = 0;
const DROP: u8 = 1;
const REJECT: u8 = 2;

/// What a validator decided about some events.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events that it rejects, rising.
    pub(crate) rejections: Vec<Rejection>,
    /// Events that it drops, rising.
    pub(crate) dropped: Vec<u32>,
    /// Reasons that were too long.
    pub(crate) reasons_cut: u64,
}

/// Checks a validator's verdicts about `events`.
///
/// # Errors
/// A fault that says what is not in order.
pub(crate) fn verdict(
    answer: abi::Verdicts,
    events: &[u32],
    plugin: &Arc<PluginRef>,
    limits: &Limits,
) -> Result<Verdict, Fault> {
    let abi::Verdicts { actions, rejections } = answer;
    if actions.len() != events.len() {
        return Err(Fault::bad_answer(format!("gives {} actions for {} events", actions.len(), events.len())));
    }
    if rejections.is_empty() && actions.iter().all(|action| *action == PASS) {
        return Ok(Verdict::default());
    }
    let mut verdict = Verdict::default();
    let mut reasons = rejections.into_iter();
    for (n, action) in actions.iter().enumerate() {
        match *action {
            PASS => {}
            DROP => verdict.dropped.push(events[n]),
            REJECT => {
                let reason = reasons.next().filter(|reason| reason.event as usize == n);
                let reason = reason.ok_or_else(|| {
                    Fault::bad_answer(format!("rejects event {n} of the batch without an entry for it, in event order"))
                })?;
                let (rejection, is_cut) = rejection(reason, events[n], plugin, limits)?;
                verdict.reasons_cut += u64::from(is_cut);
                verdict.rejections.push(rejection);
            }
            other => return Err(Fault::bad_answer(format!("gives the action {other}; it can be 0, 1 or 2"))),
        }
    }
    match reasons.next() {
        None => Ok(verdict),
        Some(extra) => Err(Fault::bad_answer(format!(
            "has a rejection for event {} of the batch, which it does not reject or has rejected already",
            extra.event
        ))),
    }
}

/// A rejection, and whether its reason was cut.
fn rejection(
    reason: abi::Rejection,
    event: u32,
    plugin: &Arc<PluginRef>,
    limits: &Limits,
) -> Result<(Rejection, bool), Fault> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let code = reason.code;
    if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.bytes().all(fits) {
        return Err(Fault::bad_answer(format!(
            "gives the code {:?}; it must have 1 to {CODE_BYTES_MAX} lower-case letters, digits and underscores",
            clean(&code, CODE_BYTES_MAX)
        )));
    }
    let (reason, is_cut) = cut(&reason.reason, limits.reason_bytes);
    let plugin = Some(plugin.clone());
    Ok((Rejection { event, stage: Stage::Validate, plugin, sink: None, code: code.into(), reason }, is_cut))
}

/// Takes over what an enricher wrote for `events`. Gives the events whose payload cannot take it.
///
/// # Errors
/// A fault that says what is not in order; the batch is unchanged then.
pub(crate) fn written(
    answer: abi::Columns,
    events: &[u32],
    writes: &[(Path, FieldKind)],
    batch: &mut Batch,
    plugin: &Arc<PluginRef>,
    limits: &Limits,
) -> Result<Vec<Rejection>, Fault> {
    let rows = WrittenRows { text: answer.text, slots: answer.slots, states: answer.states };
    check_sizes(&rows, writes, limits)?;
    let mut conflicts = batch.apply(writes, events, &rows).map_err(cannot_be_taken)?;
    for conflict in &mut conflicts {
        conflict.plugin.get_or_insert_with(|| plugin.clone());
    }
    Ok(conflicts)
}

fn cannot_be_taken(why: String) -> Fault {
    Fault::bad_answer(format!("gives columns that cannot be taken: {why}"))
}

/// No written value is longer than allowed. Whether slots and text fit together is for `apply` to say.
fn check_sizes(rows: &WrittenRows, writes: &[(Path, FieldKind)], limits: &Limits) -> Result<(), Fault> {
    if rows.text.len() <= limits.field_bytes {
        return Ok(());
    }
    let spans: Vec<bool> = writes.iter().map(|(_, kind)| matches!(kind, FieldKind::Text | FieldKind::Json)).collect();
    let too_long = |(spans, slot): (&bool, &u64)| *spans && (*slot & 0xffff_ffff) as usize > limits.field_bytes;
    match spans.iter().cycle().zip(&rows.slots).position(too_long) {
        None => Ok(()),
        Some(n) => {
            let (path, _) = &writes[n % writes.len()];
            Err(Fault::too_large(
                Limit::FieldBytes,
                format!("writes more than {} bytes to \"{path}\"", limits.field_bytes),
            ))
        }
    }
}

/// Checks an alerter's alerts about `events`.
///
/// # Errors
/// A fault that says what is not in order.
pub(crate) fn alerts(
    answer: abi::Evaluation,
    events: &[u32],
    batch: &Batch,
    plugin: &Arc<PluginRef>,
    limits: &Limits,
) -> Result<Vec<Alert>, Fault> {
    let mut alerts = Vec::with_capacity(answer.alerts.len().min(events.len()));
    let mut ids = HashSet::new();
    let (mut last, mut of_event) = (0, 0);
    for alert in answer.alerts {
        if alert.event < last || alert.event as usize >= events.len() {
            return Err(Fault::bad_answer(format!(
                "has an alert about event {} of a batch of {}, which is none or out of order",
                alert.event,
                events.len()
            )));
        }
        of_event = if alert.event == last { of_event + 1 } else { 1 };
        last = alert.event;
        if of_event > limits.alerts_per_event {
            let text = format!("raises more than {} alerts about one event", limits.alerts_per_event);
            return Err(Fault::too_large(Limit::AlertsPerEvent, text));
        }
        let alert = one_alert(alert, events, batch, plugin, limits)?;
        if !ids.insert(alert.id) {
            return Err(Fault::bad_answer(format!(
                "raises the alert \"{}\" with the key \"{}\" twice about one event",
                alert.rule, alert.key
            )));
        }
        alerts.push(alert);
    }
    Ok(alerts)
}

fn one_alert(
    alert: abi::Alert,
    events: &[u32],
    batch: &Batch,
    plugin: &Arc<PluginRef>,
    limits: &Limits,
) -> Result<Alert, Fault> {
    let event = events[alert.event as usize];
    if alert.labels.len() > limits.labels_per_alert {
        let text = format!("puts more than {} labels on an alert", limits.labels_per_alert);
        return Err(Fault::too_large(Limit::LabelsPerAlert, text));
    }
    let rule = text("rule", alert.rule, limits)?;
    let key = text("key", alert.key, limits)?;
    if rule.is_empty() {
        return Err(Fault::bad_answer("raises an alert without a rule"));
    }
    let mut labels = Vec::with_capacity(alert.labels.len());
    for label in alert.labels {
        labels.push((text("label", label.name, limits)?, text("label", label.value, limits)?));
    }
    let offset = batch.raw.records()[event as usize].offset;
    Ok(Alert {
        id: AlertId::new(&rule, &key, batch.raw.partition(), offset),
        event,
        time_ns: batch.times[event as usize],
        rule,
        key,
        severity: match alert.severity {
            abi::Severity::Info => Severity::Info,
            abi::Severity::Warning => Severity::Warning,
            abi::Severity::Error => Severity::Error,
            abi::Severity::Critical => Severity::Critical,
        },
        summary: text("summary", alert.summary, limits)?,
        labels,
        plugin: plugin.clone(),
    })
}

/// A text of an alert: of bounded length, and without control characters, which some sinks cannot store.
fn text(what: &str, text: String, limits: &Limits) -> Result<String, Fault> {
    if text.len() > limits.field_bytes {
        let text = format!("gives an alert's {what} more than {} bytes", limits.field_bytes);
        return Err(Fault::too_large(Limit::FieldBytes, text));
    }
    if text.chars().any(char::is_control) {
        return Ok(text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect());
    }
    Ok(text)
}
