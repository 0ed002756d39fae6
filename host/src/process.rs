//! From a raw batch to a delivery: everything that happens to a batch on an engine thread.

use std::sync::Arc;
use std::time::Instant;

use wasmill_core::{Batch, Projection, RawBatch, Rejection, Stage};
use wasmill_engine::{Blame, Broken, Generation, Worker};

use crate::alert_events::alert_events;
use crate::config::From;
use crate::delivery::{DeadLetter, Delivery, Rows};
use crate::encode::SinkEncoder;

/// What batches go through. Immutable: a batch runs in exactly one.
#[derive(Debug)]
pub struct Processor {
    /// What plugins and sinks read of events.
    pub events: Arc<Projection>,
    /// What sinks read of alerts.
    pub alerts: Arc<Projection>,
    /// The plugins.
    pub generation: Generation,
    /// By sink index.
    pub encoders: Vec<SinkEncoder>,
}

impl Processor {
    /// Projects, runs the plugins, encodes for every sink.
    ///
    /// # Errors
    /// When a plugin, and not an event, is to blame: nothing of the batch is done.
    pub fn process(&self, raw: RawBatch, blame: &mut Blame, worker: &mut Worker) -> Result<Delivery, Broken> {
        let received = Instant::now();
        let (mut events, mut rejections) = self.events.extract(raw);
        let outcome = self.generation.run(&mut events, blame, worker)?;
        rejections.extend(outcome.rejections);
        let rejected = rejections.len() as u64;
        let mut dead_letters: Vec<_> =
            rejections.into_iter().map(|rejection| DeadLetter::new(&events, rejection)).collect();

        let alerts = self.wants_alerts(&outcome.alerts).then(|| {
            let (alerts, unreadable) = self.alerts.extract(alert_events(&outcome.alerts, &events.raw));
            debug_assert!(unreadable.is_empty(), "alerts are rendered as valid JSON");
            alerts
        });
        let encoded = self.encode(&events, alerts.as_ref(), &mut dead_letters);
        Ok(Delivery {
            generation: self.generation.id(),
            received,
            dropped: outcome.dropped.len() as u64,
            rejected,
            alerts_raised: outcome.alerts.len() as u64,
            costs: outcome.costs,
            events,
            alerts,
            encoded,
            dead_letters,
        })
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
