//! Alerts as events: what a sink with `from: alerts` gets.
//!
//! An alert becomes a JSON object, so that such sinks name its parts by path like those of any event:
//! `{"id","rule","key","severity","summary","labels":{..},"at","origin":{"source","topic","partition","offset"},
//! "plugin":{"name","version","digest"}}`. Its record has the alert's key, the event's offset and the event's time.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use wasmill_core::{Alert, PartitionId, RawBatch, Severity};
use wasmill_expr::time::format_rfc3339;

#[derive(Serialize)]
struct AlertEvent<'a> {
    id: String,
    rule: &'a str,
    key: &'a str,
    severity: Severity,
    summary: &'a str,
    labels: Map<String, Value>,
    at: String,
    origin: Origin<'a>,
    plugin: Plugin<'a>,
}

#[derive(Serialize)]
struct Origin<'a> {
    source: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
}

#[derive(Serialize)]
struct Plugin<'a> {
    name: &'a str,
    version: &'a str,
    digest: String,
}

/// The alerts of a batch as a batch over the same offsets. Several alerts of one event share its offset.
pub fn alert_events(alerts: &[Alert], events: &RawBatch) -> RawBatch {
    let mut batch = RawBatch::new(Arc::clone(events.partition()), events.first_offset());
    for alert in alerts {
        let offset = events.records()[alert.event as usize].offset;
        let payload = serde_json::to_vec(&AlertEvent::new(alert, events.partition(), offset));
        let payload = payload.expect("maps with string keys always serialize");
        batch.push(offset, alert.time_ns, Some(alert.key.as_bytes()), Some(&payload), []);
    }
    batch.advance_to(events.next_offset());
    batch
}

impl<'a> AlertEvent<'a> {
    fn new(alert: &'a Alert, partition: &'a PartitionId, offset: i64) -> Self {
        Self {
            id: alert.id.to_string(),
            rule: &alert.rule,
            key: &alert.key,
            severity: alert.severity,
            summary: &alert.summary,
            labels: alert.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
            at: format_rfc3339(alert.time_ns).to_string(),
            origin: Origin {
                source: &partition.source,
                topic: &partition.topic,
                partition: partition.partition,
                offset,
            },
            plugin: Plugin {
                name: &alert.plugin.name,
                version: &alert.plugin.version,
                digest: alert.plugin.digest.to_string(),
            },
        }
    }
}
