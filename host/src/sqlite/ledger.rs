//! The ledger rows: where each lane is.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};
use wasmill_core::{Digest, PartitionId};

use super::error::classify;
use crate::store::StoreError;

/// A ledger row's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) pipeline: &'a str,
    pub(super) sink: &'a str,
    pub(super) partition: &'a PartitionId,
}

/// What a ledger row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: i64,
    pub(super) next_offset: i64,
}

const KEY: &str =
    "pipeline = ? AND sink = ? AND source = ? AND cluster = ? AND topic = ? AND topic_id = ? AND partition = ?";

/// Binds the key in the order of [`KEY`].
macro_rules! bind_key {
    ($query:expr, $key:expr) => {
        $query
            .bind($key.pipeline)
            .bind($key.sink)
            .bind(&$key.partition.source)
            .bind(&$key.partition.cluster)
            .bind(&$key.partition.topic)
            .bind(&$key.partition.topic_id)
            .bind($key.partition.partition)
    };
}

pub(super) async fn read(connection: &mut SqliteConnection, key: &Key<'_>) -> Result<Option<Position>, StoreError> {
    let sql = format!("SELECT epoch, next_offset FROM wasmill_ledger WHERE {KEY}");
    let row = bind_key!(sqlx::query(&sql), key).fetch_optional(connection).await.map_err(classify)?;
    row.as_ref().map(position).transpose()
}

pub(super) async fn knows_topic(connection: &mut SqliteConnection, key: &Key<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM wasmill_ledger WHERE pipeline = ? AND sink = ? AND source = ? AND cluster = ? AND topic = ? \
               AND topic_id = ? LIMIT 1";
    let partition = key.partition;
    let query = sqlx::query(sql)
        .bind(key.pipeline)
        .bind(key.sink)
        .bind(&partition.source)
        .bind(&partition.cluster)
        .bind(&partition.topic)
        .bind(&partition.topic_id);
    Ok(query.fetch_optional(connection).await.map_err(classify)?.is_some())
}

pub(super) async fn acquire(
    connection: &mut SqliteConnection,
    key: &Key<'_>,
    start: i64,
) -> Result<(Position, Option<String>), StoreError> {
    let sql = "INSERT INTO wasmill_ledger (pipeline, sink, source, cluster, topic, topic_id, partition, next_offset, epoch) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) \
               ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch, next_offset, generation";
    let row = bind_key!(sqlx::query(sql), key).bind(start).fetch_one(connection).await.map_err(classify)?;
    Ok((position(&row)?, row.try_get("generation").map_err(classify)?))
}

/// Moves the row on if it is still as the lease read it; `false`: somebody else has changed it.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    key: &Key<'_>,
    from: Position,
    next_offset: i64,
    generation: &Digest,
) -> Result<bool, StoreError> {
    let sql = format!(
        "UPDATE wasmill_ledger SET next_offset = ?, generation = ?, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ') \
         WHERE {KEY} AND epoch = ? AND next_offset = ?"
    );
    let query = sqlx::query(&sql).bind(next_offset).bind(generation.to_string());
    let query = bind_key!(query, key).bind(from.epoch).bind(from.next_offset);
    Ok(query.execute(connection).await.map_err(classify)?.rows_affected() == 1)
}

pub(super) async fn positions(
    connection: &mut SqliteConnection,
    pipeline: &str,
    sink: &str,
) -> Result<Vec<(PartitionId, i64)>, StoreError> {
    let sql = "SELECT source, cluster, topic, topic_id, partition, next_offset FROM wasmill_ledger \
               WHERE pipeline = ? AND sink = ? ORDER BY updated_at, topic, partition";
    let rows = sqlx::query(sql).bind(pipeline).bind(sink).fetch_all(connection).await.map_err(classify)?;
    rows.iter().map(|row| partition_and_offset(row).map_err(classify)).collect()
}

pub(super) async fn set(connection: &mut SqliteConnection, key: &Key<'_>, next_offset: i64) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
    acquire(&mut transaction, key, next_offset).await?;
    move_to(&mut transaction, key, next_offset).await?;
    transaction.commit().await.map_err(classify)
}

pub(super) async fn accept_gap(
    connection: &mut SqliteConnection,
    key: &Key<'_>,
    first: i64,
    next: i64,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
    let (before, _) = acquire(&mut transaction, key, first).await?;
    if before.next_offset != first {
        let (partition, at) = (key.partition, before.next_offset);
        return Err(StoreError::Setup(format!(
            "{partition}: the ledger is at {at} and no longer at {first}; look again"
        )));
    }
    move_to(&mut transaction, key, next).await?;
    let sql = "INSERT INTO wasmill_gaps (pipeline, sink, source, cluster, topic, topic_id, partition, first_offset, next_offset) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = bind_key!(sqlx::query(sql), key).bind(first).bind(next);
    query.execute(&mut *transaction).await.map_err(classify)?;
    transaction.commit().await.map_err(classify)
}

async fn move_to(connection: &mut SqliteConnection, key: &Key<'_>, next_offset: i64) -> Result<(), StoreError> {
    let sql = format!("UPDATE wasmill_ledger SET next_offset = ? WHERE {KEY}");
    bind_key!(sqlx::query(&sql).bind(next_offset), key).execute(connection).await.map_err(classify)?;
    Ok(())
}

fn position(row: &SqliteRow) -> Result<Position, StoreError> {
    let epoch = row.try_get("epoch").map_err(classify)?;
    let next_offset = row.try_get("next_offset").map_err(classify)?;
    Ok(Position { epoch, next_offset })
}

fn partition_and_offset(row: &SqliteRow) -> Result<(PartitionId, i64), sqlx::Error> {
    let partition = PartitionId {
        source: row.try_get("source")?,
        cluster: row.try_get("cluster")?,
        topic: row.try_get("topic")?,
        topic_id: row.try_get("topic_id")?,
        partition: row.try_get("partition")?,
    };
    Ok((partition, row.try_get("next_offset")?))
}
