//! What a run did: counted at each commit, read by the report, the status line and the admin pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use serde::Serialize;
use wasmill_core::{Digest, PluginRef};
use wasmill_engine::{Plugin, Plugins};

use crate::delivery::Delivery;
use crate::recent::{LastMinute, Recent};

/// The report of a run: one JSON object. Everything in it speaks of committed batches, so that for every sink of
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
    /// Wall time since the start.
    pub seconds: f64,
    /// Processor time of the whole process.
    pub cpu_seconds: f64,
    /// Per plugin that served, in the order in which they run; those of later generations behind those of earlier ones.
    pub plugins: Vec<PluginReport>,
    /// Per sink, in the file's order.
    pub sinks: Vec<SinkReport>,
}

/// One plugin's work.
#[derive(Clone, Debug, Serialize)]
pub struct PluginReport {
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// Events that came to it, once for each of its kinds: passed, rejected, dropped and skipped together.
    pub events: u64,
    /// Calls into it, with those repeated to find a guilty event.
    pub calls: u64,
    /// Fuel it used: about one per WebAssembly instruction.
    pub fuel: u64,
    /// Time spent in it.
    pub seconds: f64,
    /// Events that it passed on.
    pub passed: u64,
    /// Events that were rejected: by itself, for want of a field that it requires, because it failed on them, or because its breaker
    /// was open.
    pub rejected: u64,
    /// The same by code.
    pub rejections: BTreeMap<String, u64>,
    /// Events it dropped.
    pub dropped: u64,
    /// Events that passed it by because its breaker was open.
    pub skipped: u64,
    /// Calls that failed.
    pub traps: u64,
    /// The same by what went wrong.
    pub faults: BTreeMap<&'static str, u64>,
    /// Instances that were made of it.
    pub instances: u64,
    /// Bytes that it was handed.
    pub bytes_in: u64,
    /// Bytes that it answered with.
    pub bytes_out: u64,
    /// Keys of its state that had to go because it was full.
    pub state_evicted: u64,
    /// Lines that it logged.
    pub log_lines: u64,
    /// Lines beyond what it may log.
    pub log_lines_suppressed: u64,
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
    recent: Recent,
    sinks: Vec<SinkCounts>,
    plugins: PluginCounts,
}

/// Counts by plugin: its file's digest and that of its configuration.
#[derive(Debug, Default)]
struct PluginCounts {
    keys: Vec<(Digest, Digest)>,
    /// By index of `keys`.
    reports: Vec<PluginReport>,
    /// The plugins of the generation that was counted last, and where they are counted.
    last: Option<(Plugins, Vec<usize>)>,
}

#[derive(Debug)]
struct SinkCounts {
    delivered: u64,
    filtered: u64,
    refused: u64,
    batches: u64,
    retries: u64,
    took_us: Histogram<u64>,
}

impl Default for SinkCounts {
    fn default() -> Self {
        // 1 microsecond to one hour with two significant digits: 20 kB.
        let took_us = Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("the bounds are constant and valid");
        Self { delivered: 0, filtered: 0, refused: 0, batches: 0, retries: 0, took_us }
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
            }
        }
        for (sink, took) in result.took.iter().enumerate() {
            if let Some(took) = took {
                counts.sinks[sink].batches += 1;
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
            seconds: self.started.elapsed().as_secs_f64(),
            cpu_seconds: process_cpu_seconds(),
            plugins: counts.plugins.reports.clone(),
            sinks: self.sink_names.iter().zip(&counts.sinks).map(|(name, sink)| sink.report(name)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counters stay usable whatever happened to the thread that last held them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Codes that are counted by plugin; what has others is counted as [`OTHER_CODES`].
const CODES_MAX: usize = 100;
/// What codes beyond the limit are counted as.
pub const OTHER_CODES: &str = "other";
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
        }
        self.plugins.add(delivery);
    }
}

impl PluginCounts {
    /// Finds where these plugins are counted.
    fn find(&mut self, plugins: &Plugins) {
        if self.last.as_ref().is_none_or(|(last, _)| !Arc::ptr_eq(last, plugins)) {
            let places = plugins.iter().map(|plugin| self.place(plugin)).collect();
            self.last = Some((Arc::clone(plugins), places));
        }
    }

    fn place(&mut self, plugin: &Plugin) -> usize {
        let key = (plugin.reference().digest, plugin.config_digest());
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.reports.push(PluginReport::new(plugin.reference()));
            self.keys.len() - 1
        })
    }

    fn add(&mut self, delivery: &Delivery) {
        self.find(&delivery.plugins);
        let places = self.last.iter().flat_map(|(_, places)| places);
        for (place, cost) in places.zip(&delivery.costs) {
            let plugin = &mut self.reports[*place];
            plugin.events += cost.events;
            plugin.calls += cost.calls;
            plugin.fuel += cost.fuel;
            plugin.seconds += cost.nanos as f64 / 1e9;
            plugin.rejected += cost.rejected;
            plugin.dropped += cost.dropped;
            plugin.skipped += cost.skipped;
            plugin.passed += cost.passed();
            plugin.traps += cost.faults.total();
            for (code, count) in cost.faults.by_code() {
                *plugin.faults.entry(code).or_default() += count;
            }
            plugin.instances += cost.instances;
            plugin.bytes_in += cost.bytes_in;
            plugin.bytes_out += cost.bytes_out;
            plugin.state_evicted += cost.state_evicted;
            plugin.log_lines += cost.log_lines;
            plugin.log_lines_suppressed += cost.log_lines_suppressed;
        }
        self.add_rejections(delivery);
    }

    /// Counts the codes of rejections. Where a file serves twice, with a configuration each, they go to the first.
    fn add_rejections(&mut self, delivery: &Delivery) {
        let of_plugins =
            delivery.dead_letters.iter().filter_map(|letter| Some((letter.plugin.as_ref()?.digest, letter)));
        for (digest, letter) in of_plugins {
            let place = delivery.plugins.iter().position(|plugin| plugin.reference().digest == digest);
            let places = self.last.as_ref().map_or(&[][..], |(_, places)| places);
            if let Some(place) = place.and_then(|place| places.get(place)) {
                let codes = &mut self.reports[*place].rejections;
                // A plugin may make codes of what it reads.
                let is_known = codes.len() < CODES_MAX || codes.contains_key(&letter.code);
                let code = if is_known { letter.code.as_str() } else { OTHER_CODES };
                match codes.get_mut(code) {
                    Some(count) => *count += 1,
                    None => drop(codes.insert(code.to_owned(), 1)),
                }
            }
        }
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
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

impl PluginReport {
    fn new(plugin: &PluginRef) -> Self {
        Self {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            digest: plugin.digest.to_string(),
            events: 0,
            calls: 0,
            fuel: 0,
            seconds: 0.0,
            passed: 0,
            rejected: 0,
            rejections: BTreeMap::new(),
            dropped: 0,
            skipped: 0,
            traps: 0,
            faults: BTreeMap::new(),
            instances: 0,
            bytes_in: 0,
            bytes_out: 0,
            state_evicted: 0,
            log_lines: 0,
            log_lines_suppressed: 0,
        }
    }
}

/// Processor time of this process so far, user and system.
pub fn process_cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
