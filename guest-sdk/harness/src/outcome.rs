//! What a batch came to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Checked, Event};

/// Codes of rejections of which the plugin is guilty: it trapped, burned all its fuel, took too much memory, or gave an answer that
/// makes no sense.
pub(crate) const FAULTS: [&str; 5] = ["trap", "fuel", "memory", "output_too_large", "bad_answer"];

/// The outcome of one batch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Run {
    /// By event, in their order.
    pub events: Vec<EventOutcome>,
    /// The alerts raised, as a sink gets them.
    pub alerts: Vec<Value>,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// What was looked up, by address; `None`: it got no name.
    pub looked_up: BTreeMap<String, Option<String>>,
    /// Fuel used: about one per WebAssembly instruction.
    pub fuel: u64,
    /// Calls of the plugin: one, unless it failed or needs more fuel than a call gets.
    pub calls: u64,
    /// The largest memory of its instances, in bytes; 0 when it was not called.
    #[serde(deserialize_with = "or_zero")]
    pub memory_bytes: u64,
    /// The offset of the first event: the next one's is one more.
    pub first_offset: i64,
    /// The events themselves.
    #[serde(skip)]
    pub inputs: Vec<Event>,
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogLine {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// The line, without control characters.
    pub text: String,
}

/// What became of one event.
///
/// ```no_run
/// use wasmill_harness::{EventOutcome, Harness, LogLine};
///
/// let run = Harness::this_plugin().start()?.run(["no JSON"])?;
/// let EventOutcome::Rejected { code, .. } = &run.events[0] else { panic!("it is no event") };
/// assert_eq!(code, "not_json");
/// let errors: Vec<&LogLine> = run.log.iter().filter(|line| line.level == "error").collect();
/// assert!(errors.is_empty(), "{errors:?}");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum EventOutcome {
    /// It goes on, perhaps with fields added.
    Passed {
        /// The payload after enrichment.
        payload: String,
    },
    /// A validator found it not interesting.
    Dropped,
    /// It goes to the dead letters.
    Rejected {
        /// Where: `parse` (by the host, before the plugin), `validate`, `enrich` or `alert`.
        stage: String,
        /// A short stable word.
        code: String,
        /// A sentence for people.
        reason: String,
    },
}

impl Run {
    /// What became of event number `n`, to be asserted on.
    ///
    /// # Panics
    /// When there is no such event.
    #[track_caller]
    pub fn event(&self, n: usize) -> Checked<'_> {
        Checked::new(self, n)
    }

    /// The alerts about event number `n`.
    pub fn alerts_of(&self, n: usize) -> impl Iterator<Item = &Value> {
        let offset = self.first_offset + n as i64;
        self.alerts.iter().filter(move |alert| alert["origin"]["offset"] == offset)
    }

    /// The words for all outcomes, see [`EventOutcome::word`].
    pub fn words(&self) -> Vec<&str> {
        self.events.iter().map(EventOutcome::word).collect()
    }

    /// Fuel per event.
    pub fn fuel_per_event(&self) -> u64 {
        self.fuel / (self.events.len() as u64).max(1)
    }
}

impl EventOutcome {
    /// Whether it goes on.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    /// The payload after enrichment, byte for byte; `None` when the event does not go on.
    pub fn payload(&self) -> Option<&str> {
        match self {
            Self::Passed { payload } => Some(payload),
            Self::Dropped | Self::Rejected { .. } => None,
        }
    }

    /// The payload after enrichment as JSON; null when the event does not go on.
    pub fn json(&self) -> Value {
        self.payload().and_then(|payload| serde_json::from_str(payload).ok()).unwrap_or(Value::Null)
    }

    /// The code of a rejection.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code, .. } => Some(code),
            Self::Passed { .. } | Self::Dropped => None,
        }
    }

    /// `pass`, `drop`, or the code of the rejection.
    pub fn word(&self) -> &str {
        match self {
            Self::Passed { .. } => "pass",
            Self::Dropped => "drop",
            Self::Rejected { code, .. } => code,
        }
    }

    /// Whether the plugin failed on it, instead of rejecting it.
    pub fn is_fault(&self) -> bool {
        self.code().is_some_and(|code| FAULTS.contains(&code))
    }

    /// The functions that a plugin was in when it failed, innermost first, each with file and line if it was built with line tables.
    pub fn backtrace(&self) -> Vec<&str> {
        match self {
            Self::Rejected { reason, .. } if self.is_fault() => {
                reason.rsplit_once(FRAMES).map_or(Vec::new(), |(_, frames)| frames.split(" < ").collect())
            }
            _ => Vec::new(),
        }
    }

    /// What it is in a sentence, without the backtrace.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Passed { payload } => format!("passed: {payload}"),
            Self::Dropped => "dropped".to_owned(),
            Self::Rejected { code, reason, .. } => {
                let reason = if self.is_fault() { reason.rsplit_once(FRAMES) } else { None }
                    .map_or(reason.as_str(), |(what, _)| what);
                format!("rejected ({code}): {reason}")
            }
        }
    }
}

/// What stands before the functions in a reason.
const FRAMES: &str = "; in ";

fn or_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Option::<u64>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_told_apart_from_its_sentence() {
        let of = |code: &str, reason: &str| EventOutcome::Rejected {
            stage: "validate".into(),
            code: code.into(),
            reason: reason.into(),
        };
        let trapped = of("trap", "the plugin p trapped: unreachable; in a::b (src/lib.rs:7) < c");
        assert_eq!(trapped.backtrace(), ["a::b (src/lib.rs:7)", "c"]);
        assert_eq!(trapped.sentence(), "rejected (trap): the plugin p trapped: unreachable");
        let rejected = of("bad", "not this one; in no list");
        assert_eq!(rejected.sentence(), "rejected (bad): not this one; in no list");
        assert!(rejected.backtrace().is_empty());
    }
}
