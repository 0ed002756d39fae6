//! What a run did: counted at each commit, read by the report, the status line and the admin pages.

mod lanes;
mod plugins;
mod work;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use serde::Serialize;
use wasmill_core::PluginRef;
use wasmill_engine::{Limit, Plugins};

pub use self::lanes::LaneReport;
pub use self::plugins::PluginReport;
pub use self::work::{OTHER_CODES, Work};
use crate::delivery::Delivery;
use crate::recent::{LastMinute, Recent};
use crate::report::lanes::LaneCounts;
use crate::report::plugins::PluginCounts;

/// The report of a run: one JSON object. Every count of events in it speaks of committed batches, so that for every sink of
/// events received = delivered + filtered + refused + dropped + rejected, whenever it is read.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The pipeline's name.
    pub pipeline: String,
    /// Events whose batch is committed.
    pub received: u64,
    /// By sink: events (or alerts) that it has.
    pub delivered: BTreeMap<String, u64>,
    /// By sink: what its `when` left out.
    pub filtered: BTreeMap<String, u64>,
    /// By sink: what does not fit it; dead letters.
    pub refused: BTreeMap<String, u64>,
    /// Events that a validator dropped.
    pub dropped: u64,
    /// Events rejected before the sinks; dead letters.
    pub rejected: u64,
    /// Dead letters by code.
    pub rejections: BTreeMap<String, u64>,
    /// Dead letters written: rejected plus refused by each sink.
    pub dead_letters: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Plugins that were in the directory and did not come to serve, by cause; only those that there were.
    pub plugins_refused: BTreeMap<&'static str, u64>,
    /// Wall time since the start.
    pub seconds: f64,
    /// Processor time of the whole process.
    pub cpu_seconds: f64,
    /// Per plugin that served, in the order in which they run; those of later generations behind those of earlier ones.
    pub plugins: Vec<PluginReport>,
    /// Per lane that had a batch, by topic and partition.
    pub lanes: Vec<LaneReport>,
    /// Per sink, in the file's order.
    pub sinks: Vec<SinkReport>,
}

/// One sink's work.
#[derive(Clone, Debug, Serialize)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// What is promised of it.
    pub guarantee: String,
    /// Groups of batches written.
    pub batches: u64,
    /// Attempts that failed and were repeated.
    pub retries: u64,
    /// Bytes of the rows that it was given.
    pub bytes: u64,
    /// Time of its writes, with the commit where it is in home's database.
    pub seconds: f64,
    /// Median time of a write, with its commit where it is in home's database, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
}

/// What one group of deliveries came to, counted once it is committed.
#[derive(Debug, Default)]
pub struct GroupResult {
    /// By sink: rows that only the database refused.
    pub refused_late: Vec<u64>,
    /// By sink: how long its write took; `None` where it had nothing to write.
    pub took: Vec<Option<Duration>>,
}

/// Counts of a run. One lock, taken once per commit and per look.
#[derive(Debug)]
pub struct Tally {
    pipeline: String,
    started: Instant,
    sink_names: Vec<(String, String)>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    received: u64,
    dropped: u64,
    rejected: u64,
    dead_letters: u64,
    alerts: u64,
    rejections: BTreeMap<String, u64>,
    plugins_refused: BTreeMap<&'static str, u64>,
    recent: Recent,
    sinks: Vec<SinkCounts>,
    plugins: PluginCounts,
    lanes: LaneCounts,
}

#[derive(Debug)]
struct SinkCounts {
    delivered: u64,
    filtered: u64,
    refused: u64,
    batches: u64,
    retries: u64,
    bytes: u64,
    seconds: f64,
    took_us: Histogram<u64>,
}

impl Default for SinkCounts {
    fn default() -> Self {
        // 1 microsecond to one hour with two significant digits: 20 kB.
        let took_us = Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("the bounds are constant and valid");
        Self { delivered: 0, filtered: 0, refused: 0, batches: 0, retries: 0, bytes: 0, seconds: 0.0, took_us }
    }
}

impl Tally {
    /// Nothing counted yet. `sinks` are names and guarantees in the file's order.
    pub fn new(pipeline: String, sinks: Vec<(String, String)>) -> Self {
        let counts = Counts { sinks: sinks.iter().map(|_| SinkCounts::default()).collect(), ..Counts::default() };
        Self { pipeline, started: Instant::now(), sink_names: sinks, counts: Mutex::new(counts) }
    }

    /// Has the report name plugins that serve from now on, though nothing of theirs is committed yet.
    pub fn serve(&self, plugins: &Plugins) {
        self.lock().plugins.find(plugins);
    }

