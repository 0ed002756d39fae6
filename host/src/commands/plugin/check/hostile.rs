//! Hostile events, each alone: the plugin may refuse them, but not fail on them.

use super::{Check, Trial};
use crate::solo::Given;
use crate::torture::{self, Hostile};

/// So many events that it fails on are told.
const TOLD_MAX: usize = 3;

/// The check, and the hostile events that come to the plugin and that it bears.
pub(super) fn check(trial: &Trial) -> (Check, Vec<Hostile>) {
    let events = match trial.samples.first().and_then(|sample| serde_json::from_slice(sample).ok()) {
        Some(sample) => torture::events_like(trial.plugin.reads(), &sample),
        None => torture::events(trial.plugin.reads()),
    };
    let mut failures: Vec<(String, String)> = Vec::new();
    let mut borne = Vec::new();
    let tried = events.len();
    for event in events {
        // A lane of its own: what it failed on before is not to count.
        let given = Given { payload: event.payload.as_deref(), timestamp_ns: event.timestamp_ns };
        match trial.lane().run(&[given]) {
            Ok(ran) if ran.cost.faults.total() == 0 => {
                if event.code.is_none() {
                    borne.push(event);
                }
            }
            Ok(ran) => failures.push((event.what, ran.events.first().map(super::fate).unwrap_or_default())),
            Err(broken) => failures.push((event.what, broken.to_string())),
        }
    }
    (told(&failures, tried), borne)
}

fn told(failures: &[(String, String)], tried: usize) -> Check {
    if failures.is_empty() {
        return Check::passed("hostile", format!("it fails on none of {tried} hostile events"));
    }
    // Those of one cause are told once.
    let mut told: Vec<&(String, String)> = Vec::new();
    for failure in failures {
        if told.len() < TOLD_MAX && !told.iter().any(|(_, fate)| *fate == failure.1) {
            told.push(failure);
        }
    }
    let told: Vec<String> = told.iter().map(|(what, fate)| format!("on {what}: {fate}")).collect();
    let says = format!("it fails on {} of {tried} hostile events: {}", failures.len(), told.join("; "));
    Check::failed("hostile", says)
}
