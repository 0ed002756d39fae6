//! One immutable set of plugins, and how a batch runs through it.

use std::collections::HashMap;
use std::sync::Arc;

use wasmill_core::{Batch, Digest, Field, FieldKind, ProjectionBuilder, Rejection, Stage, State};

use crate::blame::Blame;
use crate::gather::{Gathered, Source};
use crate::instance::Instance;
use crate::load::{Plugin, StateUse};
use crate::look::{Look, Step};
use crate::outcome::{BreakerState, BreakerTurn, Broken, Cost, Outcome};
use crate::state::{LaneMemory, States};
use crate::step::{Kind, Run};
use crate::watch::Watch;

/// The plugins of a generation, in the order of their files.
pub type Plugins = Arc<[Arc<Plugin>]>;

/// A set of plugins, with the columns that they read. A batch runs in exactly one generation.
#[derive(Debug)]
pub struct Generation {
    plugins: Plugins,
    /// What each plugin reads, by its index.
    sources: Vec<Vec<Source>>,
    /// What each validator requires: column and field.
    required: Vec<Vec<(usize, Field)>>,
    id: Digest,
}

/// What one engine thread keeps between batches: buffers, instances that are reused, and how much fuel plugins need. None of
/// it changes a result.
#[derive(Debug)]
pub struct Worker {
    pub(crate) gathered: Gathered,
    pub(crate) events: Vec<u32>,
    pub(crate) gone: Vec<u32>,
    /// Events that the last plugin failed on.
    pub(crate) failed: Vec<u32>,
    pub(crate) kept: Kept,
    watch: Watch,
    /// It tries a plugin out: with no more fuel than a load may burn, and without a word in the log.
    pub(crate) is_of_trial: bool,
}

/// What is kept for one generation, by plugin index.
#[derive(Default)]
pub(crate) struct Kept {
    /// Its plugins: two generations may have one id and other limits.
    plugins: Option<Plugins>,
    pub(crate) instances: HashMap<usize, Instance>,
    /// Fuel per event of the last batch.
    pub(crate) appetites: HashMap<(usize, Kind), u64>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("instances", &self.instances.len()).finish_non_exhaustive()
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// A worker that has run nothing.
    pub fn new() -> Self {
        Self {
            gathered: Gathered::default(),
            events: Vec::new(),
            gone: Vec::new(),
            failed: Vec::new(),
            kept: Kept::default(),
            watch: Watch::new(),
            is_of_trial: false,
        }
    }

    /// A worker for events that are none.
    pub(crate) fn of_trial() -> Self {
        Self { is_of_trial: true, ..Self::new() }
    }

    /// A handle that tells other threads in which plugin this worker is, and for how long.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Generation {
    /// A generation of `plugins`, which are in the order of their files. Asks `projection` for what they read and says
    /// what they may write.
    pub fn new(plugins: Vec<Arc<Plugin>>, projection: &mut ProjectionBuilder) -> Self {
        let mut sources = Vec::with_capacity(plugins.len());
        let mut required = Vec::with_capacity(plugins.len());
        for plugin in &plugins {
            let columns: Vec<usize> = plugin.reads().iter().map(|field| column(field, projection)).collect();
            sources.push(plugin.reads().iter().zip(&columns).map(|(field, at)| Source::new(*at, field.kind)).collect());
            let must = plugin.reads().iter().zip(&columns).filter(|(field, _)| field.required);
            required.push(must.map(|(field, at)| (*at, field.clone())).collect());
            plugin.writes().iter().for_each(|(path, _)| projection.write(path));
        }
        let digests = plugins.iter().flat_map(|plugin| [plugin.reference().digest, plugin.config_digest()]);
        let digests: Vec<Digest> = digests.collect();
        let id = Digest::of_parts(digests.iter().map(|digest| digest.as_bytes().as_slice()));
        Self { plugins: plugins.into(), sources, required, id }
    }

