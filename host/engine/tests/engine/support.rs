//! What every test needs: the guest, an engine, a batch, a run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proptest::prelude::ProptestConfig;
use serde_json::{Value, json};
use wasmill_core::{Batch, EventTime, PartitionId, ProjectionBuilder, RawBatch};
use wasmill_engine::{
    Broken, Compiler, Engine, EngineOptions, Generation, Grant, InstanceMode, LaneMemory, Limits, LoadError, Outcome,
    Plugin, PluginSpec, Worker,
};

/// As many cases as a soak has, `SOAK_CASES` in `tests/xtask/src/commands/properties.rs`.
const SOAK_CASES: u32 = 10_000;

/// Of properties whose cases are several runs of the engine: in a soak all of them, in a test fewer than others have.
pub(crate) fn property_config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = if usual.cases < SOAK_CASES { usual.cases.div_ceil(16) } else { usual.cases };
    ProptestConfig { cases, failure_persistence: None, ..usual }
}

/// A guest's component; `None`, said loudly, where the guests are not built.
pub(crate) fn component(name: &str) -> Option<Arc<[u8]>> {
    built("WASMILL_GUESTS", "target/guests", name)
}

/// The same of a plugin that ships.
pub(crate) fn shipped(name: &str) -> Option<Arc<[u8]>> {
    built("WASMILL_PLUGINS", "target/plugins", name)
}

fn built(variable: &str, folder: &str, name: &str) -> Option<Arc<[u8]>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os(variable).map_or_else(|| workspace.join(folder), PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    match std::fs::read(&file) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            let problem = format!("SKIPPED: {}: {error}; run `cargo xtask plugins`", file.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{problem}");
            eprintln!("{problem}");
            None
        }
    }
}

pub(crate) fn rogue() -> Option<Arc<[u8]>> {
    component("rogue")
}

pub(crate) fn options() -> EngineOptions {
    EngineOptions { compiler: Compiler::InProcess, ..EngineOptions::new().unwrap() }
}

/// The example beside this test, which cargo builds with it.
pub(crate) fn child() -> Compiler {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("examples").join("compile_child");
    assert!(program.exists(), "cargo builds examples for tests: {}", program.display());
    Compiler::Child(program)
}

/// One engine for all tests.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        Engine::new(EngineOptions { cache_dir: Some(cache), ..options() }).unwrap()
    })
}

pub(crate) fn spec(bytes: &Arc<[u8]>, config: Value, limits: Limits) -> PluginSpec {
    PluginSpec {
        file: "plugins.d/10-rogue.wasm".into(),
        bytes: bytes.clone(),
        config,
        limits,
        instance: InstanceMode::Fresh,
        grants: vec![Grant::State],
        state: Default::default(),
        on_open: Default::default(),
    }
}

pub(crate) fn load(bytes: &Arc<[u8]>, config: Value, limits: Limits) -> Result<Arc<Plugin>, LoadError> {
    engine().load(&spec(bytes, config, limits))
}

/// The guest with default config.
pub(crate) fn decent(bytes: &Arc<[u8]>, limits: Limits) -> Arc<Plugin> {
    load(bytes, json!({}), limits).unwrap()
}

/// Payloads as a batch that begins at `first`, projected for `plugins`.
pub(crate) fn batch(plugins: &[Arc<Plugin>], first: i64, payloads: &[String]) -> (Generation, Batch) {
    let mut raw = RawBatch::new(Arc::new(partition()), first);
    for (offset, payload) in (first..).zip(payloads) {
        raw.push(offset, offset * 1_000, None, Some(payload.as_bytes()), []);
    }
    batch_of(plugins, raw)
}

pub(crate) fn partition() -> PartitionId {
    PartitionId { source: "kafka".into(), cluster: "c".into(), topic: "t".into(), topic_id: "i".into(), partition: 0 }
}

/// What a source yielded, projected for `plugins`.
pub(crate) fn batch_of(plugins: &[Arc<Plugin>], raw: RawBatch) -> (Generation, Batch) {
    let mut projection = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    let generation = Generation::new(plugins.to_vec(), &mut projection);
    let (batch, rejections) = projection.build().extract(raw);
    assert_eq!(rejections, []);
    (generation, batch)
}

/// Runs payloads from offset 0 in a lane that has seen nothing.
pub(crate) fn run(plugins: &[Arc<Plugin>], payloads: &[String]) -> Result<(Outcome, Batch), Broken> {
    let (generation, mut batch) = batch(plugins, 0, payloads);
    let outcome = generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new())?;
    Ok((outcome, batch))
}

/// An event that tells the guest what to do.
pub(crate) fn event(n: usize, deed: &str) -> String {
    json!({ "n": n, "do": deed }).to_string()
}

/// `count` decent events, of which those in `deeds` do something.
pub(crate) fn events(count: usize, deeds: &[(usize, &str)]) -> Vec<String> {
    let deed = |n| deeds.iter().find(|(at, _)| *at == n).map_or("", |(_, deed)| *deed);
    (0..count).map(|n| event(n, deed(n))).collect()
}

/// Index and code of every rejection.
pub(crate) fn codes(outcome: &Outcome) -> Vec<(u32, String)> {
    outcome.rejections.iter().map(|rejection| (rejection.event, rejection.code.to_string())).collect()
}

/// The one rejection of a run of three events, of which the second does `deed`; the others come through.
pub(crate) fn rejected_for(plugin: &Arc<Plugin>, deed: &str) -> (String, String) {
    let (outcome, batch) = run(std::slice::from_ref(plugin), &events(3, &[(1, deed)])).unwrap();
    assert_eq!(batch.live, [0, 2], "{deed}");
    let [rejection] = &outcome.rejections[..] else { panic!("{deed}: {:?}", outcome.rejections) };
    assert_eq!(rejection.event, 1, "{deed}");
    assert_eq!(rejection.plugin.as_ref().unwrap(), plugin.reference(), "{deed}");
    (rejection.code.to_string(), rejection.reason.clone())
}

/// Whether the second of three events comes through when it does `deed`.
pub(crate) fn passes(plugin: &Arc<Plugin>, deed: &str) -> bool {
    let (outcome, batch) = run(std::slice::from_ref(plugin), &events(3, &[(1, deed)])).unwrap();
    batch.live == [0, 1, 2] && outcome.rejections.is_empty()
}

/// The least number for which `holds`, which fails for `fails` and holds for `holding`.
pub(crate) fn least(mut fails: usize, mut holding: usize, holds: impl Fn(usize) -> bool) -> usize {
    while holding - fails > 1 {
        let middle = fails + (holding - fails) / 2;
        if holds(middle) { holding = middle } else { fails = middle }
    }
    holding
}
