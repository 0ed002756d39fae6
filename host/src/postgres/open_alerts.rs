//! What is open of alerts' lives: kept by home, beside its commits.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row, query};

use super::PostgresStore;
use super::key::{key_columns, partition_of};
use crate::store::{OpenAlert, StoreError};

const NOTE: &str = concat!(
    "INSERT INTO wasmill_open_alerts AS open (",
    key_columns!(),
    ", sink, id, \"offset\", timestamp_ns, alert, count, last_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (pipeline, sink, id) DO UPDATE SET count = open.count + excluded.count, last_at = excluded.last_at"
);
const END: &str = "DELETE FROM wasmill_open_alerts WHERE pipeline = $1 AND sink = $2 AND id = $3";
const ALL: &str = "SELECT * FROM wasmill_open_alerts WHERE pipeline = $1 AND sink = $2";

impl PostgresStore {
    /// See [`crate::store::Store::open_alerts`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_alerts(&self, sink: &str) -> Result<Vec<OpenAlert>, StoreError> {
        let mut taken = self.connections.take().await?;
        let rows = query(ALL).bind(&self.pipeline).bind(sink).fetch_all(&mut taken.connection).await;
        let open = rows.and_then(|rows| rows.iter().map(stored).collect::<Result<Vec<_>, _>>());
        let open = open.map_err(|error| self.failed("read the open alerts", &error))?;
        taken.give_back();
        Ok(open)
    }

    /// See [`crate::store::Store::note_open_alerts`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_open_alerts(&self, sink: &str, changes: &[OpenAlert]) -> Result<(), StoreError> {
        let mut taken = self.connections.take().await?;
        let noted = note(&mut taken.connection, &self.pipeline, sink, changes).await;
        noted.map_err(|error| self.failed("note the open alerts", &error))?;
        taken.give_back();
        Ok(())
    }
}

async fn note(
    connection: &mut PgConnection,
    pipeline: &str,
    sink: &str,
    changes: &[OpenAlert],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for change in changes {
        let partition = &change.partition;
        let statement = match change.is_over {
            true => query(END).bind(pipeline).bind(sink).bind(&change.id),
            false => super::key::keyed(NOTE, pipeline, partition)
                .bind(sink)
                .bind(&change.id)
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

fn stored(row: &PgRow) -> Result<OpenAlert, sqlx::Error> {
    Ok(OpenAlert {
        id: row.try_get("id")?,
        partition: partition_of(row)?,
        offset: row.try_get("offset")?,
        time_ns: row.try_get("timestamp_ns")?,
        json: row.try_get("alert")?,
        count: row.try_get::<i64, _>("count")?.cast_unsigned(),
        last_at: row.try_get("last_at")?,
        is_over: false,
    })
}