    /// The digest of all plugins and their configurations, in order: what a result depends on, beside its event.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Its plugins, in order; [`Outcome::costs`] and [`crate::Running::plugin`] go by their index.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Whether its plugins are these, as they were loaded: with their limits, and not only by their digests.
    pub fn is_of(&self, plugins: &Plugins) -> bool {
        let is_same = |(one, other): (&Arc<Plugin>, &Arc<Plugin>)| Arc::ptr_eq(one, other);
        self.plugins.len() == plugins.len() && self.plugins.iter().zip(plugins.iter()).all(is_same)
    }

    /// The plugins that were in `before`, as they were loaded, by [`Plugin::id`].
    pub fn same(&self, before: &Self) -> Vec<Digest> {
        let is_same = |plugin: &&Arc<Plugin>| before.plugins.iter().any(|other| Arc::ptr_eq(plugin, other));
        self.plugins.iter().filter(is_same).map(|plugin| plugin.id()).collect()
    }

    /// The states that its plugins keep.
    pub fn states(&self) -> impl Iterator<Item = &StateUse> {
        self.plugins.iter().filter_map(|plugin| plugin.state())
    }

    /// Whether one of its plugins keeps this state, in the same version.
    pub fn keeps(&self, state: &StateUse) -> bool {
        self.states().any(|other| (&other.name, other.version) == (&state.name, state.version))
    }

    /// Whether a lane's memory of the generation before it holds all states that this one keeps.
    pub fn continues(&self, before: &Self) -> bool {
        self.states().all(|state| before.keeps(state))
    }

    /// Runs a batch through all plugins: validators first, then enrichers, then alerters, each in the order of their files.
    /// Rejected and dropped events leave the batch before the next plugin. `memory` is the lane's; when the batch could not be run
    /// its states are lost, and a lane begins anew with what was stored.
    ///
    /// Blocks its thread for as long as the guests' fuel lasts; call it from a plain thread.
    ///
    /// # Errors
    /// When a plugin is broken or there is no room for it. The batch is half changed then: project it again from its raw
    /// events.
    pub fn run(&self, batch: &mut Batch, memory: &mut LaneMemory, worker: &mut Worker) -> Result<Outcome, Broken> {
        self.run_seen(batch, memory, worker, None)
    }

    /// The same while somebody looks on: told of each plugin right after it has had the batch. Nothing is told of the plugin that a
    /// batch ends with because it is broken.
    ///
    /// # Errors
    /// As [`Generation::run`].
    pub fn run_seen(
        &self,
        batch: &mut Batch,
        memory: &mut LaneMemory,
        worker: &mut Worker,
        look: Option<Look<'_>>,
    ) -> Result<Outcome, Broken> {
        let mut outcome = Outcome { costs: vec![Cost::default(); self.plugins.len()], ..Outcome::default() };
        let mut blamed = memory.blame.clone();
        let done = self.run_plugins(batch, (&mut blamed, &mut memory.states), worker, &mut outcome, look);
        if let Err(broken) = done {
            memory.states.are_lost = true;
            return Err(broken);
        }
        for state in self.states() {
            outcome.state.extend(memory.states.delta(&state.name, state.version));
        }
        outcome
            .turns
            .extend(blamed.came_through(batch.raw.len()).into_iter().filter_map(|closed| self.closed(closed, batch)));
        outcome.rejections.sort_by_key(|rejection| rejection.event);
        outcome.dropped.sort_unstable();
        outcome.alerts.sort_by_key(|alert| alert.event);
        memory.blame = blamed;
        Ok(outcome)
    }

    fn closed(&self, id: Digest, batch: &Batch) -> Option<BreakerTurn> {
        let plugin = self.plugins.iter().find(|candidate| candidate.id() == id)?;
        Some(BreakerTurn {
            id,
            plugin: plugin.reference().clone(),
            state: BreakerState::Closed,
            offset: batch.raw.next_offset(),
        })
    }

