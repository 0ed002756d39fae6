//! `wasmill demo`: the main job with no server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use crate::cli::{DemoArgs, Output};
use crate::commands::run::{Until, publish, run_config};
use crate::commands::{Exit, say};
use crate::config::{Config, Environment, SinkKind};
use crate::demo::events::Events;
use crate::demo::{DemoFiles, TOPIC, results};
use crate::kafka::mock::MockBroker;
use crate::status::Status;

/// Of a hundred events so many are hostile.
const HOSTILE_PERCENT: f64 = 1.0;

/// Runs the demo.
///
/// # Errors
/// When its folder cannot be written or the shipped plugins are not found.
pub async fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let temporary;
    let folder: &Path = match &args.keep {
        Some(folder) => folder,
        None => {
            temporary = TemporaryFolder::make()?;
            &temporary.0
        }
    };
    let files = DemoFiles::write(folder)?;
    let broker = Arc::new(MockBroker::start(TOPIC).context("the demo's broker does not start")?);
    say(
        "wasmill demo: a mock Kafka broker inside this process, reached through the real client; everything else is as in production\n",
    );
    let variables = [("KAFKA_BROKERS", broker.brokers())];
    let mut config = match Config::load_with(&files.pipeline(), &variables.into_iter().collect::<Environment>()) {
        Ok(config) => config,
        Err(mistakes) => return Ok(Exit::bad_setup(mistakes.to_string())),
    };
    if args.format == Output::Json {
        // Standard output is the report's alone.
        config.sinks.retain(|sink| !matches!(sink.kind, SinkKind::Stdout { .. }));
    }
    let (events, seed) = (args.events, args.seed);
    // The run's own handle on the broker: it ends only after the consumer has left its group.
    let fed = Arc::clone(&broker);
    let feed = move |status: Arc<Status>| {
        std::thread::spawn(move || feed(&fed, &status, seed, events));
    };
    let (exit, report) = run_config(config, Until::Received(events), args.format, feed).await?;
    drop(broker);
    let Some(report) = report else { return Ok(exit) };
    publish(&report, None, args.format)?;
    if args.format == Output::Text {
        say(&results(&files.database()).await.context("the demo's database cannot be read")?);
        say(&advice(args.keep.as_deref()));
    }
    Ok(exit)
}

fn feed(broker: &MockBroker, status: &Status, seed: u64, events: u64) {
    let made = Events::new(seed, HOSTILE_PERCENT);
    let fed = broker.feed((0..events).map(|n| made.event(n)), || status.tally.received(), &AtomicBool::new(false));
    if let Err(error) = fed {
        tracing::error!("the demo's generator stopped: {error}");
    }
}

fn advice(kept: Option<&Path>) -> String {
    match kept {
        Some(folder) => {
            let folder = folder.display();
            format!(
                "\nlook further:\n  sqlite3 {folder}/demo.db 'SELECT * FROM alerts LIMIT 10'\n  \
                 sqlite3 {folder}/demo.db 'SELECT * FROM wasmill_commits'\n  cat {folder}/pipeline.yaml {folder}/plugins.d/*.yaml\n  \
                 wasmill schema\n"
            )
        }
        None => {
            "\nlook further: `wasmill demo --keep DIR` keeps the database, the pipeline and the plugins; then point \
                 `wasmill run` at your own Kafka\n"
                .to_owned()
        }
    }
}

/// A folder that is deleted with this value.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> anyhow::Result<Self> {
        let name = format!("wasmill-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} could not be deleted: {error}", self.0.display());
        }
    }
}
