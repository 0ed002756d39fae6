//! One plugin at work on one partition: batches, and what happens to a pipeline between them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use wasmill_core::{EventTime, PartitionId, Projection, ProjectionBuilder, RawBatch};
use wasmill_engine::{Engine, Generation, Grant, LaneMemory, Limits, Plugin, PluginSpec};

use super::answer;
use super::home::{Home, Row};
use super::names::Names;
use super::request::{Event, Put, Request, Seed, Swap, Torture};
use crate::commands::engine::engine;
use crate::lookups::{Asked, ReverseDns};
use crate::process::EngineWorker;
use crate::torture::{self, EVENT_BYTES_MAX};

/// Loads plugins, each with the same grants.
pub(super) struct Loader {
    engine: Engine,
    grants: Vec<Grant>,
}

/// A plugin as it is given.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) file: PathBuf,
    pub(super) config: Value,
    pub(super) limits: Limits,
}

/// See the module.
pub(super) struct Lane {
    loader: Loader,
    setup: Setup,
    serving: Serving,
    names: Names,
    reverse_dns: ReverseDns,
    worker: EngineWorker,
    memory: LaneMemory,
    home: Home,
    partition: Arc<PartitionId>,
    next_offset: i64,
    last: Option<Last>,
}

/// A plugin that serves, and what is read of events for it.
struct Serving {
    plugin: Arc<Plugin>,
    generation: Generation,
    projection: Arc<Projection>,
}

/// The last batch that ran.
struct Last {
    events: Vec<Event>,
    first_offset: i64,
}

impl Loader {
    /// A loader that grants state, which is its own and in memory, and reverse DNS where it is asked for.
    pub(super) fn new(grants_names: bool, cache: Option<&Path>) -> Result<Self, String> {
        let engine = engine(cache, None)?;
        let names = grants_names.then_some(Grant::ReverseDns);
        Ok(Self { engine, grants: names.into_iter().chain([Grant::State]).collect() })
    }

    fn load(&self, setup: &Setup) -> Result<Serving, String> {
        let Setup { file, config, limits } = setup;
        let bytes = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let spec = PluginSpec {
            file: file.clone(),
            bytes: bytes.into(),
            config: config.clone(),
            limits: limits.clone(),
            instance: Default::default(),
            grants: self.grants.clone(),
            state: Default::default(),
            on_open: Default::default(),
        };
        let plugin = self.engine.load(&spec).map_err(|error| error.to_string())?;
        let mut projection = ProjectionBuilder::new(EventTime::Record, EVENT_BYTES_MAX);
        let generation = Generation::new(vec![Arc::clone(&plugin)], &mut projection);
        Ok(Serving { plugin, generation, projection: projection.build() })
    }
}

impl Lane {
    pub(super) fn begin(loader: Loader, setup: Setup, names: Names) -> Result<Self, String> {
        let partition = PartitionId {
            source: "stdin".to_owned(),
            cluster: String::new(),
            topic: "harness".to_owned(),
            topic_id: String::new(),
            partition: 0,
        };
        Ok(Self {
            serving: loader.load(&setup)?,
            loader,
            setup,
            reverse_dns: names.service(),
            names,
            worker: EngineWorker::default(),
            memory: LaneMemory::new(),
            home: Home::default(),
            partition: Arc::new(partition),
            next_offset: 0,
            last: None,
        })
    }

    /// The plugin that serves.
    pub(super) fn plugin(&self) -> &Plugin {
        &self.serving.plugin
    }

    /// Does what is asked.
    ///
    /// # Errors
    /// A sentence; the state is as before.
    pub(super) fn answer(&mut self, request: Request) -> Result<Value, String> {
        match request {
            Request::Events(events) => self.run(events),
            Request::Replay(_) => self.replay(),
            Request::Restart(_) => {
                self.restart();
                Ok(answer::done())
            }
            Request::Swap(swap) => self.swap(swap),
            Request::State(seed) => self.state(seed),
            Request::Lookups(names) => {
                self.names = names;
                self.set_names();
                Ok(answer::done())
            }
            Request::Torture(Torture::OfFields) => Ok(answer::torture(torture::events(self.plugin().reads()))),
            Request::Torture(Torture::Like(sample)) => {
                Ok(answer::torture(torture::events_like(self.plugin().reads(), &sample)))
            }
        }
    }

