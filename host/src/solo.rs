//! One plugin by itself: events go through it as in a pipeline, without source, sinks and threads. What `wasmill plugin run`, `check` and
//! `bench` stand on.

use std::sync::Arc;

use serde_json::Value;
use wasmill_core::{EventTime, PartitionId, Projection, ProjectionBuilder, RawBatch, Rejection, Stage};
use wasmill_engine::{Broken, Cost, Generation, LaneMemory, LogLine, Plugin};

use crate::alert_events::alert_events;
use crate::lookups::{Asked, ReverseDns};
use crate::process::EngineWorker;
use crate::torture::EVENT_BYTES_MAX;

/// A loaded plugin with all that a lane would have for it.
#[derive(Debug)]
pub struct Solo {
    generation: Generation,
    projection: Arc<Projection>,
    partition: Arc<PartitionId>,
    worker: EngineWorker,
    names: Arc<ReverseDns>,
    memory: LaneMemory,
    next_offset: i64,
}

/// An event that is handed over.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The time of its record, nanoseconds since 1970.
    pub timestamp_ns: i64,
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Ran {
    /// By event.
    pub events: Vec<Fared>,
    /// What the plugin said.
    pub log: Vec<LogLine>,
    /// What it cost.
    pub cost: Cost,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Fared {
    /// Whether it goes on.
    pub fate: Fate,
    /// The alerts about it, as a sink gets them.
    pub alerts: Vec<Value>,
}

/// Whether an event goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With this payload.
    Passed(Vec<u8>),
    /// A validator found it not interesting.
    Dropped,
    /// It would be a dead letter.
    Rejected {
        /// By the host, before the plugin saw it: it is no event.
        is_unreadable: bool,
        /// A short stable word.
        code: String,
        /// A sentence for people.
        reason: String,
    },
}

impl Solo {
    /// A lane for one plugin, with the answers that it gets for addresses.
    pub fn new(plugin: Arc<Plugin>, event_time: EventTime, names: Arc<ReverseDns>) -> Self {
        let mut projection = ProjectionBuilder::new(event_time, EVENT_BYTES_MAX);
        let generation = Generation::new(vec![plugin], &mut projection);
        let partition = PartitionId {
            source: "stdin".to_owned(),
            cluster: String::new(),
            topic: "stdin".to_owned(),
            topic_id: String::new(),
            partition: 0,
        };
        Self {
            generation,
            projection: projection.build(),
            partition: Arc::new(partition),
            worker: EngineWorker::default(),
            names,
            memory: LaneMemory::new(),
            next_offset: 0,
        }
    }

    /// Begins again with the first event and without state, in the same engine.
    pub fn restart(&mut self) {
        (self.memory, self.next_offset) = (LaneMemory::new(), 0);
    }

    /// Runs a batch. State goes on from the batch before.
    ///
    /// # Errors
    /// When the plugin is broken: nobody is blamed then.
    pub fn run(&mut self, events: &[Given<'_>]) -> Result<Ran, Broken> {
        let mut raw = RawBatch::new(Arc::clone(&self.partition), self.next_offset);
        for (offset, event) in (self.next_offset..).zip(events) {
            raw.push(offset, event.timestamp_ns, None, event.payload, []);
        }
        self.next_offset = raw.next_offset();
        let (mut batch, unreadable) = self.projection.extract(raw);
        let columns = &self.projection.lookups();
        let asked = Asked { columns, service: &self.names, answers: None, records: false };
        self.worker.memo.fill(&mut batch, asked);
        let outcome = self.generation.run(&mut batch, &mut self.memory, &mut self.worker.plugins)?;
        let mut fared = vec![Fared { fate: Fate::Dropped, alerts: Vec::new() }; events.len()];
        for event in &batch.live {
            fared[*event as usize].fate = Fate::Passed(batch.payload(*event).into_owned());
        }
        for Rejection { event, stage, code, reason, .. } in unreadable.into_iter().chain(outcome.rejections) {
            let is_unreadable = stage == Stage::Parse;
            fared[event as usize].fate = Fate::Rejected { is_unreadable, code: code.into_owned(), reason };
        }
        let alerts = alert_events(&outcome.alerts, &batch.raw);
        for (n, alert) in outcome.alerts.iter().enumerate() {
            let json = alerts.payload(n).and_then(|payload| serde_json::from_slice(payload).ok());
            fared[alert.event as usize].alerts.extend::<Option<Value>>(json);
        }
        Ok(Ran { events: fared, log: outcome.log, cost: outcome.costs.first().copied().unwrap_or_default() })
    }
}
