//! Chaos: real Kafka → wasmill with four plugins → a real database, while processes and servers die. Then every event must be
//! exactly one row or one dead letter, and every alert there once; and where alerts and dead letters go elsewhere too, there at least
//! once.
//!
//! One seed decides the events and the moments. Short runs are tests (`tests/chaos.rs`), long ones `cargo xtask soak`.

#![allow(clippy::print_stderr, reason = "a long run says how far it is; tests capture it")]

mod arrivals;
mod away;
mod calm;
mod course;
mod events;
mod faults;
mod generations;
mod load;
mod memory;
mod outlets;
mod rates;
mod store;
mod swap;
mod verify;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xtask::services::{Kafka, Timescale};

use crate::kafka::Cluster;
use crate::pipeline::{Pipeline, Ran};
use course::Course;
use events::Stream;
use faults::{Scene, log_of};
use load::{Load, Pace};
use outlets::Outlets;
use verify::{Account, verify};

pub use store::{Kind, Store};

/// How long a run that ends by itself may take for what there is.
const RUN_MAX: Duration = Duration::from_secs(900);

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
    /// Each of three sinks is away for a while in turn, and events keep coming.
    TakeAway(Away<'a>),
    /// The plugins change under load.
    Swap(Changes),
}

/// What plugins change to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Others, every time; each twentieth was never seen before.
    Good,
    /// Every second time to bad ones, and in the middle the worker is killed.
    HalfBad,
}

/// Sinks that are taken away: the run's database, and two more that get its alerts, a topic and a webhook.
#[derive(Debug)]
pub struct Away<'a> {
    /// Has the run's database.
    pub database: &'a mut Timescale,
    /// Has the topic, and nothing else of the run.
    pub broker: &'a mut Kafka,
    /// How long each is away at least.
    pub lasts: Duration,
    /// How many events a second come meanwhile.
    pub rate: u64,
}

impl Fault<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::RestartDatabase(_) => "a database restart",
            Self::RestartBroker(_) => "a broker restart",
            Self::SecondWorker(Leave::Stop) => "a second worker that joins and is stopped",
            Self::SecondWorker(Leave::Kill) => "a second worker that joins and is killed",
            Self::Swap(Changes::Good) => "other plugins",
            Self::Swap(Changes::HalfBad) => "other plugins, half of them bad ones",
            Self::TakeAway(_) => "a database, a topic and a webhook that are away",
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
    /// Whether alerts and dead letters go to topics too. What is there, and the states of plugins, is then compared with those of a
    /// run that nothing disturbs.
    pub has_topics: bool,
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
    elsewhere: Vec<String>,
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
    let course = Course::new(&plan, brokers)?;
    let (outlets, pace) = match &plan.fault {
        Fault::TakeAway(away) => (Outlets::away(&away.broker.brokers())?, Pace::Steady(away.rate)),
        _ if plan.has_topics => (Outlets::topics(brokers)?, Pace::Ahead),
        _ => (Outlets::default(), Pace::Ahead),
    };
    let pipeline = course.pipeline("worker", store, &outlets);
    let reader = course.prepare(store, &pipeline)?;
    let watching = store.reader(&pipeline.path(""))?;
    let load = Load::start(Cluster::at(brokers)?, course.topic().to_owned(), stream, plan.events, pace, watching)?;

    let random = fastrand::Rng::with_seed(plan.seed);
    let mut scene = Scene { pipeline, load, reader, outlets, random, events: plan.events, notes: Vec::new(), began };
    let is_swapped = matches!(plan.fault, Fault::Swap(_));
    let mut worker = scene.suffer(plan.fault, plan.times)?;
    scene.load.progress().end_faults();
    scene.wait_for_load(&mut worker)?;
    let total = scene.load.finish()?;
    scene.note("everything is produced; stopping");
    ended_well("after SIGTERM", &worker.stop())?;
    run_to_end(&scene.pipeline)?;
    scene.note("read to the end; checking");
    // Another reader: a restart may have cut the connection of this one.
    let mut reader = store.reader(&scene.pipeline.path(""))?;
    let account = verify(stream, store.kind(), &mut reader, total)?;
    if is_swapped {
        generations::verify(&mut reader)?;
    }
    let arrived = scene.outlets.verify(stream, store.kind(), &mut reader, total)?;
    let mut elsewhere = arrived.lines();
    if plan.has_topics {
        let values = calm::compare(&course, store, &mut reader, &arrived)?;
        elsewhere.push(format!("{values:>9} values of plugins and every id as in an undisturbed run"));
    }
    Ok(Outcome::new(total, account, elsewhere, scene.notes, began.elapsed()))
}

/// Runs a pipeline until it has read what there is.
fn run_to_end(pipeline: &Pipeline) -> Result<()> {
    let running = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"");
    let ran = running.wait(RUN_MAX);
    ended_well("at the end", &ran)?;
    ran.assert_sums(&["rows"]);
    Ok(())
}

fn ended_well(when: &str, ran: &Ran) -> Result<()> {
    ensure!(ran.code == Some(0), "the worker's exit code {when} was {:?}; it said:\n{}", ran.code, log_of(ran));
    Ok(())
}

impl Outcome {
    fn new(events: u64, account: Account, elsewhere: Vec<String>, notes: Vec<String>, took: Duration) -> Self {
        let dead_letters = account.letters.values().sum();
        let by_code = account.letters.into_iter().collect();
        Self { events, rows: account.rows, dead_letters, alerts: account.alerts, by_code, elsewhere, notes, took }
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
        writeln!(f, "  {alerts:>9} alerts")?;
        self.elsewhere.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
