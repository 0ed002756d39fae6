//! The shipped plugins' calls inside the engine, fuel on, a fresh instance per batch of 2 000 events, against the same functions
//! run natively over the same columns; and a small validator of the SDK against one that is written by hand.

use std::hint::black_box;

use serde_json::{Value, json};
use wasmill_core::{Batch, EventTime, ProjectionBuilder};
use wasmill_engine::{Generation, LaneMemory, PluginSpec, Worker};
use wasmill_sdk::{Event, Loaded};
use wasmill_tests::events::bench_event;
use wasmill_tests::pipeline::Pipeline;

use super::load::{built, engine, spec};
use super::measure::{Measurement, cpu_ns_per_event};
use super::project::raw_batch;

const EVENTS: usize = 2_000;
const ROUNDS: usize = 41;

/// The settings of `validate-event` in every benchmark.
pub(crate) fn validate_config() -> Value {
    json!({ "fields": {
        "id": { "required": true, "max_bytes": 64 },
        "timestamp": { "required": true, "timestamp": { "format": "rfc3339", "earliest_year": 2000 } },
        "severity": { "required": true, "one_of": ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"] },
        "message": { "required": true, "max_chars": 8192, "control_characters": "reject" },
    }})
}

fn enrich_config() -> Value {
    json!({
        "env": "prod",
        "lookup": {
            "field": "service",
            "table": { "checkout-1": { "team": "money" }, "checkout-2": { "team": "core" } },
            "default": { "team": "platform" },
        },
    })
}

fn alert_config() -> Value {
    json!({ "rules": [
        { "name": "critical", "when": "severity == \"CRITICAL\"", "severity": "critical", "key": "service", "summary": "{message}" },
        { "name": "slow-failure", "when": "status >= 500 && latency_ms > 898.0", "severity": "error", "key": "host",
          "summary": "{service} answered {status} after {latency_ms} ms" },
    ]})
}

/// Every event counts, each under a key of its own.
fn rate_config() -> Value {
    json!({ "rules": [
        { "name": "rate", "when": "status > 0", "severity": "error", "key": "user", "rate": { "more_than": 1000, "within": "1m" },
          "summary": "{$count}" },
    ]})
}

/// The three shipped plugins, in order, with their settings.
pub(crate) fn shipped() -> [(&'static str, Value); 3] {
    [("validate-event", validate_config()), ("enrich-env", enrich_config()), ("alert-rules", alert_config())]
}

/// Adds the three shipped plugins as the benchmarks configure them.
pub(crate) fn with_shipped_plugins(pipeline: Pipeline) -> Pipeline {
    shipped().into_iter().zip(1..).fold(pipeline, |pipeline, ((name, config), n)| {
        pipeline.plugin(10 * n, name, &json!({ "config": config }).to_string())
    })
}

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let events: Vec<String> = (0..EVENTS as u64).map(bench_event).collect();
    let events: Vec<Event<'_>> = events.iter().map(Into::into).collect();
    let failed = |reason: String| anyhow::anyhow!(reason);

    let config = validate_config();
    let loaded = Loaded::<validate_event::validate_event>::configure(&config.to_string()).map_err(failed)?;
    let batch = loaded.batch(&events);
    let validate = measure("boundary.validate", "validate-event", config, || {
        black_box(loaded.validate(&batch));
    })?;

    let config = enrich_config();
    let loaded = Loaded::<enrich_env::enrich_env>::configure(&config.to_string()).map_err(failed)?;
    let batch = loaded.batch(&events);
    let enrich = measure("boundary.enrich", "enrich-env", config, || {
        black_box(loaded.enrich(&batch));
    })?;

    let config = alert_config();
    let loaded = Loaded::<alert_rules::raise_alerts>::configure(&config.to_string()).map_err(failed)?;
    let batch = loaded.batch(&events);
    let alert = measure("boundary.alert", "alert-rules", config, || {
        black_box(loaded.evaluate(&batch));
    })?;

    let config = rate_config();
    let loaded = Loaded::<alert_rules::raise_alerts>::configure(&config.to_string()).map_err(failed)?;
    let batch = loaded.batch(&events);
    let rate = measure("boundary.rate", "alert-rules", config, || {
        black_box(loaded.evaluate(&batch));
    })?;
    Ok(vec![validate, enrich, alert, rate, sdk()?])
}

/// A validator of the SDK; the control does the same over bare bindings.
fn sdk() -> anyhow::Result<Measurement> {
    let mut ours = InEngine::new(&built("guests", "severities", json!({}))?)?;
    let mut bare = InEngine::new(&built("guests", "severities-bare", json!({}))?)?;
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (ours.round(), bare.round())).collect();
    Ok(Measurement::new("boundary.sdk", "ns/event", &rounds))
}

fn measure(name: &str, plugin: &str, config: Value, native: impl Fn()) -> anyhow::Result<Measurement> {
    let mut loaded = InEngine::new(&spec(plugin, config)?)?;
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (loaded.round(), cpu_ns_per_event(EVENTS, &native))).collect();
    Ok(Measurement::new(name, "ns/event", &rounds))
}

/// A plugin in the engine, and the batch that it is given again and again.
struct InEngine {
    generation: Generation,
    batch: Batch,
    worker: Worker,
    memory: LaneMemory,
}

impl InEngine {
    fn new(spec: &PluginSpec) -> anyhow::Result<Self> {
        let loaded = engine(None)?.load(spec)?;
        let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        let generation = Generation::new(vec![loaded], &mut builder);
        let (batch, _) = builder.build().extract(raw_batch(EVENTS));
        Ok(Self { generation, batch, worker: Worker::new(), memory: LaneMemory::new() })
    }

    /// The processor's time for an event, in nanoseconds.
    fn round(&mut self) -> f64 {
        let mut copy = self.batch.clone();
        cpu_ns_per_event(EVENTS, || {
            black_box(self.generation.run(&mut copy, &mut self.memory, &mut self.worker).ok());
        })
    }
}
