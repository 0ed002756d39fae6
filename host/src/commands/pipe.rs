//! `wasmill plugin pipe`: one plugin in the production engine, driven over a pipe. The SDK's harness speaks it.
//!
//! The first line out is `{"loaded":{"name","version","digest","kinds","configured_per_instance"}}` or `{"error":"..."}`. Then each line
//! in is a batch, `{"events":[{"payload"|"payload_base64","timestamp_ms"}]}`, and each line out its outcome:
//! `{"events":[{"outcome":"passed","payload"}|{"outcome":"dropped"}|{"outcome":"rejected","code","reason"}],"alerts":[..],"fuel":n}`,
//! or `{"error":"..."}` when the plugin is broken.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmill_core::{Batch, EventTime, PartitionId, Projection, ProjectionBuilder, RawBatch, Rejection};
use wasmill_engine::{Engine, EngineOptions, Generation, Grant, LaneMemory, Outcome, Plugin, PluginSpec};

use crate::alert_events::alert_events;
use crate::cli::PipeArgs;
use crate::commands::Exit;
use crate::lookups::{Asked, ReverseDns};
use crate::process::EngineWorker;

/// Most bytes of an event's payload, as in a pipeline by default.
const EVENT_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(default)]
    payload: Option<String>,
    #[serde(default)]
    payload_base64: Option<String>,
    #[serde(default)]
    timestamp_ms: i64,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum EventOutcome {
    Passed { payload: String },
    Dropped,
    Rejected { code: String, reason: String },
}

/// Answers batches until standard input ends.
///
/// # Errors
/// When standard input or output fail.
pub fn run(args: &PipeArgs) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let (plugin, names) = match load(args).and_then(|plugin| Ok((plugin, names(args)?))) {
        Ok(loaded) => loaded,
        Err(reason) => {
            writeln!(out, "{}", json!({ "error": reason }))?;
            return Ok(Exit::bad_setup(reason));
        }
    };
    let mut pipe = Pipe::new(plugin, names);
    writeln!(out, "{}", pipe.hello())?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let answer = pipe.answer(&line?).unwrap_or_else(|reason| json!({ "error": reason }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(Exit::success())
}

fn load(args: &PipeArgs) -> Result<Arc<Plugin>, String> {
    let config = serde_json::from_str(&args.config).map_err(|error| format!("--config is no JSON: {error}"))?;
    let limits = serde_json::from_str(&args.limits).map_err(|error| format!("--limits: {error}"))?;
    let bytes = std::fs::read(&args.file).map_err(|error| format!("cannot read {}: {error}", args.file.display()))?;
    let mut options = EngineOptions::new().map_err(|error| error.to_string())?;
    options.instances = 4;
    let engine = Engine::new(options).map_err(|error| error.to_string())?;
    let names = args.reverse_dns.iter().map(|_| Grant::ReverseDns);
    let spec = PluginSpec {
        file: args.file.clone(),
        bytes: bytes.into(),
        config,
        limits,
        instance: Default::default(),
        // State of its own in memory does no harm.
        grants: names.chain([Grant::State]).collect(),
        state: Default::default(),
        on_open: Default::default(),
    };
    engine.load(&spec).map_err(|error| error.to_string())
}

/// The answers of reverse DNS.
fn names(args: &PipeArgs) -> Result<ReverseDns, String> {
    let table = args.reverse_dns.as_deref().unwrap_or("{}");
    let table: HashMap<IpAddr, Option<Arc<str>>> =
        serde_json::from_str(table).map_err(|error| format!("--reverse-dns: {error}"))?;
    Ok(ReverseDns::of_table(table))
}

struct Pipe {
    plugin: Arc<Plugin>,
    generation: Generation,
    projection: Arc<Projection>,
    partition: Arc<PartitionId>,
    worker: EngineWorker,
    names: ReverseDns,
    memory: LaneMemory,
    next_offset: i64,
}

impl Pipe {
    fn new(plugin: Arc<Plugin>, names: ReverseDns) -> Self {
        let mut projection = ProjectionBuilder::new(EventTime::Record, EVENT_BYTES_MAX);
        let generation = Generation::new(vec![Arc::clone(&plugin)], &mut projection);
        let partition = PartitionId {
            source: "stdin".to_owned(),
            cluster: String::new(),
            topic: "harness".to_owned(),
            topic_id: String::new(),
            partition: 0,
        };
        Self {
            plugin,
            generation,
            projection: projection.build(),
            partition: Arc::new(partition),
            worker: EngineWorker::default(),
            names,
            memory: LaneMemory::new(),
            next_offset: 0,
        }
    }

    fn hello(&self) -> Value {
        let reference = self.plugin.reference();
        json!({ "loaded": {
            "name": reference.name,
            "version": reference.version,
            "digest": reference.digest,
            "configured_per_instance": self.plugin.configured_per_instance(),
        }})
    }

    fn answer(&mut self, line: &str) -> Result<Value, String> {
        let request: Request = serde_json::from_str(line).map_err(|error| format!("the request is wrong: {error}"))?;
        let raw = self.raw_batch(&request)?;
        let count = raw.len();
        self.next_offset = raw.next_offset();
        let (mut batch, unreadable) = self.projection.extract(raw);
        let columns = &self.projection.lookups();
        let asked = Asked { columns, service: &self.names, answers: None, records: false };
        self.worker.memo.fill(&mut batch, asked);
        let ran = self.generation.run(&mut batch, &mut self.memory, &mut self.worker.plugins);
        let outcome = ran.map_err(|broken| broken.to_string())?;
        let alerts = alert_events(&outcome.alerts, &batch.raw);
        let alerts: Vec<Value> =
            (0..alerts.len()).filter_map(|n| serde_json::from_slice(alerts.payload(n)?).ok()).collect();
        let fuel: u64 = outcome.costs.iter().map(|cost| cost.fuel).sum();
        let events = outcomes(&batch, count, unreadable, outcome);
        Ok(json!({ "events": events, "alerts": alerts, "fuel": fuel }))
    }

    fn raw_batch(&self, request: &Request) -> Result<RawBatch, String> {
        let mut raw = RawBatch::new(Arc::clone(&self.partition), self.next_offset);
        for (n, event) in request.events.iter().enumerate() {
            let decoded = event.payload_base64.as_deref().map(|text| STANDARD.decode(text)).transpose();
            let decoded = decoded.map_err(|error| format!("event {n}: payload_base64: {error}"))?;
            let payload = event.payload.as_deref().map(str::as_bytes).or(decoded.as_deref());
            let timestamp_ns = event.timestamp_ms.saturating_mul(1_000_000);
            raw.push(self.next_offset + n as i64, timestamp_ns, None, payload, []);
        }
        Ok(raw)
    }
}

fn outcomes(batch: &Batch, count: usize, unreadable: Vec<Rejection>, outcome: Outcome) -> Vec<EventOutcome> {
    let mut outcomes: Vec<EventOutcome> = (0..count).map(|_| EventOutcome::Dropped).collect();
    for event in &batch.live {
        let payload = String::from_utf8_lossy(&batch.payload(*event)).into_owned();
        outcomes[*event as usize] = EventOutcome::Passed { payload };
    }
    for rejection in unreadable.into_iter().chain(outcome.rejections) {
        let Rejection { event, code, reason, .. } = rejection;
        outcomes[event as usize] = EventOutcome::Rejected { code: code.into_owned(), reason };
    }
    outcomes
}
