//! What `cargo xtask soak` runs: chaos at length.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use wasmill_tests::chaos::{Away, Changes, Fault, Leave, Outcome, Plan, Store, run};
use wasmill_tests::public_logs;
use wasmill_tests::services::{self, Database};
use xtask::skip::skip;

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
    /// How often the plugins change
    #[arg(long, default_value_t = 200)]
    swaps: usize,
    /// How often a server is restarted, and how often a second worker joins
    #[arg(long, default_value_t = 3)]
    faults: usize,
    /// For how many seconds each of three sinks is away
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=90))]
    away: u64,
    /// A clone of <https://github.com/logpai/loghub>, for public_logs
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Which runs, all without one: timescale, sqlite, kafka, database, broker, swap, swap_bad, away, leave, killed, public_logs
    names: Vec<String>,
}

type Run = fn(&SoakArgs, u64) -> Result<Outcome>;

/// Events a second while sinks are away.
const AWAY_RATE: u64 = 3_000;

const RUNS: [(&str, Run); 10] = [
    ("timescale", timescale),
    ("sqlite", sqlite),
    ("kafka", kafka),
    ("database", database),
    ("broker", broker),
    ("swap", swap),
    ("swap_bad", swap_bad),
    ("away", away),
    ("leave", |args, seed| second_worker(args, seed, Leave::Stop)),
    ("killed", |args, seed| second_worker(args, seed, Leave::Kill)),
];

/// The run over what others logged, which needs their lines.
const PUBLIC_LOGS: &str = "public_logs";

impl SoakArgs {
    fn plan<'a>(&self, seed: u64, fault: Fault<'a>, times: usize) -> Plan<'a> {
        Plan { events: self.events, seed, fault, times, is_static: false, has_topics: false }
    }
}

/// Runs them all, and fails at the end when one did.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn soak(args: &SoakArgs) -> Result<()> {
    if let Some(unknown) =
        args.names.iter().find(|name| *name != PUBLIC_LOGS && !RUNS.iter().any(|(known, _)| known == name))
    {
        let known: Vec<&str> = RUNS.iter().map(|(name, _)| *name).collect();
        bail!("there is no run {unknown}; there are {}, {PUBLIC_LOGS}", known.join(", "));
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
    if (args.names.is_empty() || args.names.iter().any(|name| name == PUBLIC_LOGS))
        && let Err(error) = public_logs(args)
    {
        println!("{PUBLIC_LOGS}: FAILED\n{error:#}");
        failed.push(PUBLIC_LOGS);
    }
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("failed: {}; again by `cargo xtask soak --seed {seed} {}`", failed.join(", "), failed.join(" ")),
    }
}

#[allow(clippy::print_stdout, reason = "the program's output")]
fn public_logs(args: &SoakArgs) -> Result<()> {
    let Some(folder) = &args.logs else {
        skip(
            "public_logs: no line of others was sent; name a clone of https://github.com/logpai/loghub by `--logs DIR`",
        );
        return Ok(());
    };
    println!("{PUBLIC_LOGS}: passed\n{}", public_logs::run(folder, &brokers()?)?);
    Ok(())
}

fn timescale(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    run(Plan { is_static: true, ..args.plan(seed, Fault::Kill, args.kills) }, &brokers()?, &shared_timescale()?)
}

fn swap(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    swapped(args, seed, Changes::Good)
}

fn swap_bad(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    swapped(args, seed, Changes::HalfBad)
}

fn swapped(args: &SoakArgs, seed: u64, changes: Changes) -> Result<Outcome> {
    run(
        Plan { is_static: true, ..args.plan(seed, Fault::Swap(changes), args.swaps) },
        &brokers()?,
        &shared_timescale()?,
    )
}

fn sqlite(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    run(args.plan(seed, Fault::Kill, args.kills), &brokers()?, &Store::Sqlite)
}

fn kafka(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let plan = Plan { is_static: true, has_topics: true, ..args.plan(seed, Fault::Kill, args.kills) };
    run(plan, &brokers()?, &shared_timescale()?)
}

fn database(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let mut server = services::own_timescale().context("this run needs a TimescaleDB of its own")?;
    let store = Store::Timescale(Database::create_in(&server.url("postgres"))?);
    let fault = Fault::RestartDatabase(&mut server);
    run(args.plan(seed, fault, args.faults), &brokers()?, &store)
}

fn broker(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let mut server = services::own_kafka().context("this run needs a Kafka of its own")?;
    let brokers = server.brokers();
    let fault = Fault::RestartBroker(&mut server);
    run(args.plan(seed, fault, args.faults), &brokers, &shared_timescale()?)
}

fn away(args: &SoakArgs, seed: u64) -> Result<Outcome> {
    let mut database = services::own_timescale().context("this run needs a TimescaleDB of its own")?;
    let mut broker = services::own_kafka().context("this run needs a Kafka of its own")?;
    let store = Store::Timescale(Database::create_in(&database.url("postgres"))?);
    let (lasts, rate) = (Duration::from_secs(args.away), AWAY_RATE);
    let fault = Fault::TakeAway(Away { database: &mut database, broker: &mut broker, lasts, rate });
    // Half of them are there at the start: as many as an absence has wait.
    let plan = Plan { events: 2 * rate * args.away, ..args.plan(seed, fault, 1) };
    run(plan, &brokers()?, &store)
}

fn second_worker(args: &SoakArgs, seed: u64, leave: Leave) -> Result<Outcome> {
    let plan = args.plan(seed, Fault::SecondWorker(leave), args.faults);
    run(plan, &brokers()?, &shared_timescale()?)
}

fn brokers() -> Result<String> {
    services::kafka().context("this run needs a real Kafka")
}

fn shared_timescale() -> Result<Store> {
    Ok(Store::Timescale(Database::create().context("this run needs a real TimescaleDB")?))
}
