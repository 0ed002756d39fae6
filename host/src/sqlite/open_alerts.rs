//! What is open of alerts' lives: kept by home, beside its commits.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row, query};
use wasmill_core::PartitionId;

use super::SqliteStore;
use super::error::classify;
use crate::store::{OpenAlert, StoreError};

const NOTE: &str = "INSERT INTO wasmill_open_alerts (pipeline, sink, id, source, cluster, topic, topic_id, partition, \"offset\", \
     timestamp_ns, alert, count, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at";
const END: &str = "DELETE FROM wasmill_open_alerts WHERE pipeline = ? AND sink = ? AND id = ?";
const ALL: &str = "SELECT * FROM wasmill_open_alerts WHERE pipeline = ? AND sink = ?";

impl SqliteStore {
    /// See [`crate::store::Store::open_alerts`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_alerts(&self, sink: &str) -> Result<Vec<OpenAlert>, StoreError> {
        let mut writer = self.writer.lock().await;
        let rows = query(ALL).bind(&self.pipeline).bind(sink).fetch_all(writer.connection().await?).await;
        let rows = rows.map_err(classify)?;
        rows.iter().map(|row| stored(row).map_err(classify)).collect()
    }

    /// See [`crate::store::Store::note_open_alerts`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_open_alerts(&self, sink: &str, changes: &[OpenAlert]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let noted = note(writer.connection().await?, &self.pipeline, sink, changes).await;
        if noted.is_err() {
            writer.connection = None;
        }
        noted.map_err(classify)
    }
}

async fn note(
    connection: &mut SqliteConnection,
    pipeline: &str,
    sink: &str,
    changes: &[OpenAlert],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for change in changes {
        let partition = &change.partition;
        let statement = match change.is_over {
            true => query(END).bind(pipeline).bind(sink).bind(&change.id),
            false => query(NOTE)
                .bind(pipeline)
                .bind(sink)
                .bind(&change.id)
                .bind(&partition.source)
                .bind(&partition.cluster)
                .bind(&partition.topic)
                .bind(&partition.topic_id)
                .bind(partition.partition)
                .bind(change.offset)
                .bind(change.time_ns)
                .bind(&*change.json)
                .bind(change.count.cast_signed())
                .bind(&change.last_at),
        };
        statement.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn stored(row: &SqliteRow) -> Result<OpenAlert, sqlx::Error> {
    Ok(OpenAlert {
        id: row.try_get("id")?,
        partition: PartitionId {
            source: row.try_get("source")?,
            cluster: row.try_get("cluster")?,
            topic: row.try_get("topic")?,
            topic_id: row.try_get("topic_id")?,
            partition: row.try_get("partition")?,
        },
        offset: row.try_get("offset")?,
        time_ns: row.try_get("timestamp_ns")?,
        json: row.try_get("alert")?,
        count: row.try_get::<i64, _>("count")?.cast_unsigned(),
        last_at: row.try_get("last_at")?,
        is_over: false,
    })
}
