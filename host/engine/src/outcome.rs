//! What running a batch gives.

use std::path::PathBuf;
use std::sync::Arc;

use wasmill_core::{Alert, PluginRef, Rejection};

use crate::state::StateDelta;

/// What plugins decided about a batch. Events that are neither rejected nor dropped are still live in it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Events that were rejected, in event order, one entry each.
    pub rejections: Vec<Rejection>,
    /// Events that a validator dropped (not interesting), rising.
    pub dropped: Vec<u32>,
    /// Alerts, in event order; those about one event in the order of the plugins.
    pub alerts: Vec<Alert>,
    /// What each plugin of the generation cost, in its order.
    pub costs: Vec<Cost>,
    /// What changed in the states, one entry for each plugin that keeps any and saw an event.
    pub state: Vec<StateDelta>,
}

/// What one plugin did in one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Events that it saw, once for each of its kinds.
    pub events: u64,
    /// Calls, one per kind unless a call failed and was split.
    pub calls: u64,
    /// Fuel that all calls burned.
    pub fuel: u64,
    /// Time from gathering to the checked answer, nanoseconds.
    pub nanos: u64,
    /// Events that it rejected, itself or by failing on them.
    pub rejected: u64,
    /// Events that it dropped.
    pub dropped: u64,
    /// Calls that failed: traps, limits, malformed answers.
    pub traps: u64,
    /// Keys of its state that had to go because it was full.
    pub state_evicted: u64,
    /// Log lines that were logged.
    pub log_lines: u64,
    /// Log lines beyond the limit.
    pub log_lines_suppressed: u64,
}

/// A batch that cannot be run. Nothing of it has been taken over: project it again from its raw events.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A plugin fails on too many events for them to be at fault: nobody is blamed, and the lane pauses.
    #[error(
        "the plugin {} {} (\"{}\", digest {:#}) failed on {guilty} of the last {events} events, so it is taken to be broken and \
         no event is blamed: it {reason}; replace or remove the plugin, or raise its limits",
        plugin.name, plugin.version, file.display(), plugin.digest
    )]
    Plugin {
        /// Which.
        plugin: Arc<PluginRef>,
        /// Its file.
        file: PathBuf,
        /// Events that it failed on among the last `events` offsets.
        guilty: usize,
        /// See `guilty`.
        events: i64,
        /// What happened last.
        reason: String,
    },
    /// A plugin no longer starts, whatever the event.
    #[error(
        "the plugin {} {} (\"{}\", digest {:#}) does not start: it {reason}; replace or remove the plugin",
        plugin.name, plugin.version, file.display(), plugin.digest
    )]
    Start {
        /// Which.
        plugin: Arc<PluginRef>,
        /// Its file.
        file: PathBuf,
        /// What happened.
        reason: String,
    },
    /// A plugin has had a batch for too long. It is still at it: a guest ends only with its fuel.
    #[error(
        "the plugin {} {} (\"{}\", digest {:#}) has had one batch for more than {limit_ms} ms (limits.stuck_batch_ms), so the lane \
         pauses and no event is rejected; replace or remove the plugin, lower limits.fuel_per_event or raise \
         limits.stuck_batch_ms",
        plugin.name, plugin.version, file.display(), plugin.digest
    )]
    Stuck {
        /// Which.
        plugin: Arc<PluginRef>,
        /// Its file.
        file: PathBuf,
        /// The limit that it passed.
        limit_ms: u64,
    },
    /// The engine has no room for another instance, or the machine no memory: try again.
    #[error("no instance of the plugin {} can be made: {problem}; run fewer workers or give more memory", plugin.name)]
    Engine {
        /// Of which plugin.
        plugin: Arc<PluginRef>,
        /// Why not.
        problem: String,
    },
}

impl Cost {
    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.calls += other.calls;
        self.fuel += other.fuel;
        self.nanos += other.nanos;
        self.rejected += other.rejected;
        self.dropped += other.dropped;
        self.traps += other.traps;
        self.state_evicted += other.state_evicted;
        self.log_lines += other.log_lines;
        self.log_lines_suppressed += other.log_lines_suppressed;
    }
}
