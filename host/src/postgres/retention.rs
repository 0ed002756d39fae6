//! Forgetting what is older than it is kept.

use sqlx::query;

use crate::store::{Forget, StoreError};

use super::PostgresStore;

// Workers of one pipeline forget side by side: what another one is deleting is passed over. One that extends a commit record
// meanwhile keeps it, since the condition is looked at again after the wait for its lock.
const DEAD_LETTERS: &str = "DELETE FROM wasmill_dead_letters WHERE id IN (
     SELECT id FROM wasmill_dead_letters
     WHERE pipeline = $1 AND rejected_at < now() - $2::int * INTERVAL '1 day' AND id <= $4
     ORDER BY rejected_at LIMIT $3 FOR UPDATE SKIP LOCKED)";
const COMMITS: &str = "WITH skipped AS (
     DELETE FROM wasmill_skipped WHERE pipeline = $1 AND recorded_at < now() - $2::int * INTERVAL '1 day')
     DELETE FROM wasmill_commits WHERE id IN (
     SELECT id FROM wasmill_commits
     WHERE pipeline = $1 AND committed_at < now() - $2::int * INTERVAL '1 day'
     LIMIT $3 FOR UPDATE SKIP LOCKED)";
const ANSWERS: &str = "DELETE FROM wasmill_answers WHERE id IN (
     SELECT id FROM wasmill_answers
     WHERE pipeline = $1 AND recorded_at < now() - ($2::int + 1) * INTERVAL '1 day'
     ORDER BY recorded_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)";

const REPLAYED: &str = "DELETE FROM wasmill_replayed WHERE pipeline = $1 AND identity IN (
     SELECT identity FROM wasmill_replayed
     WHERE pipeline = $1 AND replayed_at < now() - ($2::int + 1) * INTERVAL '1 day' ORDER BY replayed_at LIMIT $3)";

impl PostgresStore {
    /// See [`crate::store::Store::forget`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(&self, what: Forget, limit: u32) -> Result<u64, StoreError> {
        let delete = match what {
            Forget::DeadLetters { days, id_max } => {
                query(DEAD_LETTERS).bind(&self.pipeline).bind(i32::from(days)).bind(i64::from(limit)).bind(id_max)
            }
            Forget::Answers { .. } if !self.keeps_answers() => return Ok(0),
            Forget::Answers { days } => {
                query(ANSWERS).bind(&self.pipeline).bind(i32::from(days)).bind(i64::from(limit))
            }
            Forget::Replayed { days } => {
                query(REPLAYED).bind(&self.pipeline).bind(i32::from(days)).bind(i64::from(limit))
            }
            Forget::Commits { days } => {
                query(COMMITS).bind(&self.pipeline).bind(i32::from(days)).bind(i64::from(limit))
            }
        };
        let mut taken = self.connections.take().await?;
        let deleted = delete.execute(&mut taken.connection).await;
        let deleted = deleted.map_err(|error| self.failed("delete what is older than `retention` keeps it", &error))?;
        taken.give_back();
        Ok(deleted.rows_affected())
    }
}
