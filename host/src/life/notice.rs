//! What is sent of an alert's life: the alert as JSON, with `"life":{"state","alert","count","first_at","last_at"}` in it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use wasmill_core::{PartitionId, RawBatch};

use super::book::Entry;

/// An alert as a plugin raised it.
#[derive(Clone, Debug)]
pub struct RaisedAlert<'a> {
    /// Its partition.
    pub partition: &'a Arc<PartitionId>,
    /// The event's offset.
    pub offset: i64,
    /// The event's time, nanoseconds since 1970.
    pub time_ns: i64,
    /// The alert as JSON: see [`crate::alert_events`].
    pub json: &'a [u8],
}

impl RaisedAlert<'_> {
    /// Its members.
    pub(super) fn members(&self) -> Map<String, Value> {
        serde_json::from_slice(self.json).unwrap_or_default()
    }
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Notice {
    partition: Arc<PartitionId>,
    offset: i64,
    time_ns: i64,
    key: String,
    json: Vec<u8>,
}

impl Notice {
    /// Of an alert in this state. What resolves it has an id of its own, the same whenever it is said.
    pub(super) fn of(entry: &Entry, state: &str) -> Self {
        let mut members: Map<String, Value> = serde_json::from_slice(&entry.json).unwrap_or_default();
        let id = members["id"].as_str().unwrap_or_default().to_owned();
        let own = match state {
            "firing" => id.clone(),
            // By their count: each is another one.
            "repeated" => format!("{id}-{}", entry.count),
            _ => format!("{id}-resolved"),
        };
        let life = json!({
            "state": state, "alert": id, "count": entry.count, "first_at": entry.first_at(), "last_at": entry.last_at,
        });
        let key = members["key"].as_str().unwrap_or_default().to_owned();
        members.insert("id".to_owned(), Value::from(own));
        members.insert("life".to_owned(), life);
        Self {
            partition: Arc::clone(&entry.partition),
            offset: entry.offset,
            time_ns: entry.time_ns,
            key,
            json: Value::Object(members).to_string().into_bytes(),
        }
    }

    pub(super) fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// As a batch of its own, for the sink's encoder.
    pub(super) fn as_batch(&self) -> RawBatch {
        let mut batch = RawBatch::new(Arc::clone(&self.partition), self.offset);
        batch.push(self.offset, self.time_ns, Some(self.key.as_bytes()), Some(&self.json), []);
        batch
    }
}
