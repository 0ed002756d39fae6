//! Sinks that are away for a while, one after the other, under a load that goes on: the lanes wait, catch up, and need no memory
//! for that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xtask::services::{Kafka, Timescale};

use super::Away;
use super::faults::Scene;
use super::memory::Memory;
use super::outlets::Switch;
use crate::admin::Admin;
use crate::pipeline::Running;

/// A sink that can be away.
enum Sink<'a> {
    Database(&'a mut Timescale),
    Topic(&'a mut Kafka),
    Hook(Switch),
}

impl Sink<'_> {
    /// Its name in the pipeline.
    fn name(&self) -> &'static str {
        match self {
            Self::Database(_) => "rows",
            Self::Topic(_) => "topic",
            Self::Hook(_) => "hook",
        }
    }

    fn leave(&mut self) -> Result<()> {
        match self {
            Self::Database(server) => server.kill(),
            Self::Topic(server) => server.kill(),
            Self::Hook(hook) => {
                hook.set_away(true);
                Ok(())
            }
        }
    }

    fn come_back(&mut self) -> Result<()> {
        match self {
            Self::Database(server) => server.restart(),
            Self::Topic(server) => server.restart(),
            Self::Hook(hook) => {
                hook.set_away(false);
                Ok(())
            }
        }
    }
}

impl Scene {
    /// Has each of the three sinks be away so often, and leaves the worker running.
    pub(super) fn take_away(&mut self, away: Away<'_>, times: usize) -> Result<Running> {
        let Away { database, broker, lasts, rate } = away;
        let hook = self.outlets.hook().context("such a run has a webhook")?;
        let mut sinks = [Sink::Database(database), Sink::Topic(broker), Sink::Hook(hook)];
        let mut worker = self.pipeline.start();
        let admin = Admin::of(&mut worker);
        let memory = Memory::of(worker.id(), "before");
        self.catch_up(&mut worker, &admin)?;
        self.note("what was there at the start is worked off");
        for _ in 0..times {
            for sink in &mut sinks {
                let name = sink.name();
                memory.part(&format!("without {name}"));
                sink.leave()?;
                self.note(&format!("{name} is away"));
                self.stay_away(&mut worker, &admin, name, lasts, rate)?;
                sink.come_back()?;
                memory.part("after it");
                self.note(&format!("{name} is back"));
                self.catch_up(&mut worker, &admin)?;
                self.note("the backlog is worked off");
            }
        }
        let memory = memory.judge()?;
        self.note(&memory);
        Ok(worker)
    }

    /// Waits while a sink is away, and until that is told. Events go on to come, and nearly all of them wait.
    fn stay_away(&mut self, worker: &mut Running, admin: &Admin, sink: &str, lasts: Duration, rate: u64) -> Result<()> {
        let (since, before) = (Instant::now(), self.load.progress().produced());
        let part = format!("sink {sink}");
        self.wait(worker, &format!("{part} is said to be away"), |_, _| {
            Ok(since.elapsed() >= lasts && admin.red(&part).is_some())
        })?;
        let (came, waiting) = (self.load.progress().produced() - before, self.load.progress().waiting());
        let least = rate * lasts.as_millis() as u64 / 2_000;
        ensure!(came >= least, "only {came} events came while {sink} was away, and at least {least} should have");
        ensure!(waiting >= least, "only {waiting} events wait while {sink} is away, and {came} came");
        Ok(())
    }

    /// Waits until nothing waits, and every part of the worker works.
    fn catch_up(&mut self, worker: &mut Running, admin: &Admin) -> Result<()> {
        self.wait(worker, "the backlog is worked off", |_, progress| {
            Ok(progress.waiting() == 0 && admin.get("/health/ready").0 == 200)
        })
    }
}
