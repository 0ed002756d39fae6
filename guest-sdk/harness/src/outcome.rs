//! What a batch came to.

use serde::Deserialize;
use serde_json::Value;

/// The outcome of one batch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Run {
    /// By event, in the order of the payloads.
    pub events: Vec<EventOutcome>,
    /// The alerts raised, as a sink gets them.
    pub alerts: Vec<Value>,
    /// Fuel used: about one per WebAssembly instruction.
    pub fuel: u64,
}

/// What became of one event.
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
        /// A short stable word.
        code: String,
        /// A sentence for people.
        reason: String,
    },
}

impl EventOutcome {
    /// Whether it goes on.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    /// The payload after enrichment as JSON; null when the event does not go on.
    pub fn json(&self) -> Value {
        match self {
            Self::Passed { payload } => serde_json::from_str(payload).unwrap_or(Value::Null),
            Self::Dropped | Self::Rejected { .. } => Value::Null,
        }
    }

    /// The code of a rejection.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code, .. } => Some(code),
            Self::Passed { .. } | Self::Dropped => None,
        }
    }
}
