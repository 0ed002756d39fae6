//! Dead letters: written in the commit's transaction, read back to be relayed.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use wasmill_core::{Digest, PartitionId, PluginRef, Stage};

use super::error::classify;
use crate::dead_letters::{headers_from_json, headers_to_json};
use crate::delivery::DeadLetter;
use crate::store::{StoreError, StoredDeadLetter};

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    pipeline: &str,
    partition: &PartitionId,
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    insert_at(connection, pipeline, partition, letter, None).await.map_err(classify)?;
    Ok(())
}

/// The same of one that was rejected at `rejected_at_us` (microseconds since 1970; `None`: now); its id.
pub(super) async fn insert_at(
    connection: &mut SqliteConnection,
    pipeline: &str,
    partition: &PartitionId,
    letter: &DeadLetter,
    rejected_at_us: Option<i64>,
) -> Result<i64, sqlx::Error> {
    let sql = "INSERT INTO wasmill_dead_letters (pipeline, source, cluster, topic, topic_id, partition, \"offset\", timestamp_ns, \
               stage, plugin, plugin_version, plugin_digest, sink, code, reason, key, payload, headers, \
               rejected_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
               coalesce(?, CAST(unixepoch('subsec') * 1000000 AS INTEGER)))";
    let plugin = letter.plugin.as_deref();
    let query = sqlx::query(sql)
        .bind(pipeline)
        .bind(&partition.source)
        .bind(&partition.cluster)
        .bind(&partition.topic)
        .bind(&partition.topic_id)
        .bind(partition.partition)
        .bind(letter.offset)
        .bind(letter.timestamp_ns)
        .bind(json!(letter.stage).as_str().map(str::to_owned))
        .bind(plugin.map(|plugin| &plugin.name))
        .bind(plugin.map(|plugin| &plugin.version))
        .bind(plugin.map(|plugin| plugin.digest.to_string()))
        .bind(letter.sink.as_deref())
        .bind(&letter.code)
        .bind(&letter.reason)
        .bind(letter.key.as_deref())
        .bind(letter.payload.as_deref())
        .bind(headers_to_json(&letter.headers).to_string())
        .bind(rejected_at_us);
    Ok(query.execute(connection).await?.last_insert_rowid())
}

pub(super) async fn after(
    connection: &mut SqliteConnection,
    pipeline: &str,
    id: i64,
    limit: i64,
) -> Result<Vec<StoredDeadLetter>, StoreError> {
    let sql = "SELECT * FROM wasmill_dead_letters WHERE pipeline = ? AND id > ? ORDER BY id LIMIT ?";
    let rows = sqlx::query(sql).bind(pipeline).bind(id).bind(limit).fetch_all(connection).await.map_err(classify)?;
    rows.iter().map(|row| stored(row).map_err(classify)).collect()
}

pub(super) fn stored(row: &SqliteRow) -> Result<StoredDeadLetter, sqlx::Error> {
    let wrong = |error: serde_json::Error| sqlx::Error::Decode(Box::new(error));
    let headers: String = row.try_get("headers")?;
    let letter = DeadLetter {
        offset: row.try_get("offset")?,
        timestamp_ns: row.try_get("timestamp_ns")?,
        stage: stage_of(row.try_get("stage")?)?,
        plugin: plugin_of(row, ["plugin", "plugin_version", "plugin_digest"])?,
        sink: row.try_get::<Option<String>, _>("sink")?.map(Into::into),
        code: row.try_get("code")?,
        reason: row.try_get("reason")?,
        key: row.try_get("key")?,
        payload: row.try_get("payload")?,
        headers: headers_from_json(&headers).map_err(wrong)?,
    };
    let partition = PartitionId {
        source: row.try_get("source")?,
        cluster: row.try_get("cluster")?,
        topic: row.try_get("topic")?,
        topic_id: row.try_get("topic_id")?,
        partition: row.try_get("partition")?,
    };
    Ok(StoredDeadLetter { id: row.try_get("id")?, partition, rejected_at_us: row.try_get("rejected_at_us")?, letter })
}

/// The stage of this name.
pub(super) fn stage_of(name: &str) -> Result<Stage, sqlx::Error> {
    serde_json::from_value(Value::from(name)).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The plugin in these columns: name, version and digest.
pub(super) fn plugin_of(row: &SqliteRow, columns: [&str; 3]) -> Result<Option<Arc<PluginRef>>, sqlx::Error> {
    let [name, version, digest] = columns;
    let Some(name) = row.try_get::<Option<String>, _>(name)? else { return Ok(None) };
    let digest = digest_of(row.try_get(digest)?)?;
    Ok(Some(Arc::new(PluginRef { name, version: row.try_get(version)?, digest })))
}

/// The digest of this text.
pub(super) fn digest_of(text: &str) -> Result<Digest, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

pub(super) async fn mark(
    connection: &mut SqliteConnection,
    pipeline: &str,
    destination: &str,
) -> Result<i64, StoreError> {
    let sql = "SELECT last_id FROM wasmill_relays WHERE pipeline = ? AND destination = ?";
    let mark = sqlx::query_scalar(sql).bind(pipeline).bind(destination).fetch_optional(connection).await;
    Ok(mark.map_err(classify)?.unwrap_or(0))
}

pub(super) async fn set_mark(
    connection: &mut SqliteConnection,
    pipeline: &str,
    destination: &str,
    id: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO wasmill_relays (pipeline, destination, last_id) VALUES (?, ?, ?) \
               ON CONFLICT DO UPDATE SET last_id = max(last_id, excluded.last_id)";
    sqlx::query(sql).bind(pipeline).bind(destination).bind(id).execute(connection).await.map_err(classify)?;
    Ok(())
}
