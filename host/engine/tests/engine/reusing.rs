//! What an instance that is used again keeps.

use serde_json::json;
use wasmill_engine::{InstanceMode, LaneMemory, Limits, PluginSpec, Worker};

use crate::support::{batch, component, engine, spec};

const BATCHES: i64 = 1_000;
const EVENTS: i64 = 200;

#[test]
fn instance_of_the_sdk_needs_no_more_memory_however_many_batches_it_has_had() {
    let Some(bytes) = component("counter") else { return };
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let spec = PluginSpec { instance: InstanceMode::Reuse, ..spec(&bytes, json!({ "every": 0 }), limits) };
    let plugins = [engine().load(&spec).unwrap()];
    let events: Vec<String> = (0..EVENTS).map(|n| json!({ "key": format!("key {}", n % 50) }).to_string()).collect();
    let (mut memory, mut worker) = (LaneMemory::new(), Worker::new());
    let mut taken = Vec::new();
    for nth in 0..BATCHES {
        let (generation, mut batch) = batch(&plugins, nth * EVENTS, &events);
        let outcome = generation.run(&mut batch, &mut memory, &mut worker).unwrap();
        assert!(outcome.rejections.is_empty(), "batch {nth}: {:?}", outcome.rejections);
        taken.push(outcome.costs[0].memory_bytes);
    }
    assert_eq!(taken[10], *taken.last().unwrap());
}
