//! Databases that hold rows and positions: what PostgreSQL and SQLite have in common.
//!
//! A store is one database of the pipeline. It writes the rows of all its sinks, its dead letters and the ledger row
//! in one transaction. One store is home: where a lane is, is what home's ledger says. The others keep the same ledger row as a mark.

use std::sync::Arc;

use wasmill_core::PartitionId;

/// A lane's hold on its ledger row. Another process that takes the partition over bumps the epoch; from then on this
/// lease commits nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The partition.
    pub partition: Arc<PartitionId>,
    /// The epoch that this lane made.
    pub epoch: i64,
    /// The offset up to which the store has everything.
    pub next_offset: i64,
}

/// What a commit did, by sink index of the pipeline; sinks of other stores stay 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Rows written.
    pub delivered: Vec<u64>,
    /// Rows that only the database refused; they are dead letters now.
    pub refused: Vec<u64>,
    /// Dead letters written.
    pub dead_letters: u64,
}

/// Why something could not be done in a store. Nothing has been stored then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away or busy, or the outcome is unknown: try again. A repeated commit finds out what is there.
    #[error("{0}")]
    Transient(String),
    /// Somebody must act: wrong password, missing table or right. At the start exit 78; later the lane pauses and tries again.
    #[error("{0}")]
    Setup(String),
    /// Another process owns the partition now; this lane stops.
    #[error("partition {partition} was taken over by another process (epoch {found}, this one has {mine})")]
    Fenced {
        /// The partition.
        partition: String,
        /// Our epoch.
        mine: i64,
        /// The ledger's epoch.
        found: i64,
    },
}
