//! Loading the plugins of a directory: at the start of a run, and again whenever it changes.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmill_engine::{Ceilings, CompileLimits, Engine, EngineOptions, Plugin, PluginSpec};

use super::SetupError;
use super::good::GoodFiles;
use super::listing::Listing;
use super::refusal::Refusal;
use crate::config::plugins::{PLUGINS_MAX, PluginFile, Sidecar, discover_with};
use crate::config::{Config, Environment};
use crate::health::Health;

/// Instances that all threads together may have: each reserves 16 GiB of the 128 TiB of addresses that a process has.
const INSTANCES_MAX: usize = 4_096;
/// The name of this part in `/health/ready`.
pub(super) const PART: &str = "plugins";

/// Loads the plugins of one directory.
pub(super) struct Loader {
    directory: PathBuf,
    required: Vec<String>,
    engine: Engine,
    good: GoodFiles,
    ceilings: Ceilings,
}

/// The plugins of a directory as it once was.
pub(super) struct Loaded {
    /// In the order of their names.
    pub(super) files: Vec<LoadedFile>,
    /// What the directory held before they were read.
    pub(super) listing: Listing,
    /// Why these are those that served last, and not what the directory held.
    pub(super) refused: Option<Refusal>,
}

/// A plugin with its file.
#[derive(Clone)]
pub(super) struct LoadedFile {
    pub(super) plugin: Arc<Plugin>,
    pub(super) bytes: Arc<[u8]>,
    pub(super) file: PluginFile,
}

impl Loader {
    /// `None` for a pipeline without plugins.
    ///
    /// # Errors
    /// When the engine cannot be set up.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, SetupError> {
        let Some(directory) = config.plugins.clone() else { return Ok(None) };
        let cache_dir = config.engine.cache_dir.clone();
        let good = GoodFiles::new(&cache_dir, &config.name, &directory);
        let engine = engine((config.engine.threads, PLUGINS_MAX), Some(cache_dir), config.engine.compile)
            .map_err(SetupError::Wrong)?;
        let (required, ceilings) = (config.required_plugins.clone(), config.engine.ceilings.clone());
        Ok(Some(Self { directory, required, engine, good, ceilings }))
    }

    /// The plugins to begin with: those of the directory, or, where that holds bad ones, those that served last.
    ///
    /// # Errors
    /// With file, digest and reason, when the directory is bad and nothing has served yet.
    pub(super) async fn begin(self, health: &Health) -> Result<(Arc<Self>, Loaded), SetupError> {
        let this = Arc::new(self);
        let listing = this.list().await.unwrap_or_default();
        let refusal = match this.load(Vec::new()).await {
            Ok(files) => {
                if files.is_empty() {
                    tracing::warn!("no plugin in {}: events pass through unchanged", this.directory.display());
                }
                health.green(PART);
                return Ok((this, Loaded { files, listing, refused: None }));
            }
            Err(refusal) => refusal,
        };
        let Some(files) = this.load_good().await else { return Err(SetupError::Wrong(refusal.into())) };
        health.yellow(PART, serves_on(&refusal));
        Ok((this, Loaded { files, listing, refused: Some(refusal) }))
    }

    /// What the directory holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn list(self: &Arc<Self>) -> io::Result<Listing> {
        let this = Arc::clone(self);
        blocking(move || Listing::of(&this.directory)).await.map_err(io::Error::other)?
    }

    /// The plugins of the directory. Those of `before` whose file and settings are the same are taken over as they are.
    ///
    /// # Errors
    /// All bad ones, with file, digest and reason; or which required one is not there.
    pub(super) async fn load(self: &Arc<Self>, before: Vec<LoadedFile>) -> Result<Vec<LoadedFile>, Refusal> {
        let this = Arc::clone(self);
        // Compiling takes its time, and WASI's calls must not meet the async runtime.
        let loaded = blocking(move || this.load_from(&this.directory, &before)).await;
        loaded.map_err(|reason| Refusal::new(Refusal::UNREADABLE, reason))?
    }

    /// The plugins that served last; `None` where there are none, or they can be used no more.
    async fn load_good(self: &Arc<Self>) -> Option<Vec<LoadedFile>> {
        let this = Arc::clone(self);
        let load = move || this.good.folder().map(|folder| this.load_from(folder, &[]));
        match blocking(load).await {
            Ok(Some(Ok(files))) => Some(files),
            Ok(None) => None,
            Ok(Some(Err(refusal))) => unusable(&refusal),
            Err(reason) => unusable(&reason),
        }
    }

    /// Keeps what serves for a start with a bad directory.
    pub(super) async fn keep_good(self: &Arc<Self>, files: &[LoadedFile]) {
        let (this, files) = (Arc::clone(self), files.to_vec());
        let keep = move || this.good.keep(&files).map_err(|error| error.to_string());
        if let Err(reason) = blocking(keep).await.flatten() {
            tracing::warn!("the plugins that serve cannot be kept for a start with bad ones: {reason}");
        }
    }

    fn load_from(&self, folder: &Path, before: &[LoadedFile]) -> Result<Vec<LoadedFile>, Refusal> {
        let files = discover_with(folder, &self.directory, &Environment::of_process(), &self.ceilings)
            .map_err(|mistakes| Refusal::new(Refusal::SETTINGS, mistakes.to_string()))?;
        let loaded = self.load_all(files, before)?;
        let names = loaded.iter().map(|loaded| loaded.plugin.reference().name.as_str());
        match missing(&self.required, names) {
            None => Ok(loaded),
            Some(name) => Err(Refusal::new(Refusal::REQUIRED, is_missing(name, folder))),
        }
    }

    /// Goes on after a bad one, so that all of them are told at once.
    fn load_all(&self, files: Vec<PluginFile>, before: &[LoadedFile]) -> Result<Vec<LoadedFile>, Refusal> {
        let mut loaded: Vec<LoadedFile> = Vec::with_capacity(files.len());
        let mut refused = None;
        for file in files {
            let next = self.load_one(file, before).and_then(|next| apart(&loaded, next));
            match next {
                Ok(next) => loaded.push(next),
                Err(refusal) => refused = Some(refusal.after(refused)),
            }
        }
        match refused {
            None => Ok(loaded),
            Some(refused) => Err(refused),
        }
    }

    fn load_one(&self, file: PluginFile, before: &[LoadedFile]) -> Result<LoadedFile, Refusal> {
        let bytes = bytes_of(&file)?;
        let same = before.iter().find(|before| before.file == file && before.bytes == bytes);
        if let Some(same) = same {
            return Ok(same.clone());
        }
        let plugin = load(&self.engine, &file, &bytes)?;
        tracing::info!("loaded {}", about(&plugin));
        Ok(LoadedFile { plugin, bytes, file })
    }
}

