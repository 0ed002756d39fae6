//! One plugin of one kind over the live events of a batch: a call, and where it fails, the search for the events that it fails on.
//!
//! A call that fails is split, halves in order, each in an instance of its own, until the guilty events are alone: those are
//! rejected. The others end up in calls that succeed, with the results that they would have had without the guilty ones.

mod broken;

use std::time::Instant;

use wasmill_core::{Batch, Rejection, Stage};

use crate::answer;
use crate::blame::{Blame, Gate, TooMany};
use crate::contract::Kinds;
use crate::fault::Fault;
use crate::gather::Source;
use crate::generation::Worker;
use crate::guest_log::{self, Said};
use crate::held::Limit;
use crate::instance::{Instance, NoInstance};
use crate::load::{InstanceMode, Plugin};
use crate::outcome::{BreakerState, Broken, Cost, Outcome};
use crate::state::States;
use crate::state::call::StateCall;
use crate::watch::Watch;

/// As what a plugin is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Validator,
    Enricher,
    Alerter,
}

impl Kind {
    pub(crate) fn is_of(self, kinds: Kinds) -> bool {
        match self {
            Self::Validator => kinds.validator,
            Self::Enricher => kinds.enricher,
            Self::Alerter => kinds.alerter,
        }
    }

    pub(crate) fn stage(self) -> Stage {
        match self {
            Self::Validator => Stage::Validate,
            Self::Enricher => Stage::Enrich,
            Self::Alerter => Stage::Alert,
        }
    }
}

/// One step of a generation.
pub(crate) struct Run<'a> {
    pub(crate) plugin: &'a Plugin,
    pub(crate) index: usize,
    pub(crate) kind: Kind,
    /// What one call gets.
    pub(crate) fuel: u64,
    pub(crate) sources: &'a [Source],
    pub(crate) watch: Watch,
}

/// A step that is going on.
struct Ongoing<'a> {
    run: &'a Run<'a>,
    batch: &'a mut Batch,
    blame: &'a mut Blame,
    states: &'a mut States,
    worker: &'a mut Worker,
    outcome: &'a mut Outcome,
    cost: Cost,
    /// Fuel of the calls that succeeded.
    fuel_used: u64,
    /// Events that are through with the plugin, one way or the other; they are the first ones.
    settled: usize,
    /// Those of them that it failed on.
    failed: Vec<u32>,
    said: Said,
}

/// Why a call gave nothing.
enum Failure {
    /// The events', or the plugin's, fault.
    Fault(Fault),
    /// Nobody's: the state has no room for all that was stored. Which keys have to go is to be seen event by event, so that it does
    /// not depend on where the batch was cut.
    NoRoom,
    /// Nothing that splitting could help.
    Broken(Broken),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Run<'_> {
    /// Runs the plugin over all live events.
    pub(crate) fn step(
        &self,
        batch: &mut Batch,
        memory: (&mut Blame, &mut States),
        worker: &mut Worker,
        outcome: &mut Outcome,
    ) -> Result<(), Broken> {
        let (blame, states) = memory;
        let start = Instant::now();
        self.watch.enter(self.index, start);
        let mut events = std::mem::take(&mut worker.events);
        events.clear();
        events.extend_from_slice(&batch.live);
        worker.gone.clear();
        let first = blame.event(events[0]);
        let gate = blame.gate(self.plugin.id(), first);
        let cost = Cost { events: events.len() as u64, ..Cost::default() };
        let at_once = self.events_at_once(worker, events.len());
        let mut ongoing = Ongoing {
            run: self,
            batch,
            blame,
            states,
            worker,
            outcome,
            cost,
            fuel_used: 0,
            settled: 0,
            failed: Vec::new(),
            said: Said::default(),
        };
        let done = ongoing.pass(gate, &events, at_once);
        ongoing.finish(start);
        worker.events = events;
        self.watch.leave();
        done
    }

    /// How many events to hand over in one call: all, unless the last batch says that they will not get by with one call's
    /// fuel. Only saves calls that would fail; results do not depend on it.
    fn events_at_once(&self, worker: &Worker, events: usize) -> usize {
        let Some(appetite) = worker.kept.appetites.get(&(self.index, self.kind)) else { return events };
        let fit = (self.fuel - self.fuel / 4) / (*appetite).max(1);
        events.min(usize::try_from(fit).unwrap_or(events)).max(1)
    }

    fn broken(&self, too_many: TooMany, fault: &Fault) -> Broken {
        Broken::Plugin {
            id: self.plugin.id(),
            plugin: self.plugin.reference().clone(),
            file: self.plugin.file().to_owned(),
            guilty: too_many.guilty,
            events: too_many.events,
            reason: fault.text.clone(),
        }
    }
}

