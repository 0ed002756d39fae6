//! Chaos: real Kafka → wasmill with all plugins → a real database, while processes and servers die. Then every event must be
//! exactly one row or one dead letter, and every alert there once.
//!
//! One seed decides the events and the moments. Short runs are tests (`tests/chaos.rs`), long ones `cargo xtask soak`.

#![allow(clippy::print_stderr, reason = "a long run says how far it is; tests capture it")]

mod events;
mod faults;
mod load;
mod rates;
mod store;
mod verify;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wasmill::demo::events::STEP_MS;
use xtask::services::{Kafka, Timescale};

use crate::kafka::Cluster;
use crate::pipeline::{Pipeline, Ran};
use crate::services::unique;
use events::{PARTITIONS, PLUGINS, Stream};
use faults::{Scene, log_of};
use load::Load;
use verify::{Account, verify};

pub use store::{Kind, Store};

/// How long the last run may take for what is left.
const LAST_RUN_MAX: Duration = Duration::from_secs(600);
/// The least batches of a run, so that even a short one has commits to be hit.
const BATCHES_MIN: u64 = 160;
/// Most events of a batch by default.
const BATCH_EVENTS: u64 = 2_000;

/// What goes wrong.
#[derive(Debug)]
pub enum Fault<'a> {
    /// The worker is killed (SIGKILL) and started again.
    Kill,
    /// The database server of the run is killed or stopped in turn, and started again.
    RestartDatabase(&'a mut Timescale),
    /// The broker of the run is killed or stopped in turn, and started again.
    RestartBroker(&'a mut Kafka),
    /// A second worker of the same group joins, and leaves.
    SecondWorker(Leave),
}

impl Fault<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::RestartDatabase(_) => "a database restart",
            Self::RestartBroker(_) => "a broker restart",
            Self::SecondWorker(Leave::Stop) => "a second worker that joins and is stopped",
            Self::SecondWorker(Leave::Kill) => "a second worker that joins and is killed",
        }
    }
}

/// How a worker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// By SIGTERM; its exit code must be 0.
    Stop,
    /// By SIGKILL.
    Kill,
}

impl Leave {
    fn done(self) -> &'static str {
        match self {
            Self::Stop => "stopped",
            Self::Kill => "killed",
        }
    }
}

/// A run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// How many events at least; more are produced while faults are still to come.
    pub events: u64,
    /// Decides all that is left to chance.
    pub seed: u64,
    /// What goes wrong.
    pub fault: Fault<'a>,
    /// How often.
    pub times: usize,
    /// Whether the worker is a static member of its group, which takes its partitions up at once after a kill; else its
    /// session has to end first.
    pub is_static: bool,
}

/// What a run came to. Its text is a table.
#[derive(Debug)]
pub struct Outcome {
    /// Events that were produced.
    pub events: u64,
    /// Events that became rows.
    pub rows: u64,
    /// Events that became dead letters.
    pub dead_letters: u64,
    /// Alerts.
    pub alerts: u64,
    by_code: Vec<(String, u64)>,
    notes: Vec<String>,
    took: Duration,
}

/// Runs a plan against a broker, into a database.
///
/// # Errors
/// When an event is missing, doubled or changed, a worker ended that must not, or nothing went on; with the seed.
pub fn run(plan: Plan<'_>, brokers: &str, store: &Store) -> Result<Outcome> {
    let seed = plan.seed;
    let (times, fault) = (plan.times, plan.fault.name());
    eprintln!("chaos: {} events into {:?}, {times} times {fault}, seed {seed}", plan.events, store.kind());
    played(plan, brokers, store).with_context(|| format!("chaos with the seed {seed}"))
}

fn played(plan: Plan<'_>, brokers: &str, store: &Store) -> Result<Outcome> {
    let began = Instant::now();
    let stream = Stream::new(plan.seed);
    let name = unique("chaos");
    let pipeline = pipeline(&plan, brokers, store, &name);
    let mut reader = store.reader(&pipeline.path(""))?;
    store.make_tables(&mut reader, plan.events * STEP_MS.unsigned_abs() / 1_000)?;
    let cluster = Cluster::at(brokers)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Events have times of their own, and some are older than what a broker keeps by default.
    runtime.block_on(cluster.create(&name, i32::try_from(PARTITIONS)?, &[("retention.ms", "-1")]))?;
    let watching = store.reader(&pipeline.path(""))?;
    let load = Load::start(cluster, name, stream, plan.events, watching)?;

    let random = fastrand::Rng::with_seed(plan.seed);
    let mut scene = Scene { pipeline, load, reader, random, events: plan.events, notes: Vec::new(), began };
    let mut worker = scene.suffer(plan.fault, plan.times)?;
    scene.load.progress().end_faults();
    scene.wait_for_load(&mut worker)?;
    let total = scene.load.finish()?;
    scene.note("everything is produced; stopping");
    ended_well("after SIGTERM", &worker.stop())?;
    let last = scene.pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"");
    let last = last.wait(LAST_RUN_MAX);
    ended_well("at the end", &last)?;
    last.assert_sums(&["rows"]);
    scene.note("read to the end; checking");
    // Another reader: a restart may have cut the connection of this one.
    let account = verify(stream, store.kind(), &mut store.reader(&scene.pipeline.path(""))?, total)?;
    Ok(Outcome::new(total, account, scene.notes, began.elapsed()))
}

fn pipeline(plan: &Plan<'_>, brokers: &str, store: &Store, name: &str) -> Pipeline {
    let member = if plan.is_static { "    group_instance_id: worker-1\n" } else { "" };
    let batch = (plan.events / BATCHES_MIN).clamp(1, BATCH_EVENTS);
    let yaml = format!(
        "name: {name}
source:
  kafka:
    brokers: \"{brokers}\"
    topics: [{name}]
    group: {name}
    from: earliest
{member}    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }}
plugins: plugins.d
batch: {{ events_max: {batch} }}
retry: {{ initial: 50ms, max: 1s }}
{}",
        store.sinks()
    );
    (1..)
        .zip(PLUGINS)
        .fold(Pipeline::new(&yaml), |pipeline, (place, (name, yaml))| pipeline.plugin(10 * place, name, yaml))
}

fn ended_well(when: &str, ran: &Ran) -> Result<()> {
    ensure!(ran.code == Some(0), "the worker's exit code {when} was {:?}; it said:\n{}", ran.code, log_of(ran));
    Ok(())
}

impl Outcome {
    fn new(events: u64, account: Account, notes: Vec<String>, took: Duration) -> Self {
        let dead_letters = account.letters.values().sum();
        let by_code = account.letters.into_iter().collect();
        Self { events, rows: account.rows, dead_letters, alerts: account.alerts, by_code, notes, took }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))?;
        let Self { events, rows, dead_letters, alerts, .. } = self;
        let seconds = self.took.as_secs_f64();
        writeln!(f, "  {events:>9} events in {seconds:.0} s, each of them exactly once:")?;
        writeln!(f, "  {rows:>9} rows")?;
        writeln!(f, "  {dead_letters:>9} dead letters")?;
        self.by_code.iter().try_for_each(|(code, count)| writeln!(f, "            {count:>9} {code}"))?;
        writeln!(f, "  {alerts:>9} alerts")
    }
}
