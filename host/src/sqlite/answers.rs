//! The answers of look-ups that rows depend on, so that a row can be derived again: `provenance: full`. A row holds from its offset
//! on, until a later one (by id) of the same address; every answer in use is written anew once a day.

use sqlx::sqlite::SqliteTransaction;

use super::error::classify;
use super::ledger::Key;
use crate::delivery::Delivery;
use crate::store::StoreError;

const KEEP: &str = "INSERT INTO wasmill_answers (pipeline, source, cluster, topic, topic_id, partition, first_offset, lookup, address, answer)
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'reverse_dns', new.key, new.value FROM json_each(?8) AS new
     LEFT JOIN wasmill_answers AS last ON last.id = (
         SELECT max(id) FROM wasmill_answers WHERE pipeline = ?1 AND source = ?2 AND cluster = ?3 AND topic = ?4
         AND topic_id = ?5 AND partition = ?6 AND lookup = 'reverse_dns' AND address = new.key)
     WHERE last.answer IS NOT new.value OR last.first_offset > ?7
        OR last.recorded_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')";

/// Keeps what the deliveries, whose offsets begin at `first`, were told.
pub(super) async fn keep(
    transaction: &mut SqliteTransaction<'_>,
    key: &Key<'_>,
    first: i64,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    let mut start = first;
    for delivery in deliveries {
        let next = delivery.events.raw.next_offset();
        if next > start && !delivery.looked_up.is_empty() {
            let partition = key.partition;
            sqlx::query(KEEP)
                .bind(key.pipeline)
                .bind(&partition.source)
                .bind(&partition.cluster)
                .bind(&partition.topic)
                .bind(&partition.topic_id)
                .bind(partition.partition)
                .bind(start)
                .bind(serde_json::json!(delivery.looked_up).to_string())
                .execute(&mut **transaction)
                .await
                .map_err(classify)?;
        }
        start = start.max(next);
    }
    Ok(())
}
