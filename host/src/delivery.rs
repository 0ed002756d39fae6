//! What leaves the engine threads: a batch after its plugins, encoded for every sink, ready to be committed.

use std::sync::Arc;
use std::time::Instant;

use wasmill_core::{Batch, Digest, HeaderRef, PluginRef, Rejection, Skipped, Stage};
use wasmill_engine::{BreakerTurn, Cost, Plugins, StateDelta};

use crate::lookups::LookedUp;
use crate::process::refusal;

/// One processed batch. Sinks write `encoded`, home commits it together with `dead_letters` and the new position.
#[derive(Debug)]
pub struct Delivery {
    /// The events as they are after the plugins.
    pub events: Batch,
    /// The alerts as a batch of JSON events, where a sink wants them.
    pub alerts: Option<Batch>,
    /// By sink index: what it is to write.
    pub encoded: Vec<Rows>,
    /// Events that were rejected on the way here, or that a sink cannot take.
    pub dead_letters: Vec<DeadLetter>,
    /// The digest of the generation that ran.
    pub generation: Digest,
    /// Its plugins; `costs` go by their index.
    pub plugins: Plugins,
    /// When its batch began to be processed.
    pub received: Instant,
    /// Events that a validator dropped.
    pub dropped: u64,
    /// Events that were rejected before the sinks.
    pub rejected: u64,
    /// Alerts raised.
    pub alerts_raised: u64,
    /// What each plugin cost.
    pub costs: Vec<Cost>,
    /// How breakers of plugins turned.
    pub turns: Vec<BreakerTurn>,
    /// The answers that look-ups gave, where they are kept with the commit.
    pub looked_up: LookedUp,
    /// What it changed in the states of plugins.
    pub state: Vec<StateDelta>,
}

/// The offsets from `first` on that passed plugins by in some deliveries, which follow one another; neighbours are one.
pub fn skipped(deliveries: &[Delivery], first: i64) -> Vec<Skipped> {
    let mut all = Vec::new();
    for skipped in deliveries.iter().flat_map(|delivery| &delivery.events.skipped) {
        if skipped.next > first {
            Skipped::add(&mut all, &skipped.plugin, skipped.first.max(first), skipped.next);
        }
    }
    all
}

/// Rows (or lines) for one sink, back to back, so that any part of them can be written alone.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// All rows; the format is the sink's own.
    pub bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    pub ends: Vec<u32>,
    /// Each row's event: its index in the batch that it came from.
    pub events: Vec<u32>,
    /// Whether that batch is the delivery's alerts; else its events.
    pub of_alerts: bool,
    /// Events that the sink's `when` left out.
    pub filtered: u64,
    /// Events that do not fit the sink's columns (already among the delivery's dead letters).
    pub refused: u64,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of row `n`.
    pub fn row(&self, n: usize) -> &[u8] {
        let start = if n == 0 { 0 } else { self.ends[n - 1] as usize };
        &self.bytes[start..self.ends[n] as usize]
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|n| self.row(n))
    }

    /// Takes the given rows (rising) out; they count as refused.
    pub fn refuse(&mut self, refused: &[usize]) {
        let kept: Vec<usize> = (0..self.len()).filter(|row| refused.binary_search(row).is_err()).collect();
        let mut rows = Self { of_alerts: self.of_alerts, filtered: self.filtered, ..Self::default() };
        for row in kept {
            rows.bytes.extend_from_slice(self.row(row));
            rows.finish_row(self.events[row]);
        }
        rows.refused = self.refused + refused.len() as u64;
        *self = rows;
    }

    /// Ends the row that was appended to `bytes` for `event`.
    pub fn finish_row(&mut self, event: u32) {
        self.ends.push(u32::try_from(self.bytes.len()).expect("batches are cut far below 4 GiB"));
        self.events.push(event);
    }
}

impl Delivery {
    /// Leaves nothing to be written.
    pub fn clear(&mut self) {
        self.encoded.iter_mut().for_each(|rows| *rows = Rows::default());
        self.dead_letters.clear();
    }

    /// Leaves to every other sink than this one nothing to write.
    pub fn keep_only(&mut self, sink: usize) {
        let others = self.encoded.iter_mut().enumerate().filter(|(index, _)| *index != sink);
        others.for_each(|(_, rows)| *rows = Rows::default());
    }

    /// The batch that `sink` has its rows from.
    pub fn batch_of(&self, sink: usize) -> &Batch {
        match &self.alerts {
            Some(alerts) if self.encoded[sink].of_alerts => alerts,
            _ => &self.events,
        }
    }

    /// Makes dead letters of rows that their sink turned out not to take; `refused` are row, code and reason, rising.
    pub fn refuse(&mut self, sink: usize, name: &Arc<str>, refused: Vec<(usize, &'static str, String)>) {
        let rows: Vec<usize> = refused.iter().map(|(row, ..)| *row).collect();
        let batch = self.batch_of(sink);
        let letters: Vec<_> = refused
            .into_iter()
            .map(|(row, code, reason)| {
                DeadLetter::new(batch, refusal(self.encoded[sink].events[row], name, code, reason))
            })
            .collect();
        self.dead_letters.extend(letters);
        self.encoded[sink].refuse(&rows);
    }
}

/// Headers by name, in their order; a value may be null.
pub type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// An event that left the stream, with all that is needed to understand and to replay it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its offset in the lane's partition.
    pub offset: i64,
    /// Its own time, nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// Where it was rejected.
    pub stage: Stage,
    /// By which plugin.
    pub plugin: Option<Arc<PluginRef>>,
    /// By which sink; it may have reached others.
    pub sink: Option<Arc<str>>,
    /// A short stable word.
    pub code: String,
    /// A sentence for people.
    pub reason: String,
    /// The original key.
    pub key: Option<Vec<u8>>,
    /// The original payload, untouched.
    pub payload: Option<Vec<u8>>,
    /// The original headers.
    pub headers: Headers,
}

fn owned((name, value): HeaderRef<'_>) -> (Vec<u8>, Option<Vec<u8>>) {
    (name.to_vec(), value.map(<[u8]>::to_vec))
}

impl DeadLetter {
    /// The dead letter of a rejected event of `batch`.
    pub fn new(batch: &Batch, rejection: Rejection) -> Self {
        let index = rejection.event as usize;
        let record = &batch.raw.records()[index];
        Self {
            offset: record.offset,
            timestamp_ns: record.timestamp_ns,
            stage: rejection.stage,
            plugin: rejection.plugin,
            sink: rejection.sink,
            code: rejection.code.into_owned(),
            reason: rejection.reason,
            key: batch.raw.key(index).map(<[u8]>::to_vec),
            payload: batch.raw.payload(index).map(<[u8]>::to_vec),
            headers: batch.raw.headers(index).into_iter().map(owned).collect(),
        }
    }
}
