//! The same events give the same bytes, a thousand times: by fresh and used engines, threads and instances, before and after a swap,
//! cut into other batches, pre-initialised or not. By plugins that ship, and by one that counts in its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use serde_json::{Value, json};
use wasmill_core::{Batch, RawBatch};
use wasmill_engine::{
    Engine, EngineOptions, Generation, InstanceMode, LaneMemory, Limits, Outcome, Plugin, PluginSpec, Worker,
};

use crate::adversaries::crafted::with_another_inside;
use crate::home::{Home, Stored};
use crate::support::{batch_of, component, engine, options, partition, shipped, spec};

const RUNS: u64 = 1_000;
const EVENTS: usize = 120;
const SECOND: i64 = 1_000_000_000;

/// Everything that leaves the engine about one partition: what became of each event, by offset, and the states at the end.
type Bytes = (Vec<(i64, String)>, Vec<(String, Stored)>);

/// Bytes and settings of each plugin, in the order of their files.
fn files() -> Option<[(Arc<[u8]>, Value); 4]> {
    let fields = json!({
        "id": { "required": true, "type": "text", "max_chars": 40 },
        "severity": { "required": true, "one_of": ["DEBUG", "INFO", "ERROR"] },
        "message": { "type": "text", "control_characters": "reject" },
    });
    let rules = json!([
        { "name": "error", "when": "severity == 'ERROR'", "severity": "error", "key": "host", "summary": "{id} of {$key}" },
        { "name": "many", "when": "severity == 'ERROR'", "severity": "critical", "key": "host",
          "rate": { "more_than": 3, "within": "20s" }, "summary": "{$count} of {$key}" },
        { "name": "gone", "when": "has(host)", "severity": "warning", "key": "host", "absent": { "within": "15s" },
          "summary": "nothing of {$key} since {$last_seen}" },
    ]);
    let drop = json!([{ "field": "severity", "equals": "DEBUG" }]);
    let table = json!({ "web-1": { "region": "eu" }, "web-2": { "region": "us" } });
    Some([
        (shipped("validate-event")?, json!({ "fields": fields, "drop": drop })),
        (shipped("enrich-env")?, json!({ "env": "test", "lookup": { "field": "host", "table": table } })),
        (shipped("alert-rules")?, json!({ "rules": rules })),
        (component("counter")?, json!({ "every": 2 })),
    ])
}

/// The plugins, loaded once by some engine in some way.
fn load(engine: &Engine, files: &[(Arc<[u8]>, Value)], instance: InstanceMode) -> Vec<Arc<Plugin>> {
    let load = |(bytes, config): &(Arc<[u8]>, Value)| {
        let spec = PluginSpec { instance, ..spec(bytes, config.clone(), Limits::default()) };
        engine.load(&spec).unwrap()
    };
    files.iter().map(load).collect()
}

/// The same plugins in every way in which they may be loaded.
fn ways() -> Option<Vec<Vec<Arc<Plugin>>>> {
    let files = files()?;
    let slower = files.clone().map(|(bytes, config)| (with_another_inside(&bytes).into(), config));
    let fresh = Engine::new(EngineOptions { instances: 32, ..options() }).unwrap();
    let ways = vec![
        load(engine(), &files, InstanceMode::Fresh),
        load(&fresh, &files, InstanceMode::Fresh),
        load(engine(), &files, InstanceMode::Reuse),
        load(engine(), &slower, InstanceMode::Fresh),
        load(&fresh, &slower, InstanceMode::Reuse),
    ];
    let is_slower = |way: &Vec<Arc<Plugin>>| way.iter().all(|plugin| plugin.configured_per_instance().is_some());
    let is_frozen = |way: &Vec<Arc<Plugin>>| way.iter().all(|plugin| plugin.configured_per_instance().is_none());
    assert!(ways[..3].iter().all(is_frozen) && ways[3..].iter().all(is_slower));
    Some(ways)
}

/// An event with its second: by and large rising, and one in six is not as it should be.
fn event(n: usize, rng: &mut Rng) -> (i64, String) {
    let mut event = json!({
        "id": format!("event-{n}"),
        "severity": (["DEBUG", "INFO", "INFO", "ERROR"][rng.usize(..4)]),
        "message": "a\u{e4} \"quoted\" \\ text",
        "host": format!("web-{}", rng.u8(1..5)),
        "key": format!("key-{}", rng.u8(..6)),
        "ratio": rng.f64(),
    });
    match n % 30 {
        0 => event["severity"] = json!("SHRUG"),
        1 => event["id"] = json!(7),
        2 => event["message"] = json!("\u{1b}[31m"),
        3 => event["act"] = json!("trap"),
        4 => event["metadata"] = json!("no object"),
        _ => {}
    }
    (n as i64 + rng.i64(-5..5), event.to_string())
}

