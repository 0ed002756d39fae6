//! The three kinds: decent answers about decent events, and every malformed answer on demand.

use std::collections::HashMap;

use crate::bindings::exports::wasmill::plugin::{alerter, enricher, validator};
use crate::bindings::wasmill::plugin::types::{
    Alert, Batch, Columns, Evaluation, Label, Rejection, Severity, Verdicts,
};
use crate::deeds::misdeed;
use crate::{MEMORY, Rogue};

/// One event as this guest sees it.
struct Event<'a> {
    index: u32,
    deed: &'a str,
    argument: &'a str,
    n: Option<i64>,
}

const PRESENT: u64 = 2;

/// The events of a batch, each after its misdeed for `kind`.
fn events<'a>(batch: &'a Batch, kind: &str) -> Vec<Event<'a>> {
    let events: Vec<Event<'_>> = (0..batch.events).map(|index| event(batch, index, kind)).collect();
    events.iter().for_each(|event| misdeed(event.deed, event.argument));
    events
}

fn event<'a>(batch: &'a Batch, index: u32, kind: &str) -> Event<'a> {
    let first = (index * batch.fields) as usize;
    let present = |slot: usize| {
        let word = batch.states.get(slot / 32);
        word.is_none_or(|word| word >> (slot % 32 * 2) & 3 == PRESENT)
    };
    let text = if present(first) {
        let (start, len) = (batch.slots[first] >> 32, batch.slots[first] & 0xffff_ffff);
        std::str::from_utf8(&batch.text[start as usize..(start + len) as usize]).expect("the host sends UTF-8")
    } else {
        ""
    };
    let order = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')).unwrap_or("");
    let (deed, argument) = order.split_once(':').unwrap_or((order, ""));
    Event { index, deed, argument, n: present(first + 1).then(|| batch.slots[first + 1] as i64) }
}

impl validator::Guest for Rogue {
    fn validate(batch: Batch) -> Verdicts {
        let mut verdicts = Verdicts { actions: vec![0; batch.events as usize], rejections: Vec::new() };
        for event in events(&batch, "v") {
            let index = event.index as usize;
            let rejection =
                |code: &str, reason: &str| Rejection { event: event.index, code: code.into(), reason: reason.into() };
            match event.deed {
                "reject" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(rejection("refused", event.argument));
                }
                "reject_code" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(rejection(event.argument, ""));
                }
                "reject_long" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(rejection("refused", &"r".repeat(event.argument.parse().unwrap_or(0))));
                }
                "drop" => verdicts.actions[index] = 1,
                "action" => verdicts.actions[index] = event.argument.parse().unwrap_or(9),
                "few_actions" => drop(verdicts.actions.pop()),
                "many_actions" => verdicts.actions.push(0),
                "entry_without_action" => verdicts.rejections.push(rejection("refused", "")),
                "entry_twice" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.extend([rejection("refused", ""), rejection("refused", "")]);
                }
                "entry_far" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(Rejection { event: u32::MAX, ..rejection("refused", "") });
                }
                "remembers" => {
                    let memory = MEMORY.get().expect("configure was called");
                    assert!(memory.iter().all(|byte| *byte == 7));
                    // The same random keys everywhere, or the order would differ.
                    let order: HashMap<u32, ()> = (0..9).map(|n| (n, ())).collect();
                    verdicts.actions[index] = 2;
                    let order: Vec<String> = order.keys().map(u32::to_string).collect();
                    verdicts.rejections.push(rejection("remembered", &order.join(" ")));
                }
                _ => {}
            }
        }
        verdicts
    }
}

impl enricher::Guest for Rogue {
    fn enrich(batch: Batch) -> Columns {
        let mut columns = Columns { text: Vec::new(), slots: Vec::new(), states: Vec::new() };
        let mut states = Vec::new();
        for event in events(&batch, "e") {
            let text = match event.deed {
                "long" => "t".repeat(event.argument.parse().unwrap_or(0)),
                deed => format!("saw {deed}"),
            };
            let start = columns.text.len() as u64;
            columns.text.extend_from_slice(text.as_bytes());
            let mut slot = start << 32 | text.len() as u64;
            match event.deed {
                "far_slot" => slot = u64::MAX,
                "bad_utf8" => columns.text[start as usize] = 0xff,
                _ => {}
            }
            columns.slots.extend([slot, event.n.unwrap_or(0).wrapping_mul(2) as u64]);
            states.extend([
                if event.deed == "state3" { 3 } else { PRESENT },
                if event.n.is_some() { PRESENT } else { 0 },
            ]);
            if event.deed == "many_slots" {
                columns.slots.push(0);
            }
            if event.deed == "few_slots" {
                columns.slots.pop();
            }
        }
        for (n, state) in states.iter().enumerate() {
            if n % 32 == 0 {
                columns.states.push(0);
            }
            columns.states[n / 32] |= state << (n % 32 * 2);
        }
        columns
    }
}

impl alerter::Guest for Rogue {
    fn evaluate(batch: Batch) -> Evaluation {
        let mut alerts = Vec::new();
        for event in events(&batch, "a") {
            let times = event.argument.parse::<usize>().unwrap_or(1);
            let alert = |rule: &str, key: String| Alert {
                event: event.index,
                rule: rule.into(),
                key,
                severity: Severity::Warning,
                summary: format!("n is {:?}", event.n),
                labels: vec![Label { name: "deed".into(), value: event.deed.into() }],
            };
            match event.deed {
                "many" => alerts.extend((0..times).map(|n| alert("many", n.to_string()))),
                "twice" => alerts.extend([alert("twice", "k".into()), alert("twice", "k".into())]),
                "far" => alerts.push(Alert { event: u32::MAX, ..alert("far", "k".into()) }),
                "backwards" => {
                    alerts.push(alert("backwards", "k".into()));
                    alerts.push(Alert { event: event.index.wrapping_sub(1), ..alert("backwards", "j".into()) });
                }
                "labels" => {
                    let label = |n: usize| Label { name: n.to_string(), value: "\0".into() };
                    alerts.push(Alert { labels: (0..times).map(label).collect(), ..alert("labels", "k".into()) });
                }
                "long_key" => alerts.push(alert("long", "k".repeat(times))),
                "no_rule" => alerts.push(alert("", "k".into())),
                _ if event.n.is_some_and(|n| n % 7 == 0) => {
                    alerts.push(alert("seven", event.n.unwrap_or(0).to_string()))
                }
                _ => {}
            }
        }
        Evaluation { alerts }
    }
}
