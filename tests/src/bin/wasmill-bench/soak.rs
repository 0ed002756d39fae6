//! What `cargo xtask soak` runs: chaos at length.

use anyhow::{Context, Result, bail};
use clap::Args;
use wasmill_tests::chaos::{Fault, Leave, Outcome, Plan, Store, run};
use wasmill_tests::services::{self, Database};

/// What is left to chance and to the patience of the one who waits.
#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// Decides events and moments; by default another one at each run, which is printed
    #[arg(long)]
    seed: Option<u64>,
    /// Events of each run
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// How often the worker is killed
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// How often a server is restarted, and how often a second worker joins
    #[arg(long, default_value_t = 3)]
    faults: usize,
    /// Which runs, all without one: timescale, sqlite, database, broker, leave, killed
    names: Vec<String>,
}

type Run = fn(&SoakArgs, u64) -> Result<Outcome>;

const RUNS: [(&str, Run); 6] = [
    ("timescale", timescale),
    ("sqlite", sqlite),
    ("database", database),
    ("broker", broker),
    ("leave", |args, seed| second_worker(args, seed, Leave::Stop)),
    ("killed", |args, seed| second_worker(args, seed, Leave::Kill)),
];

/// Runs them all, and fails at the end when one did.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn soak(args: &SoakArgs) -> Result<()> {
    if let Some(unknown) = args.names.iter().find(|name| !RUNS.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = RUNS.iter().map(|(name, _)| *name).collect();
        bail!("there is no run {unknown}; there are {}", known.join(", "));
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("soak: seed {seed}");
    let mut failed = Vec::new();
    for (name, run) in RUNS.iter().filter(|(name, _)| args.names.is_empty() || args.names.iter().any(|one| one == name))
    {
        match run(args, seed) {
            Ok(outcome) => println!("{name}: passed\n{outcome}"),
            Err(error) => {
                println!("{name}: FAILED\n{error:#}");
                failed.push(*name);
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("failed: {}; again by `cargo xtask soak --seed {seed} {}`", failed.join(", "), failed.join(" ")),
    }
}

fn timescale(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let plan = Plan { events: args.events, seed, fault: Fault::Kill, times: args.kills, is_static: true };
    run(plan, &brokers()?, &shared_timescale()?)
}

fn sqlite(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let plan = Plan { events: args.events, seed, fault: Fault::Kill, times: args.kills, is_static: false };
    run(plan, &brokers()?, &Store::Sqlite)
}

fn database(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let mut server = services::own_timescale().context("this run needs a TimescaleDB of its own")?;
    let store = Store::Timescale(Database::create_in(&server.url("postgres"))?);
    let fault = Fault::RestartDatabase(&mut server);
    let plan = Plan { events: args.events, seed, fault, times: args.faults, is_static: false };
    run(plan, &brokers()?, &store)
}

fn broker(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let mut server = services::own_kafka().context("this run needs a Kafka of its own")?;
    let brokers = server.brokers();
    let fault = Fault::RestartBroker(&mut server);
    let plan = Plan { events: args.events, seed, fault, times: args.faults, is_static: false };
    run(plan, &brokers, &shared_timescale()?)
}

fn second_worker(args: &SoakArgs, seed: u64, leave: Leave) -> Result<Outcome> {
    let fault = Fault::SecondWorker(leave);
    let plan = Plan { events: args.events, seed, fault, times: args.faults, is_static: false };
    run(plan, &brokers()?, &shared_timescale()?)
}

fn brokers() -> Result<String> {
    services::kafka().context("this run needs a real Kafka")
}

fn shared_timescale() -> Result<Store> {
    Ok(Store::Timescale(Database::create().context("this run needs a real TimescaleDB")?))
}
