//! What `cargo xtask bench` runs: every speed claim, each against a control in the same run. And what `cargo xtask soak` runs.

mod boundary;
mod fairness;
mod growth;
mod kafka;
mod kafka_kafka;
mod latency;
mod load;
mod measure;
mod metering;
mod on_duplicate;
mod project;
mod rdns;
mod soak;
mod swaps;
mod timescale;
mod watchdog;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use measure::Measurement;

/// As in `wasmill`, for subjects and controls.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures wasmill.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure each NAME (all without one): project, boundary, metering, watchdog, load, kafka_discard, kafka_kafka, timescale, on_duplicate, latency, swaps, growth, rdns,
    /// fairness
    Bench {
        /// Write the measurements to this file as a JSON list
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// What to measure
        names: Vec<String>,
    },
    /// Kill, restart, rebalance and take sinks away under load, and then look for each of a million events
    Soak(soak::SoakArgs),
    /// The control of `kafka_discard`: a bare librdkafka consumer that counts
    #[command(hide = true)]
    Consume { brokers: String, topic: String, events: u64 },
    /// The control of `kafka_kafka`: a bare librdkafka consumer that hands each payload to a bare producer
    #[command(hide = true)]
    Relay { brokers: String, from: String, to: String, events: u64 },
}

type Bench = fn() -> anyhow::Result<Vec<Measurement>>;

const BENCHES: [(&str, Bench); 14] = [
    ("project", project::run),
    ("boundary", boundary::run),
    ("metering", metering::run),
    ("watchdog", watchdog::run),
    ("load", load::run),
    ("kafka_discard", kafka::run),
    ("kafka_kafka", kafka_kafka::run),
    ("timescale", timescale::run),
    ("on_duplicate", on_duplicate::run),
    ("latency", latency::run),
    ("swaps", swaps::run),
    ("growth", growth::run),
    ("rdns", rdns::run),
    ("fairness", fairness::run),
];

fn main() -> anyhow::Result<()> {
    if std::env::args_os().nth(1).is_some_and(|first| first == wasmill_engine::COMPILE_ARGUMENT) {
        let _ = wasmill_engine::compile_child_main();
        return Ok(());
    }
    match Cli::parse().command {
        Command::Consume { brokers, topic, events } => kafka::consume(&brokers, &topic, events),
        Command::Relay { brokers, from, to, events } => kafka_kafka::relay(&brokers, &from, &to, events),
        Command::Soak(args) => soak::soak(&args),
        Command::Bench { json, names } => bench(json, &names),
    }
}

fn bench(json: Option<PathBuf>, names: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("there is no benchmark {unknown}; there are {}", known.join(", "));
    }
    let mut all = Vec::new();
    for (name, run) in BENCHES.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name))
    {
        let measured = run().with_context(|| format!("the benchmark {name} failed"))?;
        measured.iter().for_each(Measurement::print);
        all.extend(measured);
    }
    if let Some(file) = json {
        std::fs::write(&file, serde_json::to_string_pretty(&all)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
