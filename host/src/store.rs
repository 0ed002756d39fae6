//! Databases that hold rows and positions: what PostgreSQL and SQLite have in common.
//!
//! A store is one database of the pipeline. It writes the rows of all its sinks, its dead letters and the ledger row
//! in one transaction. One store is home: where a lane is, is what home's ledger says. The others keep the same ledger row as a mark.

mod letters;

use std::sync::Arc;

use wasmill_core::{Digest, PartitionId};

use crate::config::{From, Provenance, TableConfig};
use crate::delivery::{DeadLetter, Delivery};
use crate::history::{Served, ServedPlugin};
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;
use crate::states::StoredState;

/// One database of the pipeline.
#[derive(Debug)]
pub enum Store {
    /// PostgreSQL or TimescaleDB.
    Postgres(Box<PostgresStore>),
    /// SQLite.
    Sqlite(Box<SqliteStore>),
}

impl Store {
    /// The offset up to which the store has everything of a partition; `None`: it does not know the partition.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read(&self, partition: &PartitionId) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Postgres(store) => store.read(partition).await,
            Self::Sqlite(store) => store.read(partition).await,
        }
    }

    /// Whether any other partition of the topic is known: then a partition that is not was added later.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn knows_topic(&self, partition: &PartitionId) -> Result<bool, StoreError> {
        match self {
            Self::Postgres(store) => store.knows_topic(partition).await,
            Self::Sqlite(store) => store.knows_topic(partition).await,
        }
    }

    /// Takes the partition over: makes its ledger row at `start` if there is none, and bumps its epoch.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn acquire(&self, partition: &Arc<PartitionId>, start: i64) -> Result<Lease, StoreError> {
        match self {
            Self::Postgres(store) => store.acquire(partition, start).await,
            Self::Sqlite(store) => store.acquire(partition, start).await,
        }
    }

    /// Stores a group of consecutive deliveries of one lane and moves its ledger row on, in one transaction. What lies before
    /// the lease's offset is there already and is left out. May be repeated after an error.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn commit(&self, lease: &mut Lease, deliveries: &[Delivery]) -> Result<Committed, StoreError> {
        match self {
            Self::Postgres(store) => store.commit(lease, deliveries).await,
            Self::Sqlite(store) => store.commit(lease, deliveries).await,
        }
    }

    /// Every ledger row of the pipeline, those that moved last at the end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn positions(&self) -> Result<Vec<(PartitionId, i64)>, StoreError> {
        match self {
            Self::Postgres(store) => {
                let rows = store.offsets().await?;
                Ok(rows.into_iter().map(|row| (row.partition, row.next_offset)).collect())
            }
            Self::Sqlite(store) => store.positions().await,
        }
    }

    /// Sets a position by hand; a lane that holds the partition is fenced.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_offset(&self, partition: &PartitionId, next_offset: i64) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.set_offset(partition, next_offset).await,
            Self::Sqlite(store) => store.set_offset(partition, next_offset).await,
        }
    }

    /// Moves a position over offsets that are gone, from `first` (where it is) to `next`, and records them as lost.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn accept_gap(&self, partition: &PartitionId, first: i64, next: i64) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.accept_gap(partition, first, next).await,
            Self::Sqlite(store) => store.accept_gap(partition, first, next).await,
        }
    }

    /// Up to `limit` dead letters of this pipeline with ids after `id`, in their order, which is that of their commits.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn dead_letters_after(&self, id: i64, limit: i64) -> Result<Vec<StoredDeadLetter>, StoreError> {
        match self {
            Self::Postgres(store) => store.dead_letters_after(id, limit).await,
            Self::Sqlite(store) => store.dead_letters_after(id, limit).await,
        }
    }

    /// The last id that was relayed to `destination`; 0 when none was.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn relay_mark(&self, destination: &str) -> Result<i64, StoreError> {
        match self {
            Self::Postgres(store) => store.relay_mark(destination).await,
            Self::Sqlite(store) => store.relay_mark(destination).await,
        }
    }

    /// Says that the dead letters up to `id` are at `destination`. A mark never goes back.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_relay_mark(&self, destination: &str, id: i64) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.set_relay_mark(destination, id).await,
            Self::Sqlite(store) => store.set_relay_mark(destination, id).await,
        }
    }

    /// Deletes at most `limit` rows of this pipeline that are older than they are kept; answers how many there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn forget(&self, what: Forget, limit: u32) -> Result<u64, StoreError> {
        match self {
            Self::Postgres(store) => store.forget(what, limit).await,
            Self::Sqlite(store) => store.forget(what, limit).await,
        }
    }

    /// What is open at a sink, by any process of the pipeline.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_alerts(&self, sink: &str) -> Result<Vec<OpenAlert>, StoreError> {
        match self {
            Self::Postgres(store) => store.open_alerts(sink).await,
            Self::Sqlite(store) => store.open_alerts(sink).await,
        }
    }

    /// Notes what was opened, counted (`count` is what is added) or ended at a sink, in one transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_open_alerts(&self, sink: &str, changes: &[OpenAlert]) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.note_open_alerts(sink, changes).await,
            Self::Sqlite(store) => store.note_open_alerts(sink, changes).await,
        }
    }

    /// The versions in which states of a plugin are stored, over all partitions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn state_versions(&self, plugin: &str) -> Result<Vec<u32>, StoreError> {
        match self {
            Self::Postgres(store) => store.state_versions(plugin).await,
            Self::Sqlite(store) => store.state_versions(plugin).await,
        }
    }

    /// A plugin's state in a partition.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_state(&self, partition: &PartitionId, plugin: &str) -> Result<Option<StoredState>, StoreError> {
        match self {
            Self::Postgres(store) => store.read_state(partition, plugin).await,
            Self::Sqlite(store) => store.read_state(partition, plugin).await,
        }
    }

    /// Forgets a plugin's state in a partition; from now on it is of this version.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn reset_state(&self, partition: &PartitionId, plugin: &str, version: u32) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.reset_state(partition, plugin, version).await,
            Self::Sqlite(store) => store.reset_state(partition, plugin, version).await,
        }
    }

    /// Notes which plugins serve from now on, unless that was the last that was noted.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_generation(&self, generation: &Digest, plugins: &[ServedPlugin]) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.note_generation(generation, plugins).await,
            Self::Sqlite(store) => store.note_generation(generation, plugins).await,
        }
    }

    /// Every generation that served, in their order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn generations(&self) -> Result<Vec<Served>, StoreError> {
        match self {
            Self::Postgres(store) => store.generations().await,
            Self::Sqlite(store) => store.generations().await,
        }
    }

    /// Keeps a plugin's file by its digest, once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn archive_plugin(
        &self,
        digest: &Digest,
        name: &str,
        version: &str,
        file: &[u8],
    ) -> Result<(), StoreError> {
        match self {
            Self::Postgres(store) => store.archive_plugin(digest, name, version, file).await,
            Self::Sqlite(store) => store.archive_plugin(digest, name, version, file).await,
        }
    }
}

