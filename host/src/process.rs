//! From a raw batch to a delivery: everything that happens to a batch on an engine thread. Where look-ups have to wait for answers it
//! happens in two parts, and the lane waits in between.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use wasmill_core::{Batch, LookupColumns, Projection, RawBatch, Rejection, Stage};
use wasmill_engine::{Broken, Generation, LaneMemory, Outcome, Worker};

use crate::alert_events::alert_events;
use crate::config::From;
use crate::delivery::{DeadLetter, Delivery, Rows};
use crate::encode::SinkEncoder;
use crate::lookups::{Answers, Asked, LookedUp, Memo, ReverseDns};
use crate::tap::Taps;

/// What batches go through. Immutable: a batch runs in exactly one.
#[derive(Debug)]
pub struct Processor {
    /// What plugins and sinks read of events.
    pub events: Arc<Projection>,
    /// What sinks read of alerts.
    pub alerts: Arc<Projection>,
    /// The plugins.
    pub generation: Generation,
    /// What is looked up for them; `None`: nothing.
    pub lookups: Option<Lookups>,
    /// By sink index.
    pub encoders: Vec<SinkEncoder>,
    /// Who looks on.
    pub taps: Arc<Taps>,
}

/// The look-ups of a generation.
#[derive(Debug)]
pub struct Lookups {
    /// Questions and answers among the columns of events.
    pub columns: Vec<LookupColumns>,
    /// Who answers.
    pub reverse_dns: Arc<ReverseDns>,
    /// Whether answers are kept with the commit.
    pub recorded: bool,
}

/// What one engine thread keeps between batches.
#[derive(Debug, Default)]
pub struct EngineWorker {
    /// Of the plugins.
    pub plugins: Worker,
    /// Of look-ups.
    pub memo: Memo,
}

/// How far a batch has come.
#[derive(Debug)]
pub enum Begun {
    /// It is ready.
    Done(Box<Delivery>),
    /// Its lane has to ask for the names of some addresses first.
    Asks(Box<Asking>),
}

/// A batch that waits for answers.
#[derive(Debug)]
pub struct Asking {
    projected: Projected,
    /// The addresses, perhaps more than once each.
    pub missing: Vec<IpAddr>,
}

/// A batch before its plugins.
#[derive(Debug)]
struct Projected {
    events: Batch,
    rejections: Vec<Rejection>,
    received: Instant,
}

impl Lookups {
    fn asked<'a>(&'a self, answers: Option<&'a Answers>) -> Asked<'a> {
        Asked { columns: &self.columns, service: &self.reverse_dns, answers, records: self.recorded }
    }
}

impl Processor {
    /// Projects, looks up what is known, runs the plugins, encodes for every sink.
    ///
    /// # Errors
    /// When a plugin, and not an event, is to blame: nothing of the batch is done.
    pub fn begin(&self, raw: RawBatch, memory: &mut LaneMemory, worker: &mut EngineWorker) -> Result<Begun, Broken> {
        let received = Instant::now();
        let (events, rejections) = self.events.extract(raw);
        let mut projected = Projected { events, rejections, received };
        let mut looked_up = LookedUp::new();
        if let Some(lookups) = &self.lookups {
            let reverse_dns = &lookups.reverse_dns;
            let filled = worker.memo.fill(&mut projected.events, lookups.asked(None));
            if !filled.missing.is_empty() {
                if reverse_dns.waits() {
                    return Ok(Begun::Asks(Box::new(Asking { projected, missing: filled.missing })));
                }
                reverse_dns.ask_meanwhile(&filled.missing);
            }
            looked_up = filled.looked_up;
        }
        self.run(projected, looked_up, memory, worker).map(|delivery| Begun::Done(Box::new(delivery)))
    }

    /// Goes on with a batch whose lane has asked. What was not answered is left out.
    ///
    /// # Errors
    /// As [`Processor::begin`].
    pub fn finish(
        &self,
        asking: Asking,
        answers: &Answers,
        memory: &mut LaneMemory,
        worker: &mut EngineWorker,
    ) -> Result<Delivery, Broken> {
        let mut projected = asking.projected;
        let looked_up = self.lookups.as_ref();
        let looked_up =
            looked_up.map(|lookups| worker.memo.fill(&mut projected.events, lookups.asked(Some(answers))).looked_up);
        self.run(projected, looked_up.unwrap_or_default(), memory, worker)
    }

