//! Where events come from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One partition of a source. Together with an offset it is an event's origin, its identity for exactly-once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// `kafka`, `stdin` or `file`.
    pub source: String,
    /// Kafka's cluster id; empty for other sources.
    pub cluster: String,
    /// The topic, or the path of a file; `stdin` for standard input.
    pub topic: String,
    /// Tells a topic made anew from the one of the same name before it. A file: device, inode and the hash of its first
    /// 4 KiB; standard input: new at each run.
    pub topic_id: String,
    /// The partition's number; 0 for other sources.
    pub partition: i32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}