/// What is kept for a time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Dead letters.
    DeadLetters {
        /// Days that they are kept.
        days: u16,
        /// Those after this id are kept whatever their age: they are yet to be relayed.
        id_max: i64,
    },
    /// Answers of look-ups.
    Answers {
        /// Days that they are kept since they were last in use, and one more.
        days: u16,
    },
    /// Marks of what replays stored.
    Replayed {
        /// Days that they are kept.
        days: u16,
    },
    /// Commit records.
    Commits {
        /// Days that they are kept since they were last extended.
        days: u16,
    },
}

/// A sink of the pipeline that writes to a store's database.
#[derive(Clone, Debug)]
pub struct SinkSpec {
    /// Its index among the pipeline's sinks.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Its table.
    pub table: TableConfig,
    /// Whether the table is a hypertable.
    pub hypertable: bool,
    /// What it gets.
    pub from: From,
}

/// What every commit of a process records.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How much is recorded.
    pub provenance: Provenance,
    /// The digest of the configuration.
    pub config: Digest,
    /// This program's version.
    pub engine: String,
}

/// An alert that is open at a sink, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAlert {
    /// Made of its rule and key.
    pub id: String,
    /// The partition of the first alert.
    pub partition: PartitionId,
    /// The offset of the first alert's event.
    pub offset: i64,
    /// The time of the first alert's event, nanoseconds since 1970.
    pub time_ns: i64,
    /// The first alert.
    pub json: Vec<u8>,
    /// How many there were.
    pub count: u64,
    /// The time of the last one, as it says it.
    pub last_at: String,
    /// It is over.
    pub is_over: bool,
}

/// A dead letter as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Rises in the order of commits.
    pub id: i64,
    /// Its partition.
    pub partition: PartitionId,
    /// When it was stored, microseconds since 1970.
    pub rejected_at_us: i64,
    /// The event and why it left the stream.
    pub letter: DeadLetter,
}

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
    /// The digest of the generation that committed last, in hexadecimal; `None` before the first commit.
    pub generation: Option<String>,
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