    fn run(
        &self,
        projected: Projected,
        looked_up: LookedUp,
        memory: &mut LaneMemory,
        worker: &mut EngineWorker,
    ) -> Result<Delivery, Broken> {
        let Projected { mut events, mut rejections, received } = projected;
        let outcome = self.run_plugins(&mut events, &rejections, memory, worker)?;
        rejections.extend(outcome.rejections);
        let rejected = rejections.len() as u64;
        let mut dead_letters: Vec<_> =
            rejections.into_iter().map(|rejection| DeadLetter::new(&events, rejection)).collect();

        let alerts = self.wants_alerts(&outcome.alerts).then(|| {
            let (mut alerts, unreadable) = self.alerts.extract(alert_events(&outcome.alerts, &events.raw));
            debug_assert!(unreadable.is_empty(), "alerts are rendered as valid JSON");
            alerts.skipped.clone_from(&events.skipped);
            alerts
        });
        let encoded = self.encode(&events, alerts.as_ref(), &mut dead_letters);
        Ok(Delivery {
            generation: self.generation.id(),
            plugins: Arc::clone(self.generation.plugins()),
            received,
            dropped: outcome.dropped.len() as u64,
            rejected,
            alerts_raised: outcome.alerts.len() as u64,
            costs: outcome.costs,
            turns: outcome.turns,
            state: outcome.state,
            events,
            alerts,
            encoded,
            dead_letters,
            looked_up,
        })
    }

    /// Runs the plugins, before the eyes of who taps.
    fn run_plugins(
        &self,
        events: &mut Batch,
        unreadable: &[Rejection],
        memory: &mut LaneMemory,
        worker: &mut EngineWorker,
    ) -> Result<Outcome, Broken> {
        let Some(mut tapping) = self.taps.look_at(events, unreadable, self.generation.plugins()) else {
            return self.generation.run(events, memory, &mut worker.plugins);
        };
        let ran = self.generation.run_seen(events, memory, &mut worker.plugins, Some(&mut |step| tapping.after(step)));
        match &ran {
            Ok(_) => tapping.finish(),
            Err(broken) => tapping.broken(&events.raw, broken),
        }
        ran
    }

    /// Encodes an alert that is there already, as the only event of `raw`, for the one sink that is to have it.
    pub fn encode_alert(&self, raw: RawBatch, sink: usize) -> Delivery {
        let none = RawBatch::new(Arc::clone(raw.partition()), raw.first_offset());
        let received = Instant::now();
        let ((events, _), (alerts, unreadable)) = (self.events.extract(none), self.alerts.extract(raw));
        let generation = self.generation.id();
        let (rows, refused) = self.encoders[sink].encode(&alerts, &generation);
        let mut encoded = vec![Rows::default(); self.encoders.len()];
        encoded[sink] = rows;
        let dead_letters = unreadable.into_iter().chain(refused);
        Delivery {
            generation,
            plugins: Arc::clone(self.generation.plugins()),
            received,
            dropped: 0,
            rejected: 0,
            alerts_raised: 0,
            costs: Vec::new(),
            turns: Vec::new(),
            state: Vec::new(),
            dead_letters: dead_letters.map(|rejection| DeadLetter::new(&alerts, rejection)).collect(),
            events,
            alerts: Some(alerts),
            encoded,
            looked_up: LookedUp::new(),
        }
    }

    fn wants_alerts(&self, alerts: &[wasmill_core::Alert]) -> bool {
        !alerts.is_empty() && self.encoders.iter().any(SinkEncoder::takes_alerts)
    }

    fn encode(&self, events: &Batch, alerts: Option<&Batch>, dead_letters: &mut Vec<DeadLetter>) -> Vec<Rows> {
        let generation = self.generation.id();
        let mut encode_one = |encoder: &SinkEncoder| {
            let batch = match encoder.from {
                From::Events => Some(events),
                From::Alerts => alerts,
                // They are relayed from home.
                From::DeadLetters => None,
            };
            let Some(batch) = batch else { return Rows::default() };
            let (rows, refused) = encoder.encode(batch, &generation);
            dead_letters.extend(refused.into_iter().map(|rejection| DeadLetter::new(batch, rejection)));
            rows
        };
        self.encoders.iter().map(&mut encode_one).collect()
    }
}

/// A rejection by a sink.
pub fn refusal(event: u32, sink: &Arc<str>, code: &'static str, reason: String) -> Rejection {
    Rejection { event, stage: Stage::Sink, plugin: None, sink: Some(Arc::clone(sink)), code: code.into(), reason }
}
