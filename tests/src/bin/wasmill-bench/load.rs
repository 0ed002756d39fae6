//! Loading a plugin: compiled in a child process, and from the cache.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use wasmill_engine::{Compiler, Engine, EngineOptions, Grant, InstanceMode, Limits, PluginSpec};
use wasmill_tests::pipeline::root;

use super::measure::Measurement;

const ROUNDS: usize = 7;

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let spec = spec("validate-event", super::boundary::validate_config())?;
    let mut cold = Vec::new();
    let mut cached = Vec::new();
    for _ in 0..ROUNDS {
        let cache = tempfile::tempdir()?;
        let engine = engine(Some(cache.path().join("cache")))?;
        for times in [&mut cold, &mut cached] {
            let started = Instant::now();
            engine.load(&spec)?;
            times.push((started.elapsed().as_secs_f64() * 1e3, 0.0));
        }
    }
    Ok(vec![Measurement::new("load", "ms", &cold), Measurement::new("load_cached", "ms", &cached)])
}

/// An engine like production's; the compile child is this program.
pub(crate) fn engine(cache_dir: Option<PathBuf>) -> anyhow::Result<Engine> {
    let options = EngineOptions { cache_dir, compiler: Compiler::this_program()?, ..EngineOptions::new()? };
    Ok(Engine::new(options)?)
}

/// A shipped plugin.
pub(crate) fn spec(name: &str, config: serde_json::Value) -> anyhow::Result<PluginSpec> {
    built("plugins", name, config)
}

/// A plugin of `target/plugins` or `target/guests`.
pub(crate) fn built(folder: &str, name: &str, config: serde_json::Value) -> anyhow::Result<PluginSpec> {
    let file = root().join("target").join(folder).join(format!("{name}.wasm"));
    let bytes: Arc<[u8]> = std::fs::read(&file)?.into();
    Ok(PluginSpec {
        file,
        bytes,
        config,
        limits: Limits::default(),
        instance: InstanceMode::Fresh,
        grants: vec![Grant::State],
        state: Default::default(),
        on_open: Default::default(),
    })
}
