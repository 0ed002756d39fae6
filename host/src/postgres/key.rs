//! The columns that say which pipeline and partition a row of wasmill's tables is about.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Row, query};
use wasmill_core::PartitionId;

/// The key's columns in the order of its parameters, `$1` to `$6`.
macro_rules! key_columns {
    () => {
        "pipeline, source, cluster, topic, topic_id, partition"
    };
}

/// The condition that a row has the key `$1` to `$6`.
macro_rules! has_key {
    () => {
        "pipeline = $1 AND source = $2 AND cluster = $3 AND topic = $4 AND topic_id = $5 AND partition = $6"
    };
}

pub(super) use {has_key, key_columns};

/// A statement with its key bound; further parameters follow from `$7` on.
pub(super) fn keyed<'q>(
    sql: &'q str,
    pipeline: &'q str,
    partition: &'q PartitionId,
) -> Query<'q, Postgres, PgArguments> {
    query(sql)
        .bind(pipeline)
        .bind(&partition.source)
        .bind(&partition.cluster)
        .bind(&partition.topic)
        .bind(&partition.topic_id)
        .bind(partition.partition)
}

/// The partition that a row names.
pub(super) fn partition_of(row: &PgRow) -> Result<PartitionId, sqlx::Error> {
    Ok(PartitionId {
        source: row.try_get("source")?,
        cluster: row.try_get("cluster")?,
        topic: row.try_get("topic")?,
        topic_id: row.try_get("topic_id")?,
        partition: row.try_get("partition")?,
    })
}
