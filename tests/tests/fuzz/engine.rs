//! A plugin in the engine, and what holds of whatever it answers.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use wasmill_core::{Batch, EventTime, PartitionId, ProjectionBuilder, RawBatch};
use wasmill_engine::{
    Compiler, Engine, EngineOptions, Generation, Grant, LaneMemory, Limits, Outcome, Plugin, PluginSpec, Worker,
};
use wasmill_tests::pipeline::built;

/// Limits that short inputs can pass.
pub(crate) fn limits() -> Limits {
    Limits {
        fuel_per_event: 2_000_000,
        field_bytes: 60,
        reason_bytes: 40,
        alerts_per_event: 3,
        labels_per_alert: 2,
        state_key_bytes: 20,
        state_value_bytes: 40,
        ..Limits::default()
    }
}

pub(crate) fn load(guest: &str, config: Value) -> Arc<Plugin> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let options = EngineOptions::new().unwrap();
        Engine::new(EngineOptions { compiler: Compiler::InProcess, instances: 32, ..options }).unwrap()
    });
    let file = built(guest);
    let spec = PluginSpec {
        bytes: std::fs::read(&file).unwrap().into(),
        file,
        config,
        limits: limits(),
        instance: Default::default(),
        grants: vec![Grant::State],
        state: Default::default(),
        on_open: Default::default(),
    };
    engine.load(&spec).unwrap()
}

/// Runs one batch in a lane that has seen nothing, twice; gives what came of each event in short.
pub(crate) fn run(plugin: &Arc<Plugin>, payloads: &[Value]) -> String {
    let (batch, outcome) = once(plugin, payloads);
    let (batch_again, again) = once(plugin, payloads);
    let live = |batch: &Batch| batch.live.iter().map(|event| batch.payload(*event).into_owned()).collect::<Vec<_>>();
    assert_eq!(live(&batch), live(&batch_again), "the same batch ends otherwise the second time");
    assert_eq!(
        (&outcome.rejections, &outcome.dropped, &outcome.alerts),
        (&again.rejections, &again.dropped, &again.alerts)
    );
    let rejections = outcome.rejections.iter().map(|one| format!("{} {}", one.code, one.reason));
    let alerts = outcome.alerts.iter().map(|alert| format!("alert of {} labels", "+".repeat(alert.labels.len())));
    let rows = outcome.state.iter().flat_map(|delta| delta.rows.iter()).map(|row| match row.value {
        Some(_) => "stored".to_owned(),
        None => "removed".to_owned(),
    });
    let written = live(&batch).into_iter().map(|payload| shape(&serde_json::from_slice(&payload).unwrap()));
    rejections.chain(alerts).chain(rows).chain(written).collect::<Vec<_>>().join(", ")
}

/// Which fields were written, with their types.
fn shape(payload: &Value) -> String {
    let Some(written) = payload["out"].as_object() else { return "as it was".into() };
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    written.iter().map(|(name, value)| format!("{name} {}", kind(value))).collect::<Vec<_>>().join(" ")
}

fn once(plugin: &Arc<Plugin>, payloads: &[Value]) -> (Batch, Outcome) {
    let partition = PartitionId {
        source: "stdin".into(),
        cluster: String::new(),
        topic: "fuzz".into(),
        topic_id: String::new(),
        partition: 0,
    };
    let mut raw = RawBatch::new(Arc::new(partition), 0);
    for (offset, payload) in (0..).zip(payloads) {
        raw.push(offset, offset * 1_000_000_000, None, Some(payload.to_string().as_bytes()), []);
    }
    let mut projection = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    let generation = Generation::new(vec![Arc::clone(plugin)], &mut projection);
    let (mut batch, rejections) = projection.build().extract(raw);
    assert_eq!(rejections, []);
    let outcome = generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new()).unwrap();
    check(&batch, &outcome, payloads.len() as u32);
    (batch, outcome)
}

/// Every event has one fate; what leaves the engine is bounded, JSON where it must be, and commands no terminal.
fn check(batch: &Batch, outcome: &Outcome, events: u32) {
    let rejected = outcome.rejections.iter().map(|rejection| rejection.event);
    let mut fates: Vec<u32> = batch.live.iter().chain(&outcome.dropped).copied().chain(rejected).collect();
    fates.sort_unstable();
    assert_eq!(fates, (0..events).collect::<Vec<_>>());
    for event in &batch.live {
        let payload: Value = serde_json::from_slice(&batch.payload(*event)).unwrap();
        assert!(payload.is_object());
    }
    let limits = limits();
    for rejection in &outcome.rejections {
        assert!(is_clean(&rejection.reason) && rejection.code.len() <= 64, "{rejection:?}");
        // What the host says about a fault is bounded apart from what a validator says.
        assert!(rejection.reason.len() <= 1100, "{rejection:?}");
    }
    for alert in &outcome.alerts {
        assert!(batch.live.contains(&alert.event) && alert.labels.len() <= limits.labels_per_alert);
        let labels = alert.labels.iter().flat_map(|(name, value)| [name, value]);
        for text in [&alert.rule, &alert.key, &alert.summary].into_iter().chain(labels) {
            // A control character becomes one of three bytes.
            assert!(is_clean(text) && text.len() <= 3 * limits.field_bytes, "{alert:?}");
        }
    }
    for row in outcome.state.iter().flat_map(|delta| delta.rows.iter()) {
        assert!(row.key.len() <= limits.state_key_bytes);
        assert!(row.value.is_none_or(|value| value.len() <= limits.state_value_bytes));
    }
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// A file in a folder of its own, for what is read from files.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