    fn run_plugins(
        &self,
        batch: &mut Batch,
        memory: (&mut Blame, &mut States),
        worker: &mut Worker,
        outcome: &mut Outcome,
        mut look: Option<Look<'_>>,
    ) -> Result<(), Broken> {
        let (blame, states) = memory;
        if !worker.kept.plugins.as_ref().is_some_and(|plugins| self.is_of(plugins)) {
            worker.kept = Kept { plugins: Some(Arc::clone(&self.plugins)), ..Kept::default() };
        }
        for kind in [Kind::Validator, Kind::Enricher, Kind::Alerter] {
            for (index, plugin) in self.plugins.iter().enumerate().filter(|(_, plugin)| kind.is_of(plugin.kinds())) {
                let before = outcome.costs[index];
                worker.failed.clear();
                if kind == Kind::Validator {
                    self.reject_incomplete(index, batch, outcome);
                }
                if !batch.live.is_empty() {
                    let limits = &plugin.template().limits;
                    let fuel = if worker.is_of_trial { limits.fuel_on_trial() } else { limits.fuel_per_event };
                    let (sources, watch) = (self.sources[index].as_slice(), worker.watch.clone());
                    let run = Run { plugin, index, kind, fuel, sources, watch };
                    run.step(batch, (&mut *blame, &mut *states), worker, outcome)?;
                }
                if let Some(look) = &mut look {
                    let now = &outcome.costs[index];
                    let (fuel, events) = (now.fuel - before.fuel, now.events - before.events);
                    let failed = worker.failed.as_slice();
                    look(&Step { plugin: index, stage: kind.stage(), batch, outcome, failed, fuel, events });
                }
            }
        }
        Ok(())
    }

    /// What to pause a lane for: whether the worker that `watch` is of has been in a plugin for longer than its limit.
    pub fn stuck(&self, watch: &Watch) -> Option<Broken> {
        let running = watch.running()?;
        let plugin = self.plugins.get(running.plugin)?;
        let limit_ms = plugin.template().limits.stuck_batch_ms;
        (running.since.as_millis() > u128::from(limit_ms)).then(|| Broken::Stuck {
            plugin: plugin.reference().clone(),
            file: plugin.file().to_owned(),
            limit_ms,
        })
    }

    /// Rejects the events that lack a field which the validator requires.
    fn reject_incomplete(&self, index: usize, batch: &mut Batch, outcome: &mut Outcome) {
        let required = &self.required[index];
        if required.is_empty() {
            return;
        }
        let columns = batch.columns();
        let has = |event: &u32, column: usize| batch.states[*event as usize * columns + column].is_value();
        // Mostly every event has them all: asked without a branch per event.
        let all_have = |column| batch.live.iter().fold(true, |all, event| all & has(event, column));
        if required.iter().all(|(column, _)| all_have(*column)) {
            return;
        }
        let lacks_one = |event: &u32| !required.iter().all(|(column, _)| has(event, *column));
        let gone: Vec<u32> = batch.live.iter().copied().filter(lacks_one).collect();
        for event in &gone {
            let missing = required.iter().find_map(|(column, field)| match batch.cell(*event, *column).0.state() {
                State::Absent => Some((field, "absent")),
                State::Null => Some((field, "null")),
                State::Present | State::OtherType => None,
            });
            if let Some((field, how)) = missing {
                outcome.rejections.push(Rejection {
                    event: *event,
                    stage: Stage::Validate,
                    plugin: Some(self.plugins[index].reference().clone()),
                    sink: None,
                    code: "missing_field".into(),
                    reason: format!("the field {} is required and is {how}", name_of(field)),
                });
            }
        }
        if !gone.is_empty() {
            outcome.costs[index].events += gone.len() as u64;
            outcome.costs[index].rejected += gone.len() as u64;
            batch.remove(&gone);
        }
    }
}

fn column(field: &Field, projection: &mut ProjectionBuilder) -> usize {
    match (field.lookup, &field.path) {
        (Some(lookup), Some(path)) => projection.lookup(path, lookup),
        _ => projection.column(field.path.as_ref(), field.kind),
    }
}

fn name_of(field: &Field) -> String {
    match (&field.path, field.kind) {
        (Some(path), _) => format!("\"{path}\""),
        (None, FieldKind::Raw) => "of the whole payload".into(),
        (None, _) => "without a path".into(),
    }
}