    fn run(&mut self, events: Vec<Event>) -> Result<Value, String> {
        let raw = self.raw_batch(&events)?;
        let next_offset = raw.next_offset();
        let Serving { generation, projection, .. } = &self.serving;
        let (mut batch, unreadable) = projection.extract(raw);
        let columns = &projection.lookups();
        let asked = Asked { columns, service: &self.reverse_dns, answers: None, records: true };
        let looked_up = self.worker.memo.fill(&mut batch, asked).looked_up;
        let outcome = match generation.run(&mut batch, &mut self.memory, &mut self.worker.plugins) {
            Ok(outcome) => outcome,
            Err(broken) => {
                self.restart();
                return Err(broken.to_string());
            }
        };
        self.home.commit(&outcome.state);
        self.last = Some(Last { events, first_offset: self.next_offset });
        self.next_offset = next_offset;
        if self.names.asked(&looked_up) {
            self.set_names();
        }
        Ok(answer::ran(&batch, unreadable, outcome, &looked_up))
    }

    fn raw_batch(&self, events: &[Event]) -> Result<RawBatch, String> {
        let mut raw = RawBatch::new(Arc::clone(&self.partition), self.next_offset);
        for (n, event) in events.iter().enumerate() {
            let payload = event.payload().map_err(|reason| format!("event {n}: {reason}"))?;
            raw.push(self.next_offset + n as i64, event.time_ns, None, payload.as_deref(), []);
        }
        Ok(raw)
    }

    fn replay(&mut self) -> Result<Value, String> {
        let last = self.last.take().ok_or("there is no batch to replay: run one, and swap or seed afterwards")?;
        self.home.take_back();
        self.next_offset = last.first_offset;
        self.restart();
        self.run(last.events)
    }

    fn restart(&mut self) {
        self.memory = self.home.memory(&self.serving.generation);
        self.worker = EngineWorker::default();
    }

    fn swap(&mut self, swap: Swap) -> Result<Value, String> {
        let mut setup = self.setup.clone();
        setup.file = swap.file.unwrap_or(setup.file);
        setup.config = swap.config.unwrap_or(setup.config);
        setup.limits = swap.limits.unwrap_or(setup.limits);
        let next = self.loader.load(&setup)?;
        self.home.suits(&next.plugin)?;
        let before = std::mem::replace(&mut self.serving, next);
        // As a lane does that has a home.
        if !self.serving.generation.continues(&before.generation) {
            self.memory = self.home.memory(&self.serving.generation);
        }
        self.memory.forgive_others(&self.serving.generation.same(&before.generation));
        (self.setup, self.last) = (setup, None);
        Ok(answer::loaded(self.plugin()))
    }

    fn state(&mut self, seed: Seed) -> Result<Value, String> {
        let plugin = &self.serving.plugin;
        let state = plugin.state().ok_or_else(|| format!("the plugin {} keeps no state", plugin.reference().name))?;
        if !seed.put.is_empty() || seed.now_ns.is_some() {
            let rows = seed.put.into_iter().map(row).collect::<Result<_, _>>()?;
            self.home.seed(&state.name, state.version, rows, seed.now_ns);
            self.memory = self.home.memory(&self.serving.generation);
            self.last = None;
        }
        let (now, rows) = self.home.state(&state.name);
        Ok(answer::state(now, rows))
    }

    /// An engine thread remembers answers for as long as they hold, and these do not any more.
    fn set_names(&mut self) {
        self.reverse_dns = self.names.service();
        self.worker.memo = Default::default();
    }
}

fn row(put: Put) -> Result<(Vec<u8>, Row), String> {
    let (expires, wake) = (put.expires_ns, put.wake_ns);
    let (key, value) = put.entry()?;
    let lasting = Row::lasting(value);
    Ok((key, Row { expires: expires.unwrap_or(lasting.expires), wake: wake.unwrap_or(lasting.wake), ..lasting }))
}
