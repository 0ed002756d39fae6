//! Tests of a plugin in the engine of production, from `cargo test`.
//!
//! The harness starts the `wasmill` binary and drives it over a pipe, so the component runs with the limits, the sandbox and the
//! failure handling that it will meet, and nobody builds an engine to test a plugin. The binary is what `WASMILL_BIN` names, else
//! the one of this workspace's target folder, else `wasmill` on the PATH.
//!
//! ```no_run
//! use serde_json::json;
//! use wasmill_harness::Harness;
//!
//! let mut harness = Harness::new("target/plugins/validate-event.wasm").config(json!({})).start()?;
//! let run = harness.run(&[r#"{"severity":"INFO"}"#])?;
//! assert!(run.events[0].passed());
//! # Ok::<(), anyhow::Error>(())
//! ```

mod binary;
mod outcome;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::{Value, json};

pub use binary::{plugin_file, wasmill_binary};
pub use outcome::{EventOutcome, Run};

/// A plugin that is to be loaded.
#[derive(Clone, Debug)]
pub struct Harness {
    file: PathBuf,
    config: Value,
    limits: Value,
    names: Option<Value>,
}

impl Harness {
    /// The component in `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), config: json!({}), limits: json!({}), names: None }
    }

    /// The component of the crate under test, as `cargo xtask plugins` (or the path in `WASMILL_PLUGIN`) provides it.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn this_plugin(package: &str) -> anyhow::Result<Self> {
        Ok(Self::new(plugin_file(package)?))
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
        let names = names.iter().map(|(address, name)| ((*address).to_owned(), json!(name))).collect();
        Self { names: Some(Value::Object(names)), ..self }
    }

    /// Loads it.
    ///
    /// # Errors
    /// Why the engine refuses it, in the words that an operator would read; or that there is no `wasmill` binary.
    pub fn start(self) -> anyhow::Result<Running> {
        let binary = wasmill_binary()?;
        let mut child = Command::new(&binary)
            .args(["plugin", "pipe"])
            .arg(&self.file)
            .args(["--config", &self.config.to_string(), "--limits", &self.limits.to_string()])
            .args(self.names.iter().flat_map(|names| ["--reverse-dns".to_owned(), names.to_string()]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let input = child.stdin.take().context("the child has no standard input")?;
        let output = BufReader::new(child.stdout.take().context("the child has no standard output")?);
        let mut running = Running { child, input, output, loaded: Value::Null };
        running.loaded = running.read()?["loaded"].take();
        Ok(running)
    }

    /// Loads it anew and runs the payloads in batches of at most `size`. Events and alerts are the same whatever the size: the
    /// engine promises it of every plugin that is a pure function of its event.
    ///
    /// # Errors
    /// As for [`Harness::start`] and [`Running::run`].
    pub fn run_cut(&self, payloads: &[&str], size: usize) -> anyhow::Result<Run> {
        let mut running = self.clone().start()?;
        let mut whole = Run { events: Vec::new(), alerts: Vec::new(), fuel: 0 };
        for batch in payloads.chunks(size.max(1)) {
            let run = running.run(batch)?;
            whole.events.extend(run.events);
            whole.alerts.extend(run.alerts);
            whole.fuel += run.fuel;
        }
        Ok(whole)
    }

    /// Runs the payloads as one batch and cut into batches of several sizes, and gives what came of the one batch.
    ///
    /// # Panics
    /// When an event or an alert depends on where batches are cut, or the plugin is broken.
    pub fn assert_cut_invariant(&self, payloads: &[&str]) -> Run {
        let run = |size| self.run_cut(payloads, size).unwrap_or_else(|error| panic!("in batches of {size}: {error:#}"));
        let whole = run(payloads.len());
        for size in [1, 7, 100] {
            let cut = run(size);
            assert_eq!((&cut.events, &cut.alerts), (&whole.events, &whole.alerts), "in batches of {size}");
        }
        whole
    }
}

/// A loaded plugin. Dropping it ends its process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the engine says of the plugin: name, version, digest.
    pub loaded: Value,
}

impl Running {
    /// Runs one batch of payloads whose records have the timestamp 0 (1970).
    ///
    /// # Errors
    /// When the plugin is broken.
    pub fn run(&mut self, payloads: &[&str]) -> anyhow::Result<Run> {
        self.run_at(0, payloads)
    }

    /// Runs one batch of payloads whose records have this timestamp, milliseconds since 1970.
    ///
    /// # Errors
    /// When the plugin is broken.
    pub fn run_at(&mut self, timestamp_ms: i64, payloads: &[&str]) -> anyhow::Result<Run> {
        let event = |payload: &&str| json!({ "payload": payload, "timestamp_ms": timestamp_ms });
        let events: Vec<Value> = payloads.iter().map(event).collect();
        writeln!(self.input, "{}", json!({ "events": events })).context("the engine has ended")?;
        serde_json::from_value(self.read()?).context("the engine's answer cannot be read")
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the engine has ended without an answer; its messages are on standard error");
        }
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer["error"].take() {
            Value::String(reason) => bail!(reason),
            _ => Ok(answer),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
