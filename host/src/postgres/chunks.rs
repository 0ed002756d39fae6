//! Chunks of hypertables, made before the COPY that needs them.
//!
//! A COPY that makes a chunk locks the hypertable until its transaction ends, and the other writer waits for all of it.
//! So a row for the missing chunk goes in and out again in a short transaction of its own. This is done only where
//! nobody can see it: on tables without triggers. It is a matter of speed alone; whatever fails here is left to
//! the COPY.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row, query};

use super::SinkTable;
use super::errors::{Class, class_of};
use super::load::copy;
use super::rows::RowSet;

/// The most chunks made ahead of one COPY.
const CHUNKS_AHEAD_MAX: usize = 64;

/// The ranges of time, in microseconds since 1970, for which a chunk was seen. The lock is held only to look or replace.
#[derive(Debug, Default)]
pub(super) struct KnownChunks(Mutex<Vec<Range<i64>>>);

impl KnownChunks {
    /// The first row of `rows` whose chunk is not known, and its time.
    fn first_unknown(&self, rows: &RowSet<'_>, time_column: usize) -> Option<(usize, i64)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Neighbouring rows mostly share a chunk.
        let mut last: Range<i64> = 0..0;
        rows.times(time_column).find(|(_, time)| {
            if last.contains(time) {
                return false;
            }
            match known.iter().find(|range| range.contains(time)) {
                Some(range) => {
                    last = range.clone();
                    false
                }
                None => true,
            }
        })
    }

    fn replace(&self, ranges: Vec<Range<i64>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ranges;
    }

    fn contains(&self, time: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|range| range.contains(&time))
    }
}

/// Makes the chunks that `rows` need and that are not there. The connection is outside of a transaction before and after.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    table: &SinkTable,
    rows: &RowSet<'_>,
) -> Result<(), sqlx::Error> {
    let Some(time_column) = table.time_column.filter(|_| table.can_try_rows) else { return Ok(()) };
    for _ in 0..CHUNKS_AHEAD_MAX {
        let Some((row, time)) = table.chunks.first_unknown(rows, time_column) else { return Ok(()) };
        table.chunks.replace(look(connection, table).await?);
        if table.chunks.contains(time) {
            continue;
        }
        match make(connection, table, rows, row, time).await {
            Ok(true) => table.chunks.replace(look(connection, table).await?),
            Err(error) if class_of(&error) == Class::Transient => return Err(error),
            // The row itself is refused, or went elsewhere: the COPY will tell.
            Ok(false) | Err(_) => {
                connection.execute("ROLLBACK").await?;
                return Ok(());
            }
        }
        if !table.chunks.contains(time) {
            return Ok(());
        }
    }
    Ok(())
}

async fn look(connection: &mut PgConnection, table: &SinkTable) -> Result<Vec<Range<i64>>, sqlx::Error> {
    const CHUNKS: &str = "
        SELECT DISTINCT (extract(epoch FROM range_start) * 1000000)::bigint AS first,
                        (extract(epoch FROM range_end) * 1000000)::bigint AS next
        FROM timescaledb_information.chunks
        WHERE to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = to_regclass($1)
        ORDER BY 1 DESC";
    let rows = query(CHUNKS).bind(&table.sql_name).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get("first")?..row.try_get("next")?)).collect()
}

/// Puts a row in and takes it out again; answers whether it could be taken out. If not, the transaction is still open.
async fn make(
    connection: &mut PgConnection,
    table: &SinkTable,
    rows: &RowSet<'_>,
    row: usize,
    time: i64,
) -> Result<bool, sqlx::Error> {
    connection.execute("BEGIN").await?;
    copy(connection, &table.copy, rows, &(row..row + 1)).await?;
    let gone = query(&table.take_back).bind(time).execute(&mut *connection).await?;
    if gone.rows_affected() != 1 {
        return Ok(false);
    }
    connection.execute("COMMIT").await?;
    Ok(true)
}
