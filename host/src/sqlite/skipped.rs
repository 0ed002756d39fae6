//! Which offsets passed plugins by, because their breakers were open.

use sqlx::sqlite::SqliteTransaction;

use super::error::classify;
use super::ledger::Key;
use crate::delivery::{Delivery, skipped};
use crate::store::StoreError;

const EXTEND: &str = "UPDATE wasmill_skipped SET next_offset = ?8, recorded_at = strftime('%Y-%m-%dT%H:%M:%fZ')
     WHERE pipeline = ?1 AND source = ?2 AND cluster = ?3 AND topic = ?4 AND topic_id = ?5 AND partition = ?6
     AND next_offset = ?7 AND plugin = ?9 AND plugin_digest = ?10";
const INSERT: &str = "INSERT INTO wasmill_skipped (pipeline, source, cluster, topic, topic_id, partition, first_offset, next_offset, plugin,
     plugin_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Notes the offsets from `first` on that passed plugins by.
pub(super) async fn note(
    transaction: &mut SqliteTransaction<'_>,
    key: &Key<'_>,
    first: i64,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    for range in skipped(deliveries, first) {
        for statement in [EXTEND, INSERT] {
            let done = sqlx::query(statement)
                .bind(key.pipeline)
                .bind(&key.partition.source)
                .bind(&key.partition.cluster)
                .bind(&key.partition.topic)
                .bind(&key.partition.topic_id)
                .bind(key.partition.partition)
                .bind(range.first)
                .bind(range.next)
                .bind(&range.plugin.name)
                .bind(range.plugin.digest.to_string())
                .execute(&mut **transaction)
                .await
                .map_err(classify)?;
            if done.rows_affected() > 0 {
                break;
            }
        }
    }
    Ok(())
}
