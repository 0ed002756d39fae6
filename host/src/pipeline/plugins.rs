//! Loading the plugins of a directory, at the start of a run.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmill_engine::{Engine, EngineOptions, Plugin, PluginSpec};

use super::SetupError;
use crate::config::Config;
use crate::config::plugins::{PluginFile, discover};

/// A plugin with its file's bytes.
pub(super) type LoadedFile = (Arc<Plugin>, Arc<[u8]>);

/// The plugins in the order of their file names, each with its file's bytes. A bad one is an error with file, digest and reason.
pub(super) async fn load_plugins(config: &Config) -> Result<Vec<LoadedFile>, SetupError> {
    let Some(directory) = config.plugins.clone() else { return Ok(Vec::new()) };
    let threads = config.engine.threads;
    let cache_dir = config.engine.cache_dir.clone();
    // Compiling takes its time, and WASI's calls must not meet the async runtime.
    let loading = tokio::task::spawn_blocking(move || load_all(&directory, threads, &cache_dir));
    let loaded =
        loading.await.map_err(|error| SetupError::Wrong(format!("loading plugins failed inside the host: {error}")))?;
    loaded.map_err(SetupError::Wrong)
}

fn load_all(directory: &Path, threads: usize, cache_dir: &Path) -> Result<Vec<LoadedFile>, String> {
    let files = discover(directory).map_err(|mistakes| mistakes.to_string())?;
    if files.is_empty() {
        tracing::warn!("no plugin in {}: events pass through unchanged", directory.display());
        return Ok(Vec::new());
    }
    let engine = engine(threads, files.len(), Some(cache_dir.to_owned()))?;
    let mut loaded: Vec<LoadedFile> = Vec::with_capacity(files.len());
    for file in &files {
        let (plugin, bytes) = load(&engine, file)?;
        if let Some(other) = loaded.iter().map(|(other, _)| other).find(|other| share_state(other, &plugin)) {
            let (name, first, second) = (&plugin.reference().name, other.file().display(), plugin.file().display());
            return Err(format!(
                "{first} and {second} are both the plugin {name}, whose state stands under its name; keep one of the two and have \
                 it do the work of both"
            ));
        }
        tracing::info!("loaded {}", about(&plugin));
        loaded.push((Arc::new(plugin), bytes));
    }
    Ok(loaded)
}

/// Whether the state of one would be the other's.
fn share_state(one: &Plugin, other: &Plugin) -> bool {
    one.state().zip(other.state()).is_some_and(|(one, other)| one.name == other.name)
}

/// The engine of a pipeline with so many threads and plugins.
///
/// # Errors
/// A sentence that says what to do.
pub fn engine(threads: usize, plugins: usize, cache_dir: Option<PathBuf>) -> Result<Engine, String> {
    let wrong = |error: &dyn Display| error.to_string();
    let mut options = EngineOptions::new().map_err(|error| wrong(&error))?;
    options.cache_dir = cache_dir;
    options.instances = u32::try_from(threads.max(1) * (1 + plugins)).unwrap_or(u32::MAX);
    Engine::new(options).map_err(|error| wrong(&error))
}

/// Loads one plugin; with it its file's bytes.
///
/// # Errors
/// With file, digest and reason.
pub fn load(engine: &Engine, file: &PluginFile) -> Result<(Plugin, Arc<[u8]>), String> {
    let read = std::fs::read(&file.path);
    let bytes: Arc<[u8]> =
        read.map_err(|error| format!("cannot read the plugin {}: {error}", file.path.display()))?.into();
    let spec = PluginSpec {
        file: file.path.clone(),
        bytes: Arc::clone(&bytes),
        config: file.sidecar.config.clone(),
        limits: file.sidecar.limits.clone(),
        instance: file.sidecar.instance,
        grants: file.sidecar.grants.clone(),
        state: file.sidecar.state,
    };
    let plugin = engine.load(&spec).map_err(|error| error.to_string())?;
    Ok((plugin, bytes))
}

/// One line about a loaded plugin.
pub fn about(plugin: &Plugin) -> String {
    let reference = plugin.reference();
    let line = format!("{} {} ({:#})", reference.name, reference.version, reference.digest);
    match plugin.configured_per_instance() {
        None => line,
        Some(why) => format!("{line}, configured anew for each batch: {why}"),
    }
}
