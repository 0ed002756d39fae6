//! The states of plugins: a row per plugin and partition, and one per key.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row, query};
use wasmill_core::PartitionId;
use wasmill_engine::{Clock, StateRow, StateRows};

use super::SqliteStore;
use super::error::classify;
use crate::delivery::Delivery;
use crate::states::{self, StateChange, StoredState};
use crate::store::StoreError;

/// Keys of one INSERT.
const ROWS_PER_INSERT: usize = 64;

impl SqliteStore {
    /// See [`crate::store::Store::state_versions`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn state_versions(&self, plugin: &str) -> Result<Vec<u32>, StoreError> {
        let sql = "SELECT DISTINCT version FROM wasmill_states WHERE pipeline = ? AND plugin = ?";
        let mut writer = self.writer.lock().await;
        let rows = query(sql).bind(&self.pipeline).bind(plugin).fetch_all(writer.connection().await?).await;
        rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect()).map_err(classify)
    }

    /// See [`crate::store::Store::read_state`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_state(&self, partition: &PartitionId, plugin: &str) -> Result<Option<StoredState>, StoreError> {
        let mut writer = self.writer.lock().await;
        let connection = writer.connection().await?;
        let Some((id, version, clock)) = find(connection, &self.pipeline, partition, plugin).await? else {
            return Ok(None);
        };
        let sql = "SELECT key, value, expires, wake, \"offset\" FROM wasmill_state WHERE state = ?";
        let found = query(sql).bind(id).fetch_all(connection).await.map_err(classify)?;
        let mut rows = StateRows::default();
        for row in &found {
            push(&mut rows, row).map_err(classify)?;
        }
        Ok(Some(StoredState { version, clock, rows }))
    }

    /// See [`crate::store::Store::reset_state`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn reset_state(&self, partition: &PartitionId, plugin: &str, version: u32) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let connection = writer.connection().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
        if let Some((id, ..)) = find(&mut transaction, &self.pipeline, partition, plugin).await? {
            let delete = query("DELETE FROM wasmill_state WHERE state = ?").bind(id);
            delete.execute(&mut *transaction).await.map_err(classify)?;
            let update = query("UPDATE wasmill_states SET version = ?, clock = NULL, doubted = NULL WHERE id = ?");
            update.bind(version).bind(id).execute(&mut *transaction).await.map_err(classify)?;
        }
        transaction.commit().await.map_err(classify)
    }
}

/// Stores what deliveries change. Part of a commit's transaction.
pub(super) async fn store(
    connection: &mut SqliteConnection,
    pipeline: &str,
    partition: &PartitionId,
    from_offset: i64,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    for change in states::changes(deliveries, from_offset) {
        store_change(connection, pipeline, partition, &change).await.map_err(classify)?;
    }
    Ok(())
}

async fn store_change(
    connection: &mut SqliteConnection,
    pipeline: &str,
    partition: &PartitionId,
    change: &StateChange<'_>,
) -> Result<(), sqlx::Error> {
    const STATE: &str = "INSERT INTO wasmill_states \
         (pipeline, source, cluster, topic, topic_id, partition, plugin, version, clock, doubted) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, \
         clock = excluded.clock, doubted = excluded.doubted RETURNING id";
    let id: i64 = query(STATE)
        .bind(pipeline)
        .bind(&partition.source)
        .bind(&partition.cluster)
        .bind(&partition.topic)
        .bind(&partition.topic_id)
        .bind(partition.partition)
        .bind(change.plugin)
        .bind(change.version)
        .bind(change.clock.now)
        .bind(change.clock.doubted)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    for chunk in change.puts.chunks(ROWS_PER_INSERT) {
        let values = vec!["(?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        let sql = format!(
            "INSERT INTO wasmill_state (state, key, value, expires, wake, \"offset\") VALUES {values} \
             ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires, wake = excluded.wake, \
             \"offset\" = excluded.\"offset\""
        );
        let insert = chunk.iter().fold(query(&sql), |insert, row| {
            insert.bind(id).bind(row.key).bind(row.value).bind(row.expires).bind(row.wake).bind(row.offset)
        });
        insert.execute(&mut *connection).await?;
    }
    for key in &change.gone {
        let delete = query("DELETE FROM wasmill_state WHERE state = ? AND key = ?").bind(id).bind(*key);
        delete.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn find(
    connection: &mut SqliteConnection,
    pipeline: &str,
    partition: &PartitionId,
    plugin: &str,
) -> Result<Option<(i64, u32, Clock)>, StoreError> {
    let sql = "SELECT id, version, clock, doubted FROM wasmill_states WHERE pipeline = ? AND source = ? AND cluster = ? \
               AND topic = ? AND topic_id = ? AND partition = ? AND plugin = ?";
    let found = query(sql)
        .bind(pipeline)
        .bind(&partition.source)
        .bind(&partition.cluster)
        .bind(&partition.topic)
        .bind(&partition.topic_id)
        .bind(partition.partition)
        .bind(plugin)
        .fetch_optional(connection)
        .await;
    let read = |row: SqliteRow| {
        let clock = Clock { now: row.try_get(2)?, doubted: row.try_get(3)? };
        Ok((row.try_get(0)?, row.try_get(1)?, clock))
    };
    found.and_then(|row| row.map(read).transpose()).map_err(classify)
}

fn push(rows: &mut StateRows, row: &SqliteRow) -> Result<(), sqlx::Error> {
    rows.push(&StateRow {
        key: row.try_get(0)?,
        value: Some(row.try_get(1)?),
        expires: row.try_get(2)?,
        wake: row.try_get(3)?,
        offset: row.try_get(4)?,
    });
    Ok(())
}