/// How one run is done: where it is cut, and in which way each batch is run.
struct Plan<'a> {
    rng: Rng,
    ways: &'a [Vec<Arc<Plugin>>],
    /// Of other pipelines, say: what else a thread runs.
    other: &'a [Arc<Plugin>],
}

impl Plan<'_> {
    fn cuts(&mut self) -> Vec<usize> {
        let mut cuts: Vec<usize> =
            (0..self.rng.usize(..8)).map(|_| self.rng.usize(1..EVENTS)).chain([0, EVENTS]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    fn run(&mut self, events: &[(i64, String)]) -> Bytes {
        let (mut memory, mut worker) = (LaneMemory::new(), Worker::new());
        let mut said = Vec::new();
        let mut homes: BTreeMap<String, Home> = BTreeMap::new();
        for pair in self.cuts().windows(2) {
            if self.rng.u8(..4) == 0 {
                worker = Worker::new();
            }
            if self.rng.u8(..4) == 0 {
                one_batch(self.other, &events[..3], 0, &mut LaneMemory::new(), &mut worker);
            }
            let way = &self.ways[self.rng.usize(..self.ways.len())];
            let (batch, outcome) = one_batch(way, &events[pair[0]..pair[1]], pair[0] as i64, &mut memory, &mut worker);
            outcome.state.iter().for_each(|delta| homes.entry(delta.plugin.to_string()).or_default().take(delta));
            said.extend(lines(&batch, &outcome, pair[0] as i64));
        }
        said.sort();
        (said, homes.into_iter().map(|(plugin, home)| (plugin, home.living())).collect())
    }
}

fn one_batch(
    plugins: &[Arc<Plugin>],
    events: &[(i64, String)],
    first: i64,
    memory: &mut LaneMemory,
    worker: &mut Worker,
) -> (Batch, Outcome) {
    let mut raw = RawBatch::new(Arc::new(partition()), first);
    for (offset, (second, payload)) in (first..).zip(events) {
        raw.push(offset, second * SECOND, None, Some(payload.as_bytes()), []);
    }
    let (generation, mut batch): (Generation, Batch) = batch_of(plugins, raw);
    let outcome = generation.run(&mut batch, memory, worker).unwrap();
    (batch, outcome)
}

/// What became of each event. A plugin's digest is left out: that of the slower ones is another, since their files are.
fn lines(batch: &Batch, outcome: &Outcome, first: i64) -> Vec<(i64, String)> {
    let at = |event: u32| first + i64::from(event);
    let live =
        batch.live.iter().map(|event| (at(*event), String::from_utf8(batch.payload(*event).into_owned()).unwrap()));
    let dropped = outcome.dropped.iter().map(|event| (at(*event), "dropped".to_owned()));
    let rejected = outcome.rejections.iter().map(|one| {
        let plugin = one.plugin.as_ref().map(|plugin| (&plugin.name, &plugin.version));
        (at(one.event), format!("{:?} {plugin:?} {} {}", one.stage, one.code, one.reason))
    });
    let alerts = outcome.alerts.iter().map(|one| {
        let text = format!("{:?} {} {} {} {:?}", one.id, one.rule, one.key, one.summary, one.labels);
        (at(one.event), format!("{text} {:?} {} {}", one.severity, one.time_ns, one.plugin.name))
    });
    live.chain(dropped).chain(rejected).chain(alerts).collect()
}

#[test]
fn the_same_events_give_the_same_bytes_a_thousand_times_however_they_are_run() {
    let Some(ways) = ways() else { return };
    let mut rng = Rng::with_seed(1);
    let events: Vec<(i64, String)> = (0..EVENTS).map(|n| event(n, &mut rng)).collect();
    let (batch, outcome) = one_batch(&ways[0], &events, 0, &mut LaneMemory::new(), &mut Worker::new());
    let mut expected = lines(&batch, &outcome, 0);
    expected.sort();
    for of in ["dropped", "Validate", "enrich_conflict", "\"env\":\"test\"", "many", "gone", "count", "trap"] {
        assert!(expected.iter().any(|(_, line)| line.contains(of)), "there is nothing of {of}");
    }
    let other = [ways[1][1].clone(), ways[0][0].clone()];
    let mut states = None;
    for seed in 0..RUNS {
        let mut plan = Plan { rng: Rng::with_seed(seed), ways: &ways, other: &other };
        let (said, stored) = plan.run(&events);
        assert!(said == expected, "run {seed}: {:?}", first_difference(&said, &expected));
        let states = states.get_or_insert_with(|| stored.clone());
        assert!(!stored.is_empty() && stored == *states, "run {seed} leaves other states");
    }
}

fn first_difference<'a, T: PartialEq>(one: &'a [T], other: &'a [T]) -> Option<(&'a T, &'a T)> {
    one.iter().zip(other).find(|(one, other)| one != other)
}
