//! Events like those that the plugin will meet: does it read what they have, and do anything about them?

use std::collections::BTreeSet;

use serde_json::Value;
use wasmill_core::{Field, FieldKind, Path};

use super::{Check, Trial, fate, given};
use crate::config::nearest;
use crate::solo::{Fared, Fate};

/// Fields of an event that are looked at for one that was meant.
const PATHS_MAX: usize = 1_000;

pub(super) fn check(trial: &Trial) -> Vec<Check> {
    let events: Vec<Value> = trial.samples.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut checks = vec![fields(trial.plugin.reads(), &events)];
    checks.push(match trial.lane().run(&given(&trial.samples)) {
        Ok(ran) => outcomes(trial, &ran.events),
        Err(broken) => Check::failed("examples", broken.to_string()),
    });
    checks
}

/// Whether the events have the fields that are read.
fn fields(reads: &[Field], events: &[Value]) -> Check {
    let mut doubts = Vec::new();
    for field in reads {
        let Some(path) = &field.path else { continue };
        let values: Vec<&Value> = events.iter().filter_map(|event| at(event, path)).collect();
        let says = match values.first() {
            None => {
                let all = paths(events);
                let meant = nearest(&path.to_string(), all.iter().map(String::as_str));
                let meant = meant.map_or(String::new(), |meant| format!("; did you mean \"{meant}\"?"));
                format!("the field \"{path}\" is in none of the {} events{meant}", events.len())
            }
            Some(first) if !values.iter().any(|value| fits(field, value)) => {
                let kind = if field.lookup.is_some() { FieldKind::Text } else { field.kind };
                format!(
                    "the field \"{path}\" is read as {}, and in all {} events that have it it is {}, such as {first}",
                    a_kind(kind),
                    values.len(),
                    a_type(first)
                )
            }
            Some(_) => continue,
        };
        if field.required || !values.is_empty() {
            return Check::failed("fields", says);
        }
        doubts.push(says);
    }
    match doubts.is_empty() {
        true => Check::passed("fields", "each field that it reads is in some event, with its type"),
        false => Check::doubtful("fields", doubts.join("; ")),
    }
}

fn outcomes(trial: &Trial, events: &[Fared]) -> Check {
    let count = events.len();
    let is_refused = |event: &&Fared| matches!(event.fate, Fate::Rejected { .. });
    let refused = events.iter().filter(is_refused).count();
    if let Some(first) = events.first().filter(|_| refused == count) {
        return Check::failed(
            "examples",
            format!("not one of the {count} events is taken; the first is {}", fate(first)),
        );
    }
    let is_changed = |(event, line): (&Fared, &Vec<u8>)| match &event.fate {
        Fate::Passed(payload) => payload != line,
        Fate::Dropped | Fate::Rejected { .. } => false,
    };
    if trial.plugin.kinds().enricher && !events.iter().zip(&trial.samples).any(is_changed) {
        return Check::doubtful("examples", format!("it changes none of the {count} events"));
    }
    let dropped = events.iter().filter(|event| event.fate == Fate::Dropped).count();
    let alerts: usize = events.iter().map(|event| event.alerts.len()).sum();
    let says = format!("of {count} events {refused} are rejected and {dropped} dropped; {alerts} alerts are raised");
    Check::passed("examples", says)
}

fn at<'v>(event: &'v Value, path: &Path) -> Option<&'v Value> {
    path.keys().iter().try_fold(event, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn fits(field: &Field, value: &Value) -> bool {
    match field.kind {
        FieldKind::Text => value.is_string(),
        FieldKind::Integer => value.is_i64(),
        FieldKind::Float => value.is_number(),
        FieldKind::Boolean => value.is_boolean(),
        FieldKind::Json | FieldKind::Raw => true,
    }
}

fn a_kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Integer => "an integer",
        FieldKind::Float => "a number",
        FieldKind::Boolean => "a boolean",
        FieldKind::Json | FieldKind::Raw => "any value",
    }
}

fn a_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_i64() => "an integer",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The paths of all members, at any depth.
fn paths(events: &[Value]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut open: Vec<(String, &Value)> = events.iter().map(|event| (String::new(), event)).collect();
    while let Some((above, value)) = open.pop() {
        for (key, value) in value.as_object().into_iter().flatten() {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            if paths.len() < PATHS_MAX && paths.insert(path.clone()) || value.is_object() {
                open.push((path, value));
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    fn field(path: &str, kind: FieldKind, required: bool) -> Field {
        Field { path: path.parse().ok(), kind, required, lookup: None }
    }

    #[test]
    fn field_that_no_event_has_is_told_with_the_one_that_was_meant() {
        let events = [json!({ "source": { "address": "::1" }, "n": 1 }), json!({ "n": 2 })];
        let wrong = fields(&[field("source.adress", FieldKind::Text, true)], &events);
        assert_eq!(wrong.state, State::Failed);
        assert_eq!(
            wrong.says,
            "the field \"source.adress\" is in none of the 2 events; did you mean \"source.address\"?"
        );
        let optional = fields(&[field("source.adress", FieldKind::Text, false)], &events);
        assert_eq!(optional.state, State::Doubtful);
    }

    #[test]
    fn field_of_another_type_in_all_events_is_told_and_in_some_it_is_not() {
        let events = [json!({ "n": "7", "m": "x" }), json!({ "n": "8", "m": 1 }), json!({})];
        let wrong = fields(&[field("n", FieldKind::Integer, false)], &events);
        assert_eq!(wrong.state, State::Failed);
        let says = "the field \"n\" is read as an integer, and in all 2 events that have it it is text, such as \"7\"";
        assert_eq!(wrong.says, says);
        assert_eq!(fields(&[field("m", FieldKind::Integer, true)], &events).state, State::Passed);
    }
}
