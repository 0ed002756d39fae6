//! Which offsets passed plugins by, because their breakers were open.

use sqlx::postgres::PgConnection;
use wasmill_core::PartitionId;

use super::PostgresStore;
use super::dead_letters::storable;
use super::key::{has_key, key_columns, keyed};
use crate::delivery::{Delivery, skipped};

/// A row that ends where this one begins is extended.
const NOTE: &str = concat!(
    "WITH extended AS (UPDATE wasmill_skipped SET next_offset = $8, recorded_at = now() WHERE ",
    has_key!(),
    " AND next_offset = $7 AND plugin_digest = $10 RETURNING 1)
     INSERT INTO wasmill_skipped (",
    key_columns!(),
    ", first_offset, next_offset, plugin, plugin_digest)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE NOT EXISTS (SELECT FROM extended)"
);

impl PostgresStore {
    /// Notes the offsets from `first` on that passed plugins by. Part of a commit's transaction.
    pub(super) async fn note_skipped(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        first: i64,
        deliveries: &[Delivery],
    ) -> Result<(), sqlx::Error> {
        if !self.is_home {
            return Ok(());
        }
        for range in skipped(deliveries, first) {
            keyed(NOTE, &self.pipeline, partition)
                .bind(range.first)
                .bind(range.next)
                .bind(storable(&range.plugin.name).as_ref())
                .bind(&range.plugin.digest.as_bytes()[..])
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}
