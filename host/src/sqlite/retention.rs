//! Forgetting what is older than it is kept.

use sqlx::query;

use super::SqliteStore;
use super::error::classify;
use crate::store::{Forget, StoreError};

const DEAD_LETTERS: &str = "DELETE FROM wasmill_dead_letters WHERE id IN (SELECT id FROM wasmill_dead_letters \
     WHERE pipeline = ? AND rejected_at_us < (unixepoch('subsec') - ? * 86400) * 1000000 AND id <= ? \
     ORDER BY rejected_at_us LIMIT ?)";
const COMMITS: &str = "DELETE FROM wasmill_commits WHERE id IN (SELECT id FROM wasmill_commits \
     WHERE pipeline = ? AND committed_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ? || ' days') LIMIT ?)";
const SKIPPED: &str = "DELETE FROM wasmill_skipped \
     WHERE pipeline = ? AND recorded_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ? || ' days')";
const ANSWERS: &str = "DELETE FROM wasmill_answers WHERE id IN (SELECT id FROM wasmill_answers \
     WHERE pipeline = ? AND recorded_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || (? + 1) || ' days') \
     ORDER BY recorded_at, id LIMIT ?)";
const REPLAYED: &str = "DELETE FROM wasmill_replayed WHERE rowid IN (SELECT rowid FROM wasmill_replayed \
     WHERE pipeline = ? AND replayed_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || (? + 1) || ' days') \
     ORDER BY replayed_at LIMIT ?)";

impl SqliteStore {
    /// See [`crate::store::Store::forget`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn forget(&self, what: Forget, limit: u32) -> Result<u64, StoreError> {
        let delete = match what {
            Forget::DeadLetters { days, id_max } => {
                query(DEAD_LETTERS).bind(&self.pipeline).bind(days).bind(id_max).bind(limit)
            }
            Forget::Answers { days } => query(ANSWERS).bind(&self.pipeline).bind(days).bind(limit),
            Forget::Replayed { days } => query(REPLAYED).bind(&self.pipeline).bind(days).bind(limit),
            Forget::Commits { days } => query(COMMITS).bind(&self.pipeline).bind(days).bind(limit),
        };
        let mut writer = self.writer.lock().await;
        let connection = writer.connection().await?;
        if let Forget::Commits { days } = what {
            // A few rows, whatever has happened.
            query(SKIPPED).bind(&self.pipeline).bind(days).execute(&mut *connection).await.map_err(classify)?;
        }
        let deleted = delete.execute(&mut *connection).await.map_err(classify)?;
        Ok(deleted.rows_affected())
    }
}
