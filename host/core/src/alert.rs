//! Alerts: facts that an alerter derives from one event.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Digest, PartitionId, PluginRef};

/// How grave an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Something fails.
    Error,
    /// Somebody must act.
    Critical,
}

/// An alert's identity: the same when it is derived again from the same event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId([u8; 16]);

impl AlertId {
    /// The id of what `rule` raises for `key` about the event at `offset` of `partition`.
    pub fn new(rule: &str, key: &str, partition: &PartitionId, offset: i64) -> Self {
        let digest = Digest::of_parts([
            rule.as_bytes(),
            key.as_bytes(),
            partition.source.as_bytes(),
            partition.cluster.as_bytes(),
            partition.topic.as_bytes(),
            partition.topic_id.as_bytes(),
            &partition.partition.to_le_bytes(),
            &offset.to_le_bytes(),
        ]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        Self(id)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an alerter raised about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its identity.
    pub id: AlertId,
    /// The event's index in the [`crate::RawBatch`].
    pub event: u32,
    /// The event's time, nanoseconds since 1970.
    pub time_ns: i64,
    /// Which rule.
    pub rule: String,
    /// What it is about: alerts of one rule and key belong together.
    pub key: String,
    /// How grave.
    pub severity: Severity,
    /// One line for people.
    pub summary: String,
    /// Further values, in the plugin's order.
    pub labels: Vec<(String, String)>,
    /// By which plugin.
    pub plugin: Arc<PluginRef>,
}
