//! Answers as they go over the pipe.

use serde_json::{Map, Value, json};
use wasmill_core::{Batch, Rejection};
use wasmill_engine::{Outcome, Plugin};

use super::home::Row;
use crate::alert_events::alert_events;
use crate::dead_letters::insert_bytes;
use crate::lookups::LookedUp;
use crate::torture::Hostile;

/// The version of what is spoken. A harness of another one says so, and does not guess.
const PROTOCOL: u32 = 2;

/// A plugin that was loaded.
pub(super) fn loaded(plugin: &Plugin) -> Value {
    let reference = plugin.reference();
    let reads = plugin.reads().iter().map(|field| {
        let path = field.path.as_ref().map(ToString::to_string);
        json!({ "path": path, "kind": field.kind, "required": field.required, "lookup": field.lookup })
    });
    let writes = plugin.writes().iter().map(|(path, kind)| json!({ "path": path.to_string(), "kind": kind }));
    json!({ "loaded": {
        "protocol": PROTOCOL,
        "name": reference.name,
        "version": reference.version,
        "digest": reference.digest,
        "kinds": plugin.kinds().to_string(),
        "configured_per_instance": plugin.configured_per_instance(),
        "reads": reads.collect::<Vec<_>>(),
        "writes": writes.collect::<Vec<_>>(),
        "state": plugin.state().map(|state| state.version),
        "limits": plugin.limits(),
    }})
}

/// What became of a batch of `count` events.
pub(super) fn ran(batch: &Batch, unreadable: Vec<Rejection>, outcome: Outcome, looked_up: &LookedUp) -> Value {
    let alerts = alert_events(&outcome.alerts, &batch.raw);
    let alerts = (0..alerts.len()).filter_map(|n| serde_json::from_slice::<Value>(alerts.payload(n)?).ok());
    let alerts: Vec<Value> = alerts.collect();
    let log = outcome.log.iter().map(|line| {
        let level = line.level.as_str().to_lowercase();
        json!({ "level": level, "text": line.text })
    });
    let log: Vec<Value> = log.collect();
    json!({
        "alerts": alerts,
        "log": log,
        "looked_up": looked_up,
        "fuel": outcome.costs.iter().map(|cost| cost.fuel).sum::<u64>(),
        "calls": outcome.costs.iter().map(|cost| cost.calls).sum::<u64>(),
        "memory_bytes": outcome.costs.iter().map(|cost| cost.memory_bytes).max(),
        "first_offset": batch.raw.first_offset(),
        "events": events(batch, unreadable.into_iter().chain(outcome.rejections)),
    })
}

fn events(batch: &Batch, rejections: impl Iterator<Item = Rejection>) -> Vec<Value> {
    let mut events = vec![json!({ "outcome": "dropped" }); batch.raw.len()];
    for event in &batch.live {
        let payload = String::from_utf8_lossy(&batch.payload(*event)).into_owned();
        events[*event as usize] = json!({ "outcome": "passed", "payload": payload });
    }
    for Rejection { event, stage, code, reason, .. } in rejections {
        events[event as usize] = json!({ "outcome": "rejected", "stage": stage, "code": code, "reason": reason });
    }
    events
}

/// All of a state.
pub(super) fn state<'a>(now: Option<i64>, rows: impl Iterator<Item = (&'a Vec<u8>, &'a Row)>) -> Value {
    let row = |(key, row): (&Vec<u8>, &Row)| {
        let mut object = Map::new();
        insert_bytes(&mut object, "key", Some(key));
        insert_bytes(&mut object, "value", Some(&row.value));
        object.insert("expires_ns".to_owned(), row.expires.into());
        object.insert("wake_ns".to_owned(), row.wake.into());
        object
    };
    json!({ "state": rows.map(row).collect::<Vec<_>>(), "now_ns": now })
}

/// Hostile events.
pub(super) fn torture(events: Vec<Hostile>) -> Value {
    let event = |event: Hostile| {
        let mut object = Map::new();
        insert_bytes(&mut object, "payload", event.payload.as_deref());
        object.insert("what".to_owned(), event.what.into());
        object.insert("time_ns".to_owned(), event.timestamp_ns.into());
        object.insert("code".to_owned(), event.code.into());
        object
    };
    json!({ "torture": events.into_iter().map(event).collect::<Vec<_>>() })
}

/// There is no more to say.
pub(super) fn done() -> Value {
    json!({ "done": true })
}
