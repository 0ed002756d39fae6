//! What running a batch gives.

use std::path::PathBuf;
use std::sync::Arc;

use wasmill_core::{Alert, Digest, PluginRef, Rejection};

use crate::held::{Held, Limit};
use crate::load::OnOpen;
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
    /// How the breakers of plugins turned, in order.
    pub turns: Vec<BreakerTurn>,
    /// What the plugins said in calls that succeeded, in order, up to their limits for a batch, whether it was logged or not.
    pub log: Vec<LogLine>,
    /// What changed in the states, one entry for each plugin that keeps any and saw an event.
    pub state: Vec<StateDelta>,
}

/// A line that a plugin said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its index in the generation.
    pub plugin: usize,
    /// How grave it is.
    pub level: tracing::Level,
    /// The line, without control characters.
    pub text: String,
}

/// A breaker that turned.
#[derive(Clone, Debug)]
pub struct BreakerTurn {
    /// Whose it is, by [`crate::Plugin::id`].
    pub id: Digest,
    /// The same for people.
    pub plugin: Arc<PluginRef>,
    /// How it is now.
    pub state: BreakerState,
    /// The offset from which on it is so.
    pub offset: i64,
}

/// How the breaker of a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// The plugin is called.
    Closed,
    /// It is called for one batch.
    HalfOpen,
    /// It is not called.
    Open {
        /// What it did last.
        reason: Arc<str>,
        /// For how many events, after which one batch is tried.
        events: u64,
        /// What becomes of events meanwhile.
        on_open: OnOpen,
    },
}

/// What one plugin did in one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Events that came to it, once for each of its kinds: it passed them on, rejected or dropped them, or they passed it by.
    pub events: u64,
    /// Calls, one per kind unless a call failed and was split.
    pub calls: u64,
    /// Fuel that all calls burned.
    pub fuel: u64,
    /// Time from gathering to the checked answer, nanoseconds.
    pub nanos: u64,
    /// Events that were rejected: by itself, for want of a field that it requires, because it failed on them, or because its breaker
    /// was open.
    pub rejected: u64,
    /// Those of them that it failed on.
    pub failed: u64,
    /// Events that it dropped.
    pub dropped: u64,
    /// Events that passed it by because its breaker was open.
    pub skipped: u64,
    /// Calls that failed, by what went wrong.
    pub faults: Faults,
    /// Instances that were made.
    pub instances: u64,
    /// Bytes that the memories of its largest instance had at the end of a call. Memories never shrink.
    pub memory_bytes: u64,
    /// Bytes that calls were handed.
    pub bytes_in: u64,
    /// Bytes that they answered with.
    pub bytes_out: u64,
    /// Log lines that were logged.
    pub log_lines: u64,
    /// How often its limits held.
    pub held: Held,
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
        /// Which, by [`crate::Plugin::id`].
        id: Digest,
        /// Which, for people.
        plugin: Arc<PluginRef>,
        /// Its file.
        file: PathBuf,
        /// Events that it failed on among the last `events`.
        guilty: usize,
        /// See `guilty`.
        events: u64,
        /// What happened last.
        reason: String,
    },
    /// A plugin no longer starts, whatever the event.
    #[error(
        "the plugin {} {} (\"{}\", digest {:#}) does not start: it {reason}; replace or remove the plugin",
        plugin.name, plugin.version, file.display(), plugin.digest
    )]
    Start {
        /// Which, by [`crate::Plugin::id`].
        id: Digest,
        /// Which, for people.
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

/// Calls that failed, by what went wrong: the codes of rejections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// `trap`: panics, crashes, exits.
    pub trap: u64,
    /// `fuel`: all of it was burned.
    pub fuel: u64,
    /// `memory`: more of it, or of tables, than is allowed.
    pub memory: u64,
    /// `output_too_large`: more was handed over than is allowed.
    pub output_too_large: u64,
    /// `bad_answer`: what was handed over makes no sense.
    pub bad_answer: u64,
}

impl Faults {
    /// All of them, by code.
    pub fn by_code(&self) -> [(&'static str, u64); 5] {
        let Self { trap, fuel, memory, output_too_large, bad_answer } = *self;
        [
            ("trap", trap),
            ("fuel", fuel),
            ("memory", memory),
            ("output_too_large", output_too_large),
            ("bad_answer", bad_answer),
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.by_code().iter().map(|(_, count)| count).sum()
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.trap += other.trap;
        self.fuel += other.fuel;
        self.memory += other.memory;
        self.output_too_large += other.output_too_large;
        self.bad_answer += other.bad_answer;
    }

    pub(crate) fn count(&mut self, code: &str) {
        match code {
            "fuel" => self.fuel += 1,
            "memory" => self.memory += 1,
            "output_too_large" => self.output_too_large += 1,
            "bad_answer" => self.bad_answer += 1,
            _ => self.trap += 1,
        }
    }
}

impl Broken {
    /// The turn of the plugin's breaker that this is, at `offset`, where its lane pauses for it.
    pub fn turn(&self, offset: i64) -> Option<BreakerTurn> {
        let (Self::Plugin { id, plugin, reason, .. } | Self::Start { id, plugin, reason, .. }) = self else {
            return None;
        };
        let state = BreakerState::Open { reason: reason.as_str().into(), events: u64::MAX, on_open: OnOpen::Pause };
        Some(BreakerTurn { id: *id, plugin: Arc::clone(plugin), state, offset })
    }
}

impl Cost {
    /// Events that it passed on.
    pub fn passed(&self) -> u64 {
        self.events.saturating_sub(self.rejected + self.dropped + self.skipped)
    }

    /// Keys of its state that had to go because it was full.
    pub fn state_evicted(&self) -> u64 {
        self.held.of(Limit::StateBytes)
    }

    /// Log lines beyond those of a batch or of a second.
    pub fn log_lines_suppressed(&self) -> u64 {
        self.held.of(Limit::LogLines) + self.held.of(Limit::LogLinesPerSecond)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.calls += other.calls;
        self.fuel += other.fuel;
        self.nanos += other.nanos;
        self.rejected += other.rejected;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.skipped += other.skipped;
        self.faults.add(&other.faults);
        self.instances += other.instances;
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.log_lines += other.log_lines;
        self.held.add(&other.held);
    }
}
