//! A trial at the load: a few events of the host's own, far from the stream. A plugin that fails on every one of them would fail on every
//! event, and is refused before it has met one.
//!
//! What it says of the events is thrown away: a validator may reject them all. Nothing is logged of what it logs.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use wasmill_core::{EventTime, Field, FieldKind, PartitionId, Path, ProjectionBuilder, RawBatch};

use crate::error::Reason;
use crate::generation::{Generation, Worker};
use crate::load::Plugin;
use crate::outcome::Broken;
use crate::state::LaneMemory;

/// Most bytes of one of the events: a plugin reads some thousand fields at most.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Runs the plugin on events that have all of its fields, empty ones, and none.
///
/// # Errors
/// When it does not start, or fails on each of them.
pub(crate) fn try_out(plugin: &Arc<Plugin>) -> Result<(), Reason> {
    let mut projection = ProjectionBuilder::new(EventTime::Record, EVENT_BYTES_MAX);
    let generation = Generation::new(vec![Arc::clone(plugin)], &mut projection);
    let (mut batch, _) = projection.build().extract(events(plugin.reads()));
    let mut worker = Worker::of_trial();
    generation.run(&mut batch, &mut LaneMemory::new(), &mut worker).map(drop).map_err(reason)
}

fn reason(broken: Broken) -> Reason {
    match broken {
        Broken::Engine { problem, .. } => Reason::Engine(problem),
        Broken::Start { reason, .. } | Broken::Plugin { reason, .. } => Reason::Smoke(reason),
        stuck @ Broken::Stuck { .. } => Reason::Smoke(stuck.to_string()),
    }
}

fn events(fields: &[Field]) -> RawBatch {
    let partition = PartitionId {
        source: "trial".to_owned(),
        cluster: String::new(),
        topic: "trial".to_owned(),
        topic_id: String::new(),
        partition: 0,
    };
    let mut raw = RawBatch::new(Arc::new(partition), 0);
    let likely = |kind| match kind {
        FieldKind::Text | FieldKind::Raw => json!("trial"),
        FieldKind::Integer => json!(1),
        FieldKind::Float => json!(1.5),
        FieldKind::Boolean => json!(true),
        FieldKind::Json => json!({}),
    };
    let empty = |kind| match kind {
        FieldKind::Text | FieldKind::Raw => json!(""),
        FieldKind::Integer | FieldKind::Float => json!(0),
        FieldKind::Boolean => json!(false),
        FieldKind::Json => Value::Null,
    };
    let none = json!({});
    for (offset, event) in (0..).zip([event(fields, likely), event(fields, empty), none]) {
        raw.push(offset, offset * 1_000_000, None, Some(event.to_string().as_bytes()), []);
    }
    raw
}

/// An event that has all `fields`. Where one is inside of another, the later one stands.
fn event(fields: &[Field], value: impl Fn(FieldKind) -> Value) -> Value {
    let mut event = Value::Object(Map::new());
    for field in fields {
        if let Some(path) = &field.path {
            *place(&mut event, path) = value(field.kind);
        }
    }
    event
}

fn place<'e>(event: &'e mut Value, path: &Path) -> &'e mut Value {
    path.keys().iter().fold(event, |parent, key| {
        if !parent.is_object() {
            *parent = Value::Object(Map::new());
        }
        &mut parent[key.as_str()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_has_all_fields_whatever_their_order() {
        let field = |path: &str, kind| Field { path: path.parse().ok(), kind, required: false, lookup: None };
        let fields = [field("a", FieldKind::Text), field("a.b", FieldKind::Integer), field("c\\.d", FieldKind::Json)];
        let shown = |kind| json!(format!("{kind:?}"));
        assert_eq!(event(&fields, shown), json!({ "a": { "b": "Integer" }, "c.d": "Json" }));
        assert_eq!(events(&fields).len(), 3);
    }
}
