//! The states of plugins: a row per plugin and partition, and one per key.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};
use wasmill_core::PartitionId;
use wasmill_engine::{Clock, StateRow, StateRows};

use crate::delivery::Delivery;
use crate::states::{self, StateChange, StoredState};
use crate::store::StoreError;

use super::PostgresStore;
use super::key::{has_key, key_columns, keyed};

/// Keys of one statement.
const ROWS_PER_STATEMENT: usize = 5000;

impl PostgresStore {
    /// See [`crate::store::Store::state_versions`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn state_versions(&self, plugin: &str) -> Result<Vec<u32>, StoreError> {
        const VERSIONS: &str = "SELECT DISTINCT version FROM wasmill_states WHERE pipeline = $1 AND plugin = $2";
        let mut taken = self.connections.take_aside().await?;
        let rows = query(VERSIONS).bind(&self.pipeline).bind(plugin).fetch_all(&mut taken.connection).await;
        let versions = rows.and_then(|rows| rows.iter().map(|row| version(row, 0)).collect());
        let versions = versions.map_err(|error| self.failed("read the versions of states", &error))?;
        taken.give_back();
        Ok(versions)
    }

    /// See [`crate::store::Store::read_state`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_state(&self, partition: &PartitionId, plugin: &str) -> Result<Option<StoredState>, StoreError> {
        let mut taken = self.connections.take().await?;
        let read = self.read_state_from(&mut taken.connection, partition, plugin).await;
        let state = read.map_err(|error| self.failed(&format!("read the state of {partition}"), &error))?;
        taken.give_back();
        Ok(state)
    }

    async fn read_state_from(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        plugin: &str,
    ) -> Result<Option<StoredState>, sqlx::Error> {
        const STATE: &str =
            concat!("SELECT id, version, clock, doubted FROM wasmill_states WHERE ", has_key!(), " AND plugin = $7");
        const ROWS: &str = "SELECT key, value, expires, wake, \"offset\" FROM wasmill_state WHERE state = $1";
        let found = keyed(STATE, &self.pipeline, partition).bind(plugin).fetch_optional(&mut *connection).await?;
        let Some(found) = found else { return Ok(None) };
        let id: i64 = found.try_get(0)?;
        let mut rows = StateRows::default();
        for row in query(ROWS).bind(id).fetch_all(connection).await? {
            rows.push(&StateRow {
                key: row.try_get(0)?,
                value: Some(row.try_get(1)?),
                expires: row.try_get(2)?,
                wake: row.try_get(3)?,
                offset: row.try_get(4)?,
            });
        }
        let clock = Clock { now: found.try_get(2)?, doubted: found.try_get(3)? };
        Ok(Some(StoredState { version: version(&found, 1)?, clock, rows }))
    }

    /// See [`crate::store::Store::reset_state`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reset_state(&self, partition: &PartitionId, plugin: &str, version: u32) -> Result<(), StoreError> {
        const RESET: &str = concat!(
            "WITH reset AS (UPDATE wasmill_states SET version = $8, clock = NULL, doubted = NULL WHERE ",
            has_key!(),
            " AND plugin = $7 RETURNING id)
             DELETE FROM wasmill_state WHERE state IN (SELECT id FROM reset)"
        );
        let mut taken = self.connections.take().await?;
        let reset = keyed(RESET, &self.pipeline, partition)
            .bind(plugin)
            .bind(i64::from(version))
            .execute(&mut taken.connection)
            .await;
        reset.map_err(|error| self.failed(&format!("reset the state of {partition}"), &error))?;
        taken.give_back();
        Ok(())
    }

    /// Stores what deliveries change. Part of a commit's transaction.
    pub(super) async fn store_states(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        from_offset: i64,
        deliveries: &[Delivery],
    ) -> Result<(), sqlx::Error> {
        if !self.is_home {
            return Ok(());
        }
        for change in states::changes(deliveries, from_offset) {
            self.store_change(connection, partition, &change).await?;
        }
        Ok(())
    }

    async fn store_change(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        change: &StateChange<'_>,
    ) -> Result<(), sqlx::Error> {
        const STATE: &str = concat!(
            "INSERT INTO wasmill_states (",
            key_columns!(),
            ", plugin, version, clock, doubted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (pipeline, source, cluster, topic, topic_id, partition, plugin) DO UPDATE
             SET version = excluded.version, clock = excluded.clock, doubted = excluded.doubted RETURNING id"
        );
        const PUT: &str = "INSERT INTO wasmill_state (state, key, value, expires, wake, \"offset\")
             SELECT $1, * FROM unnest($2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[])
             ON CONFLICT (state, key) DO UPDATE SET value = excluded.value, expires = excluded.expires,
             wake = excluded.wake, \"offset\" = excluded.\"offset\"";
        let id: i64 = keyed(STATE, &self.pipeline, partition)
            .bind(change.plugin)
            .bind(i64::from(change.version))
            .bind(change.clock.now)
            .bind(change.clock.doubted)
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        for rows in change.puts.chunks(ROWS_PER_STATEMENT) {
            query(PUT)
                .bind(id)
                .bind(rows.iter().map(|row| row.key).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.value.unwrap_or_default()).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.expires).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.wake).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.offset).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
        for keys in change.gone.chunks(ROWS_PER_STATEMENT) {
            let delete = query("DELETE FROM wasmill_state WHERE state = $1 AND key = ANY($2)").bind(id).bind(keys);
            delete.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// A version is stored as what can hold it.
fn version(row: &PgRow, column: usize) -> Result<u32, sqlx::Error> {
    let version: i64 = row.try_get(column)?;
    u32::try_from(version).map_err(|error| sqlx::Error::Decode(error.into()))
}