/// The first of the `required` plugins that is not among `names`.
pub fn missing<'r, 'n>(required: &'r [String], names: impl Iterator<Item = &'n str>) -> Option<&'r str> {
    let names: Vec<&str> = names.collect();
    required.iter().map(String::as_str).find(|name| !names.contains(name))
}

/// That a required plugin is not in `folder`.
pub fn is_missing(name: &str, folder: &Path) -> String {
    format!(
        "the plugin {name} is required (required_plugins) and is not in {}; put it there, or take it out of the list",
        folder.display()
    )
}

/// That a bad directory changes nothing.
pub(super) fn serves_on(reason: &impl Display) -> String {
    format!("{reason}; what served before serves on, and the directory is looked at again when it changes")
}

/// That the plugins which served last cannot serve again.
fn unusable(reason: &dyn Display) -> Option<Vec<LoadedFile>> {
    tracing::warn!("the plugins that served last cannot be used either: {reason}");
    None
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("loading plugins failed inside the host: {error}"))
}

/// `next`, unless its state would be that of one of `loaded`.
fn apart(loaded: &[LoadedFile], next: LoadedFile) -> Result<LoadedFile, Refusal> {
    let state = |file: &LoadedFile| file.plugin.state().map(|state| state.name.clone());
    let shares = |other: &&LoadedFile| state(&next).is_some() && state(other) == state(&next);
    let Some(other) = loaded.iter().find(shares) else { return Ok(next) };
    let (first, second) = (other.file.path.display(), next.file.path.display());
    let text = format!(
        "{first} and {second} are both the plugin {}, whose state stands under its name; keep one of the two and have it do \
         the work of both",
        next.plugin.reference().name
    );
    Err(Refusal::new(Refusal::STATE, text))
}

/// The engine of a pipeline, for so many threads and plugins.
///
/// # Errors
/// A sentence that says what to do.
pub fn engine(
    (threads, plugins): (usize, usize),
    cache_dir: Option<PathBuf>,
    compile: CompileLimits,
) -> Result<Engine, String> {
    let wrong = |error: &dyn Display| error.to_string();
    let mut options = EngineOptions::new().map_err(|error| wrong(&error))?;
    (options.cache_dir, options.compile) = (cache_dir, compile);
    let instances = (threads.max(1) * (1 + plugins)).min(INSTANCES_MAX);
    options.instances = u32::try_from(instances).unwrap_or(u32::MAX);
    Engine::new(options).map_err(|error| wrong(&error))
}

/// The bytes of a plugin's file.
///
/// # Errors
/// When it cannot be read.
pub fn bytes_of(file: &PluginFile) -> Result<Arc<[u8]>, Refusal> {
    let read = std::fs::read(&file.path);
    let text = |error| format!("cannot read the plugin {}: {error}", file.path.display());
    read.map(Arc::from).map_err(|error| Refusal::new(Refusal::UNREADABLE, text(error)))
}

/// Loads one plugin.
///
/// # Errors
/// With file, digest and reason.
pub fn load(engine: &Engine, file: &PluginFile, bytes: &Arc<[u8]>) -> Result<Arc<Plugin>, Refusal> {
    let Sidecar { config, limits, instance, grants, state, on_open } = file.sidecar.clone();
    let (file, bytes) = (file.path.clone(), Arc::clone(bytes));
    let spec = PluginSpec { file, bytes, config, limits, instance, grants, state, on_open };
    Ok(engine.load(&spec)?)
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