    /// Counts plugins that do not come to serve, each with its cause, which is one of a few words.
    pub fn refuse(&self, causes: &[&'static str]) {
        let mut counts = self.lock();
        for cause in causes {
            *counts.plugins_refused.entry(cause).or_default() += 1;
        }
    }

    /// Counts a batch that a plugin has had for too long, of which nothing is committed.
    pub fn stuck(&self, plugin: &PluginRef) {
        self.lock().plugins.hold(plugin, Limit::StuckBatchMs);
    }

    /// Counts a committed group.
    pub fn commit(&self, deliveries: &[Delivery], result: &GroupResult) {
        let mut counts = self.lock();
        for delivery in deliveries {
            counts.add(delivery);
        }
        for (sink, refused) in result.refused_late.iter().enumerate() {
            counts.sinks[sink].refused += refused;
            counts.sinks[sink].delivered -= refused;
            counts.dead_letters += refused;
            counts.recent.fail(*refused);
            if *refused > 0 {
                *counts.rejections.entry(REFUSED_BY_DATABASE.to_owned()).or_default() += refused;
                if let Some(delivery) = deliveries.last() {
                    counts.lanes.add_refused(delivery, *refused);
                }
            }
        }
        for (sink, took) in result.took.iter().enumerate() {
            if let Some(took) = took {
                counts.sinks[sink].batches += 1;
                counts.sinks[sink].seconds += took.as_secs_f64();
                counts.sinks[sink].took_us.saturating_record(took.as_micros().try_into().unwrap_or(u64::MAX));
            }
        }
    }

    /// Counts an attempt of a sink that failed and will be repeated.
    pub fn retry(&self, sink: usize) {
        self.lock().sinks[sink].retries += 1;
    }

    /// Counts dead letters that were relayed to a sink.
    pub fn relayed(&self, sink: usize, delivered: u64, filtered: u64, refused: u64) {
        let counts = &mut self.lock().sinks[sink];
        counts.delivered += delivered;
        counts.filtered += filtered;
        counts.refused += refused;
        counts.batches += 1;
    }

    /// Events of committed batches so far.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// The last minute, and when the last batch was committed.
    pub fn recent(&self) -> (LastMinute, Option<SystemTime>) {
        let counts = self.lock();
        (counts.recent.look(), counts.recent.last())
    }

    /// Everything so far.
    pub fn report(&self) -> Report {
        let counts = self.lock();
        let by_sink = |value: fn(&SinkCounts) -> u64| {
            self.sink_names.iter().zip(&counts.sinks).map(|((name, _), sink)| (name.clone(), value(sink))).collect()
        };
        Report {
            pipeline: self.pipeline.clone(),
            received: counts.received,
            delivered: by_sink(|sink| sink.delivered),
            filtered: by_sink(|sink| sink.filtered),
            refused: by_sink(|sink| sink.refused),
            dropped: counts.dropped,
            rejected: counts.rejected,
            rejections: counts.rejections.clone(),
            dead_letters: counts.dead_letters,
            alerts: counts.alerts,
            plugins_refused: counts.plugins_refused.clone(),
            seconds: self.started.elapsed().as_secs_f64(),
            cpu_seconds: process_cpu_seconds(),
            plugins: counts.plugins.reports().to_vec(),
            lanes: counts.lanes.reports(),
            sinks: self.sink_names.iter().zip(&counts.sinks).map(|(name, sink)| sink.report(name)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counters stay usable whatever happened to the thread that last held them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code of what only the database refuses.
pub const REFUSED_BY_DATABASE: &str = "refused_by_database";

impl Counts {
    fn add(&mut self, delivery: &Delivery) {
        self.received += delivery.events.raw.len() as u64;
        self.dropped += delivery.dropped;
        self.rejected += delivery.rejected;
        self.dead_letters += delivery.dead_letters.len() as u64;
        self.alerts += delivery.alerts_raised;
        self.recent.add(delivery.events.raw.len() as u64, delivery.dead_letters.len() as u64, delivery.received);
        for letter in &delivery.dead_letters {
            match self.rejections.get_mut(&letter.code) {
                Some(count) => *count += 1,
                None => {
                    self.rejections.insert(letter.code.clone(), 1);
                }
            }
        }
        for (sink, rows) in self.sinks.iter_mut().zip(&delivery.encoded) {
            sink.delivered += rows.len() as u64;
            sink.filtered += rows.filtered;
            sink.refused += rows.refused;
            sink.bytes += rows.bytes.len() as u64;
        }
        self.plugins.add(delivery);
        self.lanes.add(delivery);
    }
}

impl SinkCounts {
    fn report(&self, (name, guarantee): &(String, String)) -> SinkReport {
        let ms = |quantile| self.took_us.value_at_quantile(quantile) as f64 / 1e3;
        SinkReport {
            name: name.clone(),
            guarantee: guarantee.clone(),
            batches: self.batches,
            retries: self.retries,
            bytes: self.bytes,
            seconds: self.seconds,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

/// Processor time of this process so far, user and system.
pub fn process_cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