impl Ongoing<'_> {
    /// Gets an answer for every event, rejects it, or has it pass by.
    fn pass(&mut self, gate: Gate, events: &[u32], at_once: usize) -> Result<(), Broken> {
        match gate {
            Gate::Closed => {}
            Gate::HalfOpen => self.turn(BreakerState::HalfOpen, self.offset(events[0])),
            Gate::Open(open) => {
                self.skip(&[], events, &open);
                return Ok(());
            }
        }
        let done = events.chunks(at_once).try_for_each(|part| self.settle(part));
        match done {
            Ok(()) => self.trial(),
            Err(broken) => self.open(events, broken),
        }
    }

    fn offset(&self, event: u32) -> i64 {
        self.batch.raw.records()[event as usize].offset
    }

    /// Gets an answer for every one of `events`, or rejects it. Recursion is as deep as the events can be halved.
    fn settle(&mut self, events: &[u32]) -> Result<(), Broken> {
        match self.call(events) {
            Ok(()) => {
                self.settled += events.len();
                Ok(())
            }
            Err(Failure::Broken(broken)) => Err(broken),
            Err(Failure::Fault(fault)) => match events {
                [event] => self.reject(*event, &fault),
                _ => self.settle_halves(events),
            },
            Err(Failure::NoRoom) => self.settle_halves(events),
        }
    }

    fn settle_halves(&mut self, events: &[u32]) -> Result<(), Broken> {
        let (first, second) = events.split_at(events.len() / 2);
        self.settle(first)?;
        self.settle(second)
    }

    fn reject(&mut self, event: u32, fault: &Fault) -> Result<(), Broken> {
        let plugin = self.run.plugin.reference();
        let added = self.blame.add(self.run.plugin.id(), self.blame.event(event));
        added.map_err(|too_many| self.run.broken(too_many, fault))?;
        self.settled += 1;
        self.failed.push(event);
        self.cost.rejected += 1;
        // What a trial has less fuel for says nothing of the plugin.
        let is_short = fault.code == "fuel" && self.run.fuel < self.run.plugin.template().limits.fuel_per_event;
        self.cost.failed += u64::from(!is_short);
        self.worker.gone.push(event);
        self.outcome.rejections.push(Rejection {
            event,
            stage: self.run.kind.stage(),
            plugin: Some(plugin.clone()),
            sink: None,
            code: fault.code.into(),
            reason: format!("the plugin {} {}", plugin.name, fault.text),
        });
        Ok(())
    }

    /// One call for `events`, and its answer taken over.
    fn call(&mut self, events: &[u32]) -> Result<(), Failure> {
        let mut instance = self.instance().map_err(Failure::Broken)?;
        self.cost.calls += 1;
        self.lend_state(&mut instance, events).map_err(Failure::Broken)?;
        let done = self.ask(&mut instance, events);
        self.take_state_back(&mut instance, done.is_ok());
        self.cost.memory_bytes = self.cost.memory_bytes.max(instance.memory_bytes());
        let fuel = self.run.fuel.saturating_sub(instance.fuel_left());
        self.cost.fuel += fuel;
        let said = instance.said();
        match done {
            Ok(()) => {
                self.fuel_used += fuel;
                // A plugin may live with memory that it does not get.
                instance.denied().into_iter().for_each(|limit| self.cost.held.count(limit, 1));
                self.said.add(said, self.run.plugin.template().limits.log_lines as usize);
                if self.run.plugin.instance_mode() == InstanceMode::Reuse {
                    self.worker.kept.instances.insert(self.run.index, instance);
                }
                Ok(())
            }
            Err(failure) => {
                if let Failure::Fault(fault) = &failure {
                    self.cost.faults.count(fault.code);
                    fault.limit.into_iter().for_each(|limit| self.cost.held.count(limit, 1));
                }
                Err(failure)
            }
        }
    }

    /// Gives a plugin that keeps state its map for a call.
    fn lend_state(&mut self, instance: &mut Instance, events: &[u32]) -> Result<(), Broken> {
        let plugin = self.run.plugin;
        let Some(state) = plugin.state() else { return Ok(()) };
        if self.states.are_lost {
            let problem = "a batch could not be run, and the state went with it".to_owned();
            return Err(Broken::Engine { plugin: plugin.reference().clone(), problem });
        }
        let (times, records) = (&self.batch.times, self.batch.raw.records());
        let event = |event: &u32| {
            let record = &records[*event as usize];
            (times[*event as usize].min(record.timestamp_ns), record.offset)
        };
        let map = self.states.take(&state.name);
        let call = StateCall::new(map, events.iter().map(event), &plugin.template().limits);
        instance.store.data_mut().state = Some(Box::new(call));
        Ok(())
    }

    /// Takes the map back, with what was stored if the call counts.
    fn take_state_back(&mut self, instance: &mut Instance, counts: bool) {
        let Some(state) = self.run.plugin.state() else { return };
        let Some(call) = instance.store.data_mut().state.take() else { return };
        let (map, evicted) = if counts { call.take_over() } else { (call.discard(), 0) };
        self.cost.held.count(Limit::StateBytes, evicted as u64);
        self.states.put(&state.name, map);
    }

    fn instance(&mut self) -> Result<Instance, Broken> {
        if let Some(instance) = self.worker.kept.instances.remove(&self.run.index) {
            return Ok(instance);
        }
        let plugin = self.run.plugin;
        self.cost.instances += 1;
        Instance::new(plugin.template()).map_err(|problem| match problem {
            NoInstance::Host(problem) => Broken::Engine { plugin: plugin.reference().clone(), problem },
            NoInstance::Plugin(fault) => Broken::Start {
                id: plugin.id(),
                plugin: plugin.reference().clone(),
                file: plugin.file().to_owned(),
                reason: fault.text,
            },
        })
    }

    fn ask(&mut self, instance: &mut Instance, events: &[u32]) -> Result<(), Failure> {
        let Run { plugin, kind, fuel, sources, .. } = *self.run;
        let (template, reference, limits) = (plugin.template(), plugin.reference(), &plugin.template().limits);
        let columns = self.worker.gathered.gather(self.batch, events, sources);
        self.cost.bytes_in += columns.bytes() as u64;
        match kind {
            Kind::Validator => {
                let answer = instance.validate(template, fuel, columns)?;
                self.cost.bytes_out += answer.bytes() as u64;
                has_room(instance, events)?;
                let verdict = answer::verdict(answer, events, reference, limits)?;
                self.cost.rejected += verdict.rejections.len() as u64;
                self.cost.dropped += verdict.dropped.len() as u64;
                self.cost.held.count(Limit::ReasonBytes, verdict.reasons_cut);
                self.worker.gone.extend(verdict.rejections.iter().map(|rejection| rejection.event));
                self.worker.gone.extend_from_slice(&verdict.dropped);
                self.outcome.rejections.extend(verdict.rejections);
                self.outcome.dropped.extend(verdict.dropped);
            }
            Kind::Enricher => {
                let answer = instance.enrich(template, fuel, columns)?;
                self.cost.bytes_out += answer.bytes() as u64;
                has_room(instance, events)?;
                let conflicts = answer::written(answer, events, plugin.writes(), self.batch, reference, limits)?;
                self.cost.rejected += conflicts.len() as u64;
                self.worker.gone.extend(conflicts.iter().map(|rejection| rejection.event));
                self.outcome.rejections.extend(conflicts);
            }
            Kind::Alerter => {
                let answer = instance.evaluate(template, fuel, columns)?;
                self.cost.bytes_out += answer.bytes() as u64;
                has_room(instance, events)?;
                self.outcome.alerts.extend(answer::alerts(answer, events, self.batch, reference, limits)?);
            }
        }
        Ok(())
    }

    /// Whether the plugin has failed on all events of a trial.
    fn trial(&self) -> Result<(), Broken> {
        let plugin = self.run.plugin;
        let Cost { events, failed, .. } = self.cost;
        match self.outcome.rejections.last() {
            Some(last) if self.worker.is_of_trial && failed == events => Err(Broken::Plugin {
                id: plugin.id(),
                plugin: plugin.reference().clone(),
                file: plugin.file().to_owned(),
                guilty: failed as usize,
                events,
                reason: last.reason.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn finish(self, start: Instant) {
        let Self { run, batch, worker, outcome, mut cost, fuel_used, failed, said, .. } = self;
        worker.failed = failed;
        worker.kept.appetites.insert((run.index, run.kind), fuel_used / cost.events);
        if !worker.gone.is_empty() {
            worker.gone.sort_unstable();
            batch.remove(&worker.gone);
        }
        if !worker.is_of_trial {
            let (logged, left_out) = guest_log::emit_at(run.plugin.log_rate(), run.plugin.reference(), &said);
            cost.log_lines = logged;
            cost.held.count(Limit::LogLines, said.suppressed);
            cost.held.count(Limit::LogLinesPerSecond, left_out);
            cost.held.count(Limit::LogLineBytes, said.cut);
        }
        outcome.log.extend(said.lines.into_iter().map(|line| guest_log::told(run.index, line)));
        cost.nanos = start.elapsed().as_nanos() as u64;
        let limit_ms = run.plugin.template().limits.slow_batch_ms;
        if cost.nanos / 1_000_000 > limit_ms {
            cost.held.count(Limit::SlowBatchMs, 1);
            let plugin = run.plugin.reference();
            tracing::warn!(
                plugin = %plugin.name, digest = %format_args!("{:#}", plugin.digest), events = cost.events,
                calls = cost.calls, ms = cost.nanos / 1_000_000, limit_ms,
                "a batch was slow in the plugin; see limits.slow_batch_ms"
            );
        }
        let evicted = cost.held.of(Limit::StateBytes);
        if evicted > 0 {
            let plugin = run.plugin.reference();
            tracing::warn!(
                plugin = %plugin.name, digest = %format_args!("{:#}", plugin.digest), keys = evicted,
                "the plugin's state was full, so the keys that were written longest ago went; see limits.state_bytes"
            );
        }
        outcome.costs[run.index].add(&cost);
    }
}

/// Whether the state has room for what a call stored; where it was one event, room is made.
fn has_room(instance: &Instance, events: &[u32]) -> Result<(), Failure> {
    match &instance.store.data().state {
        Some(state) if events.len() > 1 && !state.fits() => Err(Failure::NoRoom),
        _ => Ok(()),
    }
}
