//! Which plugins made which rows, as rows, commit records and history say it.

use anyhow::{Result, ensure};

use super::store::Reader;

/// Rows whose generation is not that of the commit that has their offset: a batch that ran in two.
const MIXED: &str = "SELECT count(*)::text FROM events e LEFT JOIN wasmill_commits c
     ON c.partition = e.kafka_partition AND e.kafka_offset >= c.first_offset AND e.kafka_offset < c.next_offset
     WHERE c.id IS NULL OR encode(c.generation, 'hex') <> e.generation";
/// Commits that do not follow the one before them in their partition.
const OUT_OF_ORDER: &str = "SELECT count(*)::text FROM (SELECT first_offset, lag(next_offset) OVER (PARTITION BY partition ORDER BY id) AS before
     FROM wasmill_commits) c WHERE before <> first_offset";
/// Rows of generations that never served.
const UNKNOWN: &str = "SELECT count(*)::text FROM events
     WHERE generation NOT IN (SELECT encode(generation, 'hex') FROM wasmill_generations)";
const KINDS: [(&str, &str); 3] = [
    (MIXED, "rows have another generation than their commits"),
    (OUT_OF_ORDER, "commits are out of order"),
    (UNKNOWN, "rows are of generations that never served"),
];

/// Checks that each row's generation is the one that served its batch.
pub(super) fn verify(reader: &mut Reader) -> Result<()> {
    for (sql, wrong) in KINDS {
        let rows = reader.texts(sql)?;
        ensure!(rows == [["0"]], "{rows:?} {wrong}");
    }
    Ok(())
}
