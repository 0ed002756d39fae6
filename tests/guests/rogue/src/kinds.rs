//! The three kinds: decent answers about decent events, and every malformed answer on demand.

use std::collections::HashMap;

use crate::bindings::exports::wasmill::plugin::{alerter, enricher, validator};
use crate::bindings::wasmill::plugin::types::{
    Alert, Batch, Columns, Evaluation, Label, Rejection, Severity, Verdicts,
};
use crate::deeds::misdeed;
use crate::parrot::Tape;
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
                "parrot" => return Tape::of_hex(event.argument).verdicts(),
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
                "entry_of_another" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(Rejection { event: event.index + 1, ..rejection("refused", "") });
                }
                "reject_bad_utf8" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(Rejection { reason: no_text(), ..rejection("refused", "") });
                }
                "addresses" => {
                    verdicts.actions[index] = 2;
                    verdicts.rejections.push(rejection("saw", &addresses()));
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

/// A text that is none.
fn no_text() -> String {
    // SAFETY: there is none; that is the deed. Nothing here reads it as text, it is only handed over.
    unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) }
}

/// Where things are, and what was in memory before.
fn addresses() -> String {
    let (on_stack, on_heap) = (0_u8, Box::new(0_u8));
    let used: Vec<u8> = vec![7; 4096];
    let stale = used.as_ptr();
    drop(used);
    // SAFETY: there is none; the bytes are gone. A linear memory has no page that could fault here.
    let before: u32 = (0..4096).map(|at| u32::from(unsafe { std::ptr::read_volatile(stale.add(at)) })).sum();
    format!("{:p} {:p} {:p} {before}", &raw const on_stack, &raw const *on_heap, addresses as fn() -> String)
}

/// What an enricher writes beside `out.text` and `out.sum`, if the deed says so: `out.ratio`, `out.json` and `out.flag`, each with
/// its state.
fn others(deed: &str, text: &mut Vec<u8>) -> [(u64, u64); 3] {
    let ratio = match deed {
        "nan" => Some(f64::NAN),
        "infinity" => Some(f64::INFINITY),
        "minus_infinity" => Some(f64::NEG_INFINITY),
        "float" => Some(-0.0),
        _ => None,
    };
    let json = match deed {
        "no_json" => Some("{]".to_owned()),
        "two_json" => Some("1 2".to_owned()),
        "deep_json" => Some("[".repeat(5_000) + &"]".repeat(5_000)),
        "json" => Some(r#"{"a":[1,"\u0000"]}"#.to_owned()),
        _ => None,
    };
    let flag = match deed {
        "flag" => Some(1),
        "flag_of_seven" => Some(7),
        _ => None,
    };
    let json = json.map(|json| {
        let start = text.len() as u64;
        text.extend_from_slice(json.as_bytes());
        start << 32 | json.len() as u64
    });
    let slot = |slot: Option<u64>| slot.map_or((0, 0), |slot| (slot, PRESENT));
    [slot(ratio.map(f64::to_bits)), slot(json), slot(flag)]
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
            let mut state = PRESENT;
            match event.deed {
                "far_slot" => slot = u64::MAX,
                "negative_slot" => slot = (-4_i32 as u32 as u64) << 32 | 8,
                "negative_length" => slot = start << 32 | u64::from(-1_i32 as u32),
                "shared_slot" => slot = columns.text.len() as u64,
                "split_character" => {
                    columns.text.extend_from_slice("é".as_bytes());
                    slot = (columns.text.len() as u64 - 1) << 32 | 1;
                }
                "bad_utf8" => columns.text[start as usize] = 0xff,
                "state3" => state = 3,
                _ => {}
            }
            columns.slots.extend([slot, event.n.unwrap_or(0).wrapping_mul(2) as u64]);
            states.extend([state, if event.n.is_some() { PRESENT } else { 0 }]);
            for (slot, state) in others(event.deed, &mut columns.text) {
                columns.slots.push(slot);
                states.push(state);
            }
            match event.deed {
                "parrot" => return Tape::of_hex(event.argument).columns(),
                "many_slots" => columns.slots.push(0),
                "few_slots" => drop(columns.slots.pop()),
                _ => {}
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
                "parrot" => return Tape::of_hex(event.argument).evaluation(),
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
                "controls" => alerts.push(alert("con\ntrols", "k\u{1b}[2J".into())),
                _ if event.n.is_some_and(|n| n % 7 == 0) => {
                    alerts.push(alert("seven", event.n.unwrap_or(0).to_string()))
                }
                _ => {}
            }
        }
        Evaluation { alerts }
    }
}
