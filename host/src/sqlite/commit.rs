//! One group of deliveries in one transaction.

use std::collections::HashSet;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use wasmill_core::{Rejection, Stage};

use super::cells::bind_row;
use super::dead_letters;
use super::error::{classify, refuses_row};
use super::ledger::{self, Position};
use super::schema::SqliteTable;
use super::{SqliteStore, answers, skipped, state};
use crate::config::Provenance;
use crate::delivery::{DeadLetter, Delivery, Rows};
use crate::report::REFUSED_BY_DATABASE;
use crate::store::{Committed, Facts, Lease, StoreError};

/// Rows of one INSERT: enough that the statement's own cost is small. SQLite takes at most 32 766 parameters.
const ROWS_PER_INSERT: usize = 32;

pub(super) async fn commit(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    lease: &mut Lease,
    deliveries: &[Delivery],
) -> Result<Committed, StoreError> {
    let mut committed = Committed::default();
    let Some(last) = deliveries.last() else { return Ok(committed) };
    committed.delivered.resize(last.encoded.len(), 0);
    committed.refused.resize(last.encoded.len(), 0);
    let target = last.events.raw.next_offset();
    if target <= lease.next_offset {
        return Ok(committed);
    }
    let partition = std::sync::Arc::clone(&lease.partition);
    let key = store.key(&partition);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;

    let found = ledger::read(&mut transaction, &key).await?;
    let mine = Position { epoch: lease.epoch, next_offset: lease.next_offset };
    if let Some(found) = found
        && found.epoch == mine.epoch
        && found.next_offset == target
    {
        // An earlier attempt was committed although its answer was lost.
        lease.next_offset = target;
        return Ok(committed);
    }
    if found != Some(mine) {
        let found = found.map_or(0, |row| row.epoch);
        return Err(StoreError::Fenced { partition: partition.to_string(), mine: mine.epoch, found });
    }

    for delivery in deliveries {
        store_delivery(store, &mut transaction, lease.next_offset, delivery, &mut committed).await?;
    }
    if store.is_home {
        state::store(&mut transaction, &store.pipeline, &partition, lease.next_offset, deliveries).await?;
    }
    if store.is_home && store.facts.provenance != Provenance::Off {
        record_commit(&mut transaction, &key, &store.facts, lease.next_offset, deliveries).await?;
    }
    if store.is_home {
        skipped::note(&mut transaction, &key, lease.next_offset, deliveries).await?;
    }
    if store.is_home && store.facts.provenance == Provenance::Full {
        answers::keep(&mut transaction, &key, lease.next_offset, deliveries).await?;
    }
    let moved = ledger::advance(&mut transaction, &key, mine, target, &last.generation).await?;
    debug_assert!(moved, "the row was read in this transaction");
    transaction.commit().await.map_err(classify)?;
    lease.next_offset = target;
    Ok(committed)
}

async fn store_delivery(
    store: &SqliteStore,
    transaction: &mut SqliteTransaction<'_>,
    from_offset: i64,
    delivery: &Delivery,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    if store.is_home {
        for letter in &delivery.dead_letters {
            dead_letters::insert(transaction, &store.pipeline, delivery.events.raw.partition(), letter).await?;
            committed.dead_letters += 1;
        }
    }
    for table in &store.tables {
        let rows = &delivery.encoded[table.index];
        let wanted: Vec<usize> =
            (0..rows.len()).filter(|row| row_offset(delivery, table.index, *row) >= from_offset).collect();
        let refused = insert_rows(transaction, table, rows, &wanted).await?;
        committed.delivered[table.index] += (wanted.len() - refused.len()) as u64;
        committed.refused[table.index] += refused.len() as u64;
        for (row, reason) in refused {
            let letter = refused_letter(table, delivery, rows.events[row], reason);
            dead_letters::insert(transaction, &store.pipeline, delivery.events.raw.partition(), &letter).await?;
            committed.dead_letters += 1;
        }
    }
    Ok(())
}

fn row_offset(delivery: &Delivery, sink: usize, row: usize) -> i64 {
    delivery.batch_of(sink).raw.records()[delivery.encoded[sink].events[row] as usize].offset
}

