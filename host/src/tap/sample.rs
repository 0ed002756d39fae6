//! What lanes tell a tap: events on their way, with what each step did to them.

use std::sync::Arc;

use wasmill_core::{Alert, PartitionId, PluginRef, Rejection, Stage};

use super::Reserved;

/// What is told to a tap.
#[derive(Debug)]
pub(super) enum Told {
    /// What became of an event.
    Event(Box<Sample>),
    /// A batch that came to nothing, since a plugin is broken.
    Broken {
        partition: Arc<PartitionId>,
        /// The batch's offsets are [first, next).
        first: i64,
        next: i64,
        reason: String,
    },
}

/// An event on its way.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) partition: Arc<PartitionId>,
    pub(super) offset: i64,
    pub(super) time_ns: i64,
    /// When the batch came to its plugins, nanoseconds since 1970.
    pub(super) seen_ns: i64,
    /// The steps that every event of the generation goes through.
    pub(super) steps_all: usize,
    /// Those that are asked for.
    pub(super) steps: Vec<SeenStep>,
    /// For as long as the payloads are there.
    pub(super) reserved: Vec<Reserved>,
}

/// An event at one step.
#[derive(Debug)]
pub(super) struct SeenStep {
    /// From 1 on; 0 is the reading, before all plugins.
    pub(super) place: usize,
    pub(super) stage: Stage,
    /// `None`: the reading.
    pub(super) plugin: Option<Arc<PluginRef>>,
    /// The payload; `None` where it could not be read.
    pub(super) before: Option<Arc<[u8]>>,
    pub(super) verdict: Verdict,
    /// Of the step, shared out over the events that came to it.
    pub(super) fuel: u64,
    pub(super) alerts: Vec<Alert>,
}

/// What a step did to an event.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    /// The payload after it.
    Changed(Arc<[u8]>),
    Dropped,
    /// The plugin's breaker is open.
    Skipped,
    Rejected {
        code: String,
        reason: String,
        /// The plugin failed on it.
        is_trap: bool,
    },
}

impl Verdict {
    /// Of a rejection.
    pub(super) fn of(rejection: &Rejection, is_trap: bool) -> Self {
        Self::Rejected { code: rejection.code.clone().into_owned(), reason: rejection.reason.clone(), is_trap }
    }

    /// As a tap names it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Changed(_) => "changed",
            Self::Dropped => "dropped",
            Self::Skipped => "skipped",
            Self::Rejected { is_trap: false, .. } => "rejected",
            Self::Rejected { is_trap: true, .. } => "trapped",
        }
    }
}
