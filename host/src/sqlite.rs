//! SQLite as a store: rows, dead letters and ledger in one file.
//!
//! One writer, `BEGIN IMMEDIATE`, write-ahead log. With `synchronous = NORMAL` a power cut may take back the last commits
//! whole, rows and ledger together; the ledger then says where to go on, so nothing is lost or doubled.

mod answers;
mod cells;
mod commit;
mod dead_letters;
mod error;
mod examine;
mod feed;
mod generations;
mod ledger;
mod letters;
mod open_alerts;
mod replays;
mod retention;
mod schema;
mod skipped;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::Mutex;
use wasmill_core::{Digest, PartitionId};

use crate::delivery::Delivery;
use crate::store::{Committed, Facts, Lease, SinkSpec, StoreError, StoredDeadLetter};

pub use cells::CellEncoder;
pub use examine::examine;
pub use schema::SqliteTable;

/// How long another process's write is waited for before the attempt counts as failed.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One SQLite database of the pipeline.
#[derive(Debug)]
pub struct SqliteStore {
    // Held for the length of a transaction.
    writer: Mutex<Writer>,
    pipeline: String,
    is_home: bool,
    tables: Vec<SqliteTable>,
    facts: Facts,
}

/// The one connection that writes. After an error it is made anew: where the disk is full SQLite ends a transaction by itself, and
/// the client would go on believing in it.
#[derive(Debug)]
struct Writer {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
}

impl Writer {
    async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let path = self.options.get_filename();
                self.options.connect().await.map_err(|error| error::on_open(path, &error))?
            }
        };
        Ok(self.connection.insert(connection))
    }
}

impl SqliteStore {
    /// Opens (and makes) the database, its own tables, and the sinks' tables where they ask for it; checks the others.
    ///
    /// # Errors
    /// Setup with the statement that mends it; transient when the disk is full or another process holds the lock.
    pub async fn open(
        path: &Path,
        pipeline: &str,
        sinks: Vec<SinkSpec>,
        is_home: bool,
        facts: Facts,
    ) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let mut writer = Writer { options, connection: None };
        let tables = schema::prepare(writer.connection().await?, sinks).await?;
        Ok(Self { writer: Mutex::new(writer), pipeline: pipeline.to_owned(), is_home, tables, facts })
    }

    /// The tables of its sinks with their columns' types resolved, in the order they were given.
    pub fn tables(&self) -> &[SqliteTable] {
        &self.tables
    }

    /// See [`crate::store::Store::read`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read(&self, partition: &PartitionId) -> Result<Option<i64>, StoreError> {
        let mut writer = self.writer.lock().await;
        let row = ledger::read(writer.connection().await?, &self.key(partition)).await?;
        Ok(row.map(|row| row.next_offset))
    }

    /// See [`crate::store::Store::knows_topic`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn knows_topic(&self, partition: &PartitionId) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        ledger::knows_topic(writer.connection().await?, &self.key(partition)).await
    }

    /// See [`crate::store::Store::acquire`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn acquire(&self, partition: &Arc<PartitionId>, start: i64) -> Result<Lease, StoreError> {
        let mut writer = self.writer.lock().await;
        let (row, generation) = ledger::acquire(writer.connection().await?, &self.key(partition), start).await?;
        Ok(Lease { partition: Arc::clone(partition), epoch: row.epoch, next_offset: row.next_offset, generation })
    }

    /// See [`crate::store::Store::commit`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn commit(&self, lease: &mut Lease, deliveries: &[Delivery]) -> Result<Committed, StoreError> {
        let mut writer = self.writer.lock().await;
        let done = commit::commit(self, writer.connection().await?, lease, deliveries).await;
        if matches!(done, Err(StoreError::Transient(_) | StoreError::Setup(_))) {
            writer.connection = None;
        }
        done
    }

    /// See [`crate::store::Store::archive_plugin`].
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
        let sql =
            "INSERT INTO wasmill_plugins (digest, name, version, file) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let insert = sqlx::query(sql).bind(digest.to_string()).bind(name).bind(version).bind(file);
        insert.execute(self.writer.lock().await.connection().await?).await.map_err(error::classify)?;
        Ok(())
    }

    /// Every ledger row of this pipeline.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn positions(&self) -> Result<Vec<(PartitionId, i64)>, StoreError> {
        let mut writer = self.writer.lock().await;
        ledger::positions(writer.connection().await?, &self.pipeline, self.sink_key()).await
    }

    /// See [`crate::store::Store::set_offset`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_offset(&self, partition: &PartitionId, next_offset: i64) -> Result<(), StoreError> {
        ledger::set(self.writer.lock().await.connection().await?, &self.key(partition), next_offset).await
    }

    /// See [`crate::store::Store::accept_gap`].
    ///
    /// # Errors
    /// See [`StoreError`]; setup when the ledger is not at `first`.
    pub async fn accept_gap(&self, partition: &PartitionId, first: i64, next: i64) -> Result<(), StoreError> {
        ledger::accept_gap(self.writer.lock().await.connection().await?, &self.key(partition), first, next).await
    }

    /// See [`crate::store::Store::dead_letters_after`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn dead_letters_after(&self, id: i64, limit: i64) -> Result<Vec<StoredDeadLetter>, StoreError> {
        dead_letters::after(self.writer.lock().await.connection().await?, &self.pipeline, id, limit).await
    }

    /// See [`crate::store::Store::relay_mark`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn relay_mark(&self, destination: &str) -> Result<i64, StoreError> {
        dead_letters::mark(self.writer.lock().await.connection().await?, &self.pipeline, destination).await
    }

    /// See [`crate::store::Store::set_relay_mark`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_relay_mark(&self, destination: &str, id: i64) -> Result<(), StoreError> {
        dead_letters::set_mark(self.writer.lock().await.connection().await?, &self.pipeline, destination, id).await
    }

    fn key<'a>(&'a self, partition: &'a PartitionId) -> ledger::Key<'a> {
        ledger::Key { pipeline: &self.pipeline, sink: self.sink_key(), partition }
    }

    /// Home's rows stand under the empty name; marks under the name of the database's first sink.
    fn sink_key(&self) -> &str {
        match self.is_home {
            true => "",
            false => self.tables.first().map_or("", |table| &table.sink),
        }
    }
}
