//! A plugin that a command is about: its file, what stands beside it, and its bytes.

use std::path::Path;
use std::sync::Arc;

use wasmill_engine::{CompileLimits, Engine, EngineOptions, Grant, Meter, Plugin};

use crate::config::plugins::{PluginFile, beside};
use crate::pipeline::plugins::{bytes_of, engine, load};

/// Bytes of a component above which it is unusually large: the shipped ones are below, but for one that brings a language.
pub(super) const BYTES_USUAL: usize = 500_000;

/// Most example events that are used: more say nothing new, and each is run some dozen times.
const EXAMPLES_MAX: usize = 1_000;
/// The time of records that are made up: 2026-01-01T00:00:00Z, nanoseconds since 1970.
pub(super) const RECORD_NS: i64 = 1_767_225_600_000_000_000;

/// A plugin's file, not loaded.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// With all that may be granted: what is told and tried here is told and tried before anything is granted.
    pub(super) file: PluginFile,
    /// What the file beside it grants.
    pub(super) granted: Vec<Grant>,
    /// The component.
    pub(super) bytes: Arc<[u8]>,
}

impl Subject {
    /// How to make it smaller.
    pub(super) const SMALLER: &str = "`wasmill plugin inspect` lists its largest functions; has Cargo.toml `lto = true`, `codegen-units = 1`, \
                                      `panic = \"abort\"` and `strip = \"debuginfo\"` under [profile.release]? JavaScript and Python bring \
                                      their language, some 12 and 19 MB";

    /// The plugin at `path`, with `config` in place of that in the YAML file beside it.
    ///
    /// # Errors
    /// A sentence, when it cannot be read, or the settings are wrong.
    pub(super) fn read(path: &Path, config: Option<&str>) -> Result<Self, String> {
        let mut file = beside(path).map_err(|mistakes| mistakes.to_string())?;
        if let Some(config) = config {
            file.sidecar.config =
                serde_json::from_str(config).map_err(|error| format!("--config is no JSON: {error}"))?;
        }
        let bytes = bytes_of(&file)?;
        let granted = std::mem::replace(&mut file.sidecar.grants, Grant::ALL.to_vec());
        Ok(Self { file, granted, bytes })
    }

    /// Loads it as a pipeline would, in an engine of its own.
    ///
    /// # Errors
    /// With file, digest and reason.
    pub(super) fn load(&self) -> Result<Arc<Plugin>, String> {
        self.load_with(None)
    }

    /// The same, with compiled code that is kept in a folder.
    ///
    /// # Errors
    /// The same, or that the folder cannot be used.
    pub(super) fn load_with(&self, cache: Option<&Path>) -> Result<Arc<Plugin>, String> {
        Ok(load(&engine_with(cache)?, &self.file, &self.bytes)?)
    }
}

/// An engine for one thread and some plugins.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn own_engine() -> Result<Engine, String> {
    engine_with(None)
}

fn engine_with(cache: Option<&Path>) -> Result<Engine, String> {
    engine((1, 3), cache.map(Path::to_owned), CompileLimits::default())
}

/// The same, with something that counts the calls of the host's functions.
///
/// # Errors
/// As [`own_engine`].
pub(super) fn metered_engine(meter: Arc<Meter>) -> Result<Engine, String> {
    let options = EngineOptions::new().map_err(|error| error.to_string())?;
    let options = EngineOptions { instances: 4, meter: Some(meter), ..options };
    Engine::new(options).map_err(|error| error.to_string())
}

/// The events in a file, one a line; blank lines are left out.
///
/// # Errors
/// A sentence, when there are none.
pub(super) fn lines_of(file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec());
    let lines: Vec<Vec<u8>> = lines.filter(|line| !line.is_empty()).take(EXAMPLES_MAX).collect();
    if lines.is_empty() {
        return Err(format!("{} holds no event; write one JSON object a line", file.display()));
    }
    Ok(lines)
}
