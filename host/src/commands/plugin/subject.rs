//! A plugin that a command is about: its file, what stands beside it, and its bytes.

use std::path::Path;
use std::sync::Arc;

use wasmill_engine::{Engine, Grant, Plugin};

use crate::commands::engine::engine;
use crate::config::plugins::{PluginFile, beside};
use crate::pipeline::plugins::{bytes_of, load};

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
        self.load_in(&engine(None, None)?)
    }

    /// The same, in this engine.
    ///
    /// # Errors
    /// With file, digest and reason.
    pub(super) fn load_in(&self, engine: &Engine) -> Result<Arc<Plugin>, String> {
        Ok(load(engine, &self.file, &self.bytes)?)
    }
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
