//! Tests of a plugin in the engine of production, from `cargo test`.
//!
//! The harness starts the `wasmill` binary and drives it over a pipe, so the component runs with the limits, the sandbox and the
//! failure handling that it will meet, and nobody builds an engine to test a plugin. The binary is what `WASMILL_BIN` names, else
//! the one of this workspace's target folder, else `wasmill` on the PATH. The component is built by [`Harness::this_plugin`].
//!
//! ```no_run
//! use serde_json::json;
//! use wasmill_harness::Harness;
//!
//! let plugin = Harness::this_plugin().config(json!({ "allowed": ["INFO"] }));
//! let run = plugin.start()?.run([r#"{"severity":"INFO"}"#, r#"{"severity":"LOUD"}"#])?;
//! run.event(0).assert_unchanged().assert_field("severity", "INFO");
//! run.event(1).assert_rejected("bad_severity");
//!
//! // Nothing that can stand in an event has it trap, and its answers depend on nothing but the event.
//! plugin.torture();
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! | I want to test | then |
//! |---|---|
//! | what becomes of an event | [`Running::run`], [`Run::event`] and what [`Checked`] asserts |
//! | events by bytes, from a type, at a time | [`Event`] |
//! | many events that a generator makes | [`Events::any`], which tells its seed |
//! | every hostile event there is | [`Harness::torture`], [`Harness::torture_like`] |
//! | that it answers natively as in the sandbox | [`Harness::assert_native_equals_wasm`] |
//! | that an answer depends on the event alone | [`Harness::assert_deterministic`], [`Harness::assert_cut_invariant`] |
//! | that nothing changes unnoticed, and what it costs | [`Harness::assert_golden`] |
//! | state | [`Running::seed`], [`Running::state`], [`Running::restart`], [`Running::replay`] |
//! | a new version or configuration while it runs | [`Running::swap`] |
//! | look-ups that are late or fail | [`Names`], [`Running::set_lookups`] |

mod assertions;
mod binary;
mod checked;
mod component;
mod event;
mod fuel;
mod golden;
/// The guide for authors, whose examples are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/testing.md")]
mod guide {}
mod names;
mod native;
mod outcome;
mod report;
mod running;
mod state;
mod torture;

use std::path::PathBuf;

use serde_json::{Value, json};

pub use binary::{plugin_file, wasmill_binary};
pub use checked::Checked;
pub use event::{Event, Events};
pub use fastrand::Rng as Random;
pub use names::Names;
pub use native::Native;
pub use outcome::{EventOutcome, LogLine, Run};
pub use running::Running;
pub use state::{Entry, State};

/// A plugin that is to be loaded: its file, its configuration, its limits and what its look-ups are answered.
#[derive(Clone, Debug)]
pub struct Harness {
    file: Option<PathBuf>,
    config: Value,
    limits: Value,
    names: Option<Names>,
    fuel_growth_percent: u32,
}

impl Harness {
    /// The component in `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..Self::this_plugin() }
    }

    /// The component of the crate under test: what `WASMILL_PLUGIN` names, else the crate's in the folder `WASMILL_PLUGINS` (or, in the
    /// workspace of wasmill itself, in `target/plugins`); where there is none it is built, in a folder of its own inside of the target folder,
    /// once for all tests that run.
    pub fn this_plugin() -> Self {
        Self { file: None, config: json!({}), limits: json!({}), names: None, fuel_growth_percent: 5 }
    }

    /// Its configuration, a JSON object.
    #[must_use]
    pub fn config(self, config: Value) -> Self {
        Self { config, ..self }
    }

    /// Its limits, as under `limits:` in a plugin's YAML file.
    #[must_use]
    pub fn limits(self, limits: Value) -> Self {
        Self { limits, ..self }
    }

    /// Grants it reverse DNS, which answers with these names; all other addresses have none.
    #[must_use]
    pub fn reverse_dns(self, names: &[(&str, &str)]) -> Self {
        self.lookups(names.iter().fold(Names::new(), |all, (address, name)| all.name(address, name)))
    }

    /// Grants it look-ups, which are answered so.
    #[must_use]
    pub fn lookups(self, names: Names) -> Self {
        Self { names: Some(names), ..self }
    }

    /// By how much the fuel of a golden batch may grow beyond what `fuel.lock` says, in percent; 5 unless it is said.
    #[must_use]
    pub fn fuel_growth(self, percent: u32) -> Self {
        Self { fuel_growth_percent: percent, ..self }
    }

    /// Loads it.
    ///
    /// # Errors
    /// Why the engine refuses it, in the words that an operator would read; or that there is no `wasmill` binary, or that the crate
    /// cannot be built.
    pub fn start(&self) -> anyhow::Result<Running> {
        Running::start(self)
    }

    /// Runs one batch in a process of its own.
    ///
    /// # Errors
    /// As for [`Harness::start`] and [`Running::run`].
    pub fn run(&self, events: impl Into<Events>) -> anyhow::Result<Run> {
        self.start()?.run(events)
    }

    /// Where its component is.
    fn component(&self) -> anyhow::Result<PathBuf> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => component::of_this_crate(),
        }
    }
}