pub(super) fn refused_letter(table: &SqliteTable, delivery: &Delivery, event: u32, reason: String) -> DeadLetter {
    let rejection = Rejection {
        event,
        stage: Stage::Sink,
        plugin: None,
        sink: Some(std::sync::Arc::clone(&table.sink)),
        code: REFUSED_BY_DATABASE.into(),
        reason: format!("the table {} refused the row: {reason}", table.name),
    };
    DeadLetter::new(delivery.batch_of(table.index), rejection)
}

/// Inserts the wanted rows; answers those that the database refuses, with its reason. A statement that fails takes back only
/// itself, so the transaction goes on.
pub(super) async fn insert_rows(
    transaction: &mut SqliteTransaction<'_>,
    table: &SqliteTable,
    rows: &Rows,
    wanted: &[usize],
) -> Result<Vec<(usize, String)>, StoreError> {
    let mut refused = Vec::new();
    for chunk in wanted.chunks(ROWS_PER_INSERT) {
        match insert_chunk(transaction, table, rows, chunk).await {
            Ok(()) => {}
            Err(error) if refuses_row(&error).is_some() => {
                for row in chunk {
                    if let Err(error) = insert_chunk(transaction, table, rows, &[*row]).await {
                        let reason = refuses_row(&error).ok_or_else(|| classify(error))?;
                        refused.push((*row, reason));
                    }
                }
            }
            Err(error) => return Err(classify(error)),
        }
    }
    Ok(refused)
}

async fn insert_chunk(
    transaction: &mut SqliteTransaction<'_>,
    table: &SqliteTable,
    rows: &Rows,
    chunk: &[usize],
) -> Result<(), sqlx::Error> {
    let sql = table.insert(chunk.len());
    let query = chunk.iter().fold(sqlx::query(&sql), |query, row| bind_row(query, rows.row(*row)));
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// One row per run of offsets with equal facts: the last row is extended where it ends at `first` and agrees.
async fn record_commit(
    transaction: &mut SqliteTransaction<'_>,
    key: &ledger::Key<'_>,
    facts: &Facts,
    first: i64,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    let mut first = first;
    let generations: HashSet<_> = deliveries.iter().map(|delivery| delivery.generation).collect();
    let ranges = if generations.len() == 1 { &deliveries[deliveries.len() - 1..] } else { deliveries };
    for delivery in ranges {
        let next = delivery.events.raw.next_offset();
        let partition = key.partition;
        let extend = "UPDATE wasmill_commits SET next_offset = ?, committed_at = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = \
                      (SELECT max(id) FROM wasmill_commits WHERE pipeline = ? AND topic = ? AND topic_id = ? AND partition = ? \
                      AND next_offset = ?) AND cluster = ? AND source = ? AND generation = ? AND config = ? AND engine = ?";
        let extended = sqlx::query(extend)
            .bind(next)
            .bind(key.pipeline)
            .bind(&partition.topic)
            .bind(&partition.topic_id)
            .bind(partition.partition)
            .bind(first)
            .bind(&partition.cluster)
            .bind(&partition.source)
            .bind(delivery.generation.to_string())
            .bind(facts.config.to_string())
            .bind(&facts.engine)
            .execute(&mut **transaction)
            .await
            .map_err(classify)?;
        if extended.rows_affected() == 0 {
            let insert = "INSERT INTO wasmill_commits (pipeline, source, cluster, topic, topic_id, partition, first_offset, \
                          next_offset, generation, config, engine) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            sqlx::query(insert)
                .bind(key.pipeline)
                .bind(&partition.source)
                .bind(&partition.cluster)
                .bind(&partition.topic)
                .bind(&partition.topic_id)
                .bind(partition.partition)
                .bind(first)
                .bind(next)
                .bind(delivery.generation.to_string())
                .bind(facts.config.to_string())
                .bind(&facts.engine)
                .execute(&mut **transaction)
                .await
                .map_err(classify)?;
        }
        first = next;
    }
    Ok(())
}
