//! A plugin that is loaded, in a `wasmill` process of its own.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::binary::wasmill_binary;
use crate::{Entry, Event, Events, Harness, Names, Run, State};

/// What the binary has to speak.
const PROTOCOL: u64 = 2;

/// A loaded plugin. Dropping it ends its process.
///
/// ```no_run
/// use wasmill_harness::{Checked, Harness, Running};
///
/// let mut running: Running = Harness::this_plugin().start()?;
/// let run = running.run([r#"{"severity":"INFO"}"#])?;
/// let event: Checked<'_> = run.event(0);
/// event.assert_passed();
/// running.restart()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the engine says of the plugin: name, version, digest, kinds, what it reads and writes, its limits.
    pub loaded: Value,
}

impl Running {
    pub(crate) fn start(harness: &Harness) -> anyhow::Result<Self> {
        let binary = wasmill_binary()?;
        let mut command = Command::new(&binary);
        command
            .args(["plugin", "pipe"])
            .arg(harness.component()?)
            .args(["--config", &harness.config.to_string(), "--limits", &harness.limits.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(names) = &harness.names {
            command.args(["--reverse-dns", &serde_json::to_string(names)?]);
        }
        // What the plugin says is in the answers.
        if env::var_os("LOG_LEVEL").is_none() && env::var_os("RUST_LOG").is_none() {
            command.env("LOG_LEVEL", "error");
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let input = child.stdin.take().context("the child has no standard input")?;
        let output = BufReader::new(child.stdout.take().context("the child has no standard output")?);
        let mut running = Self { child, input, output, loaded: Value::Null };
        running.loaded = running.read()?["loaded"].take();
        running.check_protocol(&binary)?;
        Ok(running)
    }

    fn check_protocol(&self, binary: &Path) -> anyhow::Result<()> {
        match self.loaded["protocol"].as_u64() {
            Some(PROTOCOL) => Ok(()),
            Some(other) => bail!(
                "{} speaks version {other} of the harness's protocol, and this harness version {PROTOCOL}: take both from one release",
                binary.display()
            ),
            None => bail!("{} is older than this harness: take both from one release", binary.display()),
        }
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// When the plugin is broken: it failed on too many events, or does not start. Its state is then as before.
    pub fn run(&mut self, events: impl Into<Events>) -> anyhow::Result<Run> {
        let Events { list, .. } = events.into();
        let request: Vec<Value> = list.iter().map(|event| Value::Object(event.to_json())).collect();
        let answer = self.ask(&json!({ "events": request }))?;
        Ok(Run { inputs: list, ..of_answer(answer)? })
    }

    /// Runs one batch of events that are all of this time, milliseconds since 1970.
    ///
    /// # Errors
    /// As [`Running::run`].
    pub fn run_at(&mut self, timestamp_ms: i64, events: impl Into<Events>) -> anyhow::Result<Run> {
        self.run(events.into().at_ms(timestamp_ms))
    }

    /// Runs the last batch again with the state from before it, as a pipeline does that ended before its commit. The answer must be the
    /// same; its `inputs` are empty.
    ///
    /// # Errors
    /// When there was none since the last swap or seed, or the plugin is broken.
    pub fn replay(&mut self) -> anyhow::Result<Run> {
        of_answer(self.ask(&json!({ "replay": true }))?)
    }

    /// Goes on as a new process of a pipeline would: with the state alone.
    ///
    /// # Errors
    /// When the engine has ended.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.ask(&json!({ "restart": true })).map(drop)
    }

    /// Has another one serve from the next batch on, as a pipeline does when what is in its plugin directory changes: another file,
    /// configuration or limits. The state stays; look-ups are what they were.
    ///
    /// # Errors
    /// Why it is refused, as by [`Harness::start`], or because its state has another version. What served serves on.
    pub fn swap(&mut self, next: &Harness) -> anyhow::Result<()> {
        let swap = json!({ "file": next.component()?, "config": next.config, "limits": next.limits });
        self.loaded = self.ask(&json!({ "swap": swap }))?["loaded"].take();
        Ok(())
    }

    /// All that is stored of the plugin.
    ///
    /// # Errors
    /// When it keeps no state.
    pub fn state(&mut self) -> anyhow::Result<State> {
        self.seed(&[], None)
    }

    /// Puts entries into the state beside what is there, sets its clock where there is a time (nanoseconds since 1970), and gives all
    /// that is stored then.
    ///
    /// # Errors
    /// When the plugin keeps no state.
    pub fn seed(&mut self, entries: &[Entry], now_ns: Option<i64>) -> anyhow::Result<State> {
        let put: Vec<Value> = entries.iter().map(Entry::to_json).collect();
        State::of_answer(self.ask(&json!({ "state": { "put": put, "now_ns": now_ns } }))?)
    }

    /// Sets what look-ups are answered from now on. Only for a plugin that was granted look-ups.
    ///
    /// # Errors
    /// When an address is none.
    pub fn set_lookups(&mut self, names: &Names) -> anyhow::Result<()> {
        self.ask(&json!({ "lookups": names })).map(drop)
    }

    /// Asks and gives the answer.
    pub(crate) fn ask(&mut self, request: &Value) -> anyhow::Result<Value> {
        writeln!(self.input, "{request}").context("the engine has ended")?;
        self.read()
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the engine has ended without an answer; its messages are on standard error");
        }
        let mut answer: Value = serde_json::from_str(&line).context("the engine's answer cannot be read")?;
        match answer["error"].take() {
            Value::String(reason) => bail!(reason),
            _ => Ok(answer),
        }
    }
}

fn of_answer(answer: Value) -> anyhow::Result<Run> {
    serde_json::from_value(answer).context("the engine's answer cannot be read")
}

/// One event after the other, each a batch of its own: until the plugin fails on one, which is given with what became of it.
pub(crate) fn first_fault(harness: &Harness, events: &[Event]) -> anyhow::Result<Option<Run>> {
    let mut running = harness.start()?;
    for event in events {
        let run = running.run(event.clone())?;
        if run.events.first().is_some_and(|outcome| outcome.is_fault()) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
