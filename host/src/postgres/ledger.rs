//! The ledger: where each lane is, and whose it is.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row, query};
use wasmill_core::{Digest, PartitionId};

use crate::store::{Lease, StoreError};

use super::PostgresStore;
use super::errors::store_error;
use super::key::{has_key, key_columns, keyed, partition_of};

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The partition.
    pub partition: PartitionId,
    /// How often it changed hands.
    pub epoch: i64,
    /// The offset up to which everything is stored.
    pub next_offset: i64,
    /// The digest of the generation that committed last.
    pub generation: Option<Vec<u8>>,
    /// When it last changed, microseconds since 1970.
    pub updated_at_us: i64,
}

/// What the ledger says about a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: i64,
    pub(super) next_offset: i64,
}

impl PostgresStore {
    /// The offset up to which this store has everything of `partition`; `None` when it never saw it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, partition: &PartitionId) -> Result<Option<i64>, StoreError> {
        const READ: &str =
            concat!("SELECT epoch, next_offset FROM wasmill_ledger WHERE ", has_key!(), " AND sink = $7");
        let mut taken = self.connections.take().await?;
        let position = self.position(READ, &mut taken.connection, partition).await?;
        taken.give_back();
        Ok(position.map(|position| position.next_offset))
    }

    /// Takes `partition` over: from now on whoever had it before commits nothing more. Where the ledger does not know
    /// it, it begins at `start`. Waits for a commit in flight.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn acquire(&self, partition: &Arc<PartitionId>, start: i64) -> Result<Lease, StoreError> {
        const ACQUIRE: &str = concat!(
            "INSERT INTO wasmill_ledger AS ledger (",
            key_columns!(),
            ", sink, epoch, next_offset) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)
             ON CONFLICT (pipeline, sink, source, cluster, topic, topic_id, partition)
             DO UPDATE SET epoch = ledger.epoch + 1, updated_at = now()
             RETURNING epoch, next_offset, encode(generation, 'hex') AS generation"
        );
        let mut taken = self.connections.take().await?;
        let acquired = keyed(ACQUIRE, &self.pipeline, partition)
            .bind(&self.ledger_sink)
            .bind(start)
            .fetch_one(&mut taken.connection)
            .await
            .and_then(|row| Ok((row.try_get("epoch")?, row.try_get("next_offset")?, row.try_get("generation")?)));
        let (epoch, next_offset, generation) =
            acquired.map_err(|error| self.failed(&format!("take over partition {partition}"), &error))?;
        taken.give_back();
        self.unsettled().remove(partition);
        Ok(Lease { partition: Arc::clone(partition), epoch, next_offset, generation })
    }

    /// All rows of this pipeline's ledger, by partition.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn offsets(&self) -> Result<Vec<LedgerRow>, StoreError> {
        const OFFSETS: &str = concat!(
            "SELECT ",
            key_columns!(),
            ", epoch, next_offset, generation, (extract(epoch FROM updated_at) * 1000000)::bigint AS updated_at_us
             FROM wasmill_ledger WHERE pipeline = $1 AND sink = $2
             ORDER BY source, cluster, topic, topic_id, partition"
        );
        let mut taken = self.connections.take().await?;
        let rows = query(OFFSETS).bind(&self.pipeline).bind(&self.ledger_sink).fetch_all(&mut taken.connection).await;
        let rows = rows.and_then(|rows| {
            let row = |row| {
                Ok(LedgerRow {
                    partition: partition_of(row)?,
                    epoch: row.try_get("epoch")?,
                    next_offset: row.try_get("next_offset")?,
                    generation: row.try_get("generation")?,
                    updated_at_us: row.try_get("updated_at_us")?,
                })
            };
            rows.iter().map(row).collect::<Result<Vec<_>, _>>()
        });
        let rows = rows.map_err(|error| self.failed("read the ledger", &error))?;
        taken.give_back();
        Ok(rows)
    }

    /// Whether this store has seen any partition of the topic: one that it has not seen was added later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn knows_topic(&self, partition: &PartitionId) -> Result<bool, StoreError> {
        const KNOWS: &str =
            "SELECT FROM wasmill_ledger WHERE pipeline = $1 AND sink = $2 AND source = $3 AND cluster = $4
                             AND topic = $5 AND topic_id = $6 LIMIT 1";
        let mut taken = self.connections.take().await?;
        let known = query(KNOWS)
            .bind(&self.pipeline)
            .bind(&self.ledger_sink)
            .bind(&partition.source)
            .bind(&partition.cluster)
            .bind(&partition.topic)
            .bind(&partition.topic_id)
            .fetch_optional(&mut taken.connection)
            .await;
        let known = known.map_err(|error| self.failed("read the ledger", &error))?;
        taken.give_back();
        Ok(known.is_some())
    }

    /// Moves a partition to `next_offset`, backwards as well: what lies between is stored again, or never. A lane
    /// that is running stops, because the epoch changes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_offset(&self, partition: &PartitionId, next_offset: i64) -> Result<(), StoreError> {
        const SET: &str = concat!(
            "INSERT INTO wasmill_ledger AS ledger (",
            key_columns!(),
            ", sink, epoch, next_offset) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)
             ON CONFLICT (pipeline, sink, source, cluster, topic, topic_id, partition)
             DO UPDATE SET epoch = ledger.epoch + 1, next_offset = excluded.next_offset, updated_at = now()"
        );
        let mut taken = self.connections.take().await?;
        let set = keyed(SET, &self.pipeline, partition)
            .bind(&self.ledger_sink)
            .bind(next_offset)
            .execute(&mut taken.connection)
            .await;
        set.map_err(|error| self.failed(&format!("set the offset of {partition}"), &error))?;
        taken.give_back();
        Ok(())
    }

    /// Gives up the offsets [`first`, `next`), which the source no longer has, and records that. A lane that is running stops.
    ///
    /// # Errors
    /// When the ledger does not stand at `first`, or the database does not answer.
    pub async fn accept_gap(&self, partition: &PartitionId, first: i64, next: i64) -> Result<(), StoreError> {
        let mut taken = self.connections.take().await?;
        let accepted = self.gap(&mut taken.connection, partition, first, next).await;
        let was_there = accepted.map_err(|error| self.failed(&format!("accept the gap of {partition}"), &error))?;
        taken.give_back();
        if was_there {
            return Ok(());
        }
        Err(StoreError::Setup(format!(
            "the ledger of partition {partition} does not stand at {first}; look at `offsets show` and name the gap that it shows"
        )))
    }

    async fn gap(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        first: i64,
        next: i64,
    ) -> Result<bool, sqlx::Error> {
        const MOVE: &str = concat!(
            "UPDATE wasmill_ledger SET next_offset = $9, epoch = epoch + 1, updated_at = now() WHERE ",
            has_key!(),
            " AND sink = $7 AND next_offset = $8"
        );
        const RECORD: &str = concat!(
            "INSERT INTO wasmill_gaps (",
            key_columns!(),
            ", first_offset, next_offset) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        );
        let mut transaction = connection.begin().await?;
        let moved = keyed(MOVE, &self.pipeline, partition)
            .bind(&self.ledger_sink)
            .bind(first)
            .bind(next)
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        keyed(RECORD, &self.pipeline, partition).bind(first).bind(next).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// What the ledger says, on a new connection, after any commit of the lane that is still in flight has ended.
    pub(super) async fn settled_position(&self, partition: &PartitionId) -> Result<Option<Position>, StoreError> {
        const READ: &str =
            concat!("SELECT epoch, next_offset FROM wasmill_ledger WHERE ", has_key!(), " AND sink = $7 FOR UPDATE");
        let mut connection = self.connections.connect().await?;
        let patience = connection.execute("SET lock_timeout = '20s'").await;
        patience.map_err(|error| self.failed("read the ledger", &error))?;
        self.position(READ, &mut connection, partition).await
    }

    async fn position(
        &self,
        sql: &str,
        connection: &mut PgConnection,
        partition: &PartitionId,
    ) -> Result<Option<Position>, StoreError> {
        keyed(sql, &self.pipeline, partition)
            .bind(&self.ledger_sink)
            .fetch_optional(connection)
            .await
            .and_then(|row| {
                row.map(|row| Ok(Position { epoch: row.try_get("epoch")?, next_offset: row.try_get("next_offset")? }))
                    .transpose()
            })
            .map_err(|error| self.failed(&format!("read the ledger of {partition}"), &error))
    }

    /// Moves the ledger of `lease` to `next_offset`, if it still says what was read. Part of a commit's transaction.
    pub(super) async fn advance(
        &self,
        connection: &mut PgConnection,
        lease: &Lease,
        next_offset: i64,
        generation: &Digest,
    ) -> Result<bool, sqlx::Error> {
        const ADVANCE: &str = concat!(
            "UPDATE wasmill_ledger SET next_offset = $10, generation = $11, updated_at = now() WHERE ",
            has_key!(),
            " AND sink = $7 AND epoch = $8 AND next_offset = $9"
        );
        let advanced = keyed(ADVANCE, &self.pipeline, &lease.partition)
            .bind(&self.ledger_sink)
            .bind(lease.epoch)
            .bind(lease.next_offset)
            .bind(next_offset)
            .bind(&generation.as_bytes()[..])
            .execute(connection)
            .await?;
        Ok(advanced.rows_affected() == 1)
    }

    /// The error as callers see it. A connection that lay idle may be one of many that a restart has cut.
    pub(super) fn failed(&self, doing: &str, error: &sqlx::Error) -> StoreError {
        if super::errors::is_connection_lost(error) {
            self.connections.forget_idle();
        }
        store_error(doing, error)
    }
}
