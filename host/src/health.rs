//! Whether each part works, and why not: behind `/health/ready`, the log and the status line.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum PartHealth {
    /// It works.
    Green,
    /// It works with a flaw that somebody should know.
    Yellow {
        /// A sentence that says what to do.
        reason: String,
    },
    /// It does not work; what depends on it waits.
    Red {
        /// A sentence that says what to do.
        reason: String,
    },
}

/// The parts of a pipeline by name: `source`, `sink NAME`, `lane TOPIC[N]`, `look-up NAME`.
#[derive(Debug, Default)]
pub struct Health {
    // Guards the map for the length of a look-up or an insertion.
    parts: Mutex<BTreeMap<String, PartHealth>>,
}

impl Health {
    /// The part works. Logged when it did not before.
    pub fn green(&self, part: &str) {
        let before = self.set(part, PartHealth::Green);
        if !matches!(before, None | Some(PartHealth::Green)) {
            tracing::info!(part, "works");
        }
    }

    /// The part does not work yet, which is no fault and is not logged.
    pub fn begins(&self, part: &str, reason: &str) {
        self.set(part, PartHealth::Red { reason: reason.to_owned() });
    }

    /// The part has a flaw. Logged when the reason is new.
    pub fn yellow(&self, part: &str, reason: impl Into<String>) {
        let reason = reason.into();
        if self.set(part, PartHealth::Yellow { reason: reason.clone() })
            != Some(PartHealth::Yellow { reason: reason.clone() })
        {
            tracing::warn!(part, "{reason}");
        }
    }

    /// The part does not work. Logged when the reason is new.
    pub fn red(&self, part: &str, reason: impl Into<String>) {
        let reason = reason.into();
        if self.set(part, PartHealth::Red { reason: reason.clone() })
            != Some(PartHealth::Red { reason: reason.clone() })
        {
            tracing::error!(part, "{reason}");
        }
    }

    /// The part is no more.
    pub fn remove(&self, part: &str) {
        self.lock().remove(part);
    }

    /// All parts.
    pub fn parts(&self) -> BTreeMap<String, PartHealth> {
        self.lock().clone()
    }

    /// Whether this part is red.
    pub fn is_red(&self, part: &str) -> bool {
        matches!(self.lock().get(part), Some(PartHealth::Red { .. }))
    }

    /// Whether no part is red.
    pub fn is_ready(&self) -> bool {
        !self.lock().values().any(|part| matches!(part, PartHealth::Red { .. }))
    }

    fn set(&self, part: &str, health: PartHealth) -> Option<PartHealth> {
        self.lock().insert(part.to_owned(), health)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PartHealth>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_red_part_makes_the_pipeline_not_ready() {
        let health = Health::default();
        health.green("source");
        health.yellow("sink rows", "slow");
        assert!(health.is_ready());
        health.red("sink rows", "away");
        assert!(!health.is_ready());
        health.green("sink rows");
        assert!(health.is_ready());
    }
}
