//! The replay of a dead letter: its rows, the mark that they are here, and where the letter is kept, what became of it, in one
//! transaction.
//!
//! There is no position that could tell a repeat, so the mark does: whoever finds it writes no rows. Where the answer to COMMIT is
//! lost, the next attempt finds the mark, or nothing.

use std::slice;

use sqlx::postgres::PgConnection;
use sqlx::{Executor, query};
use tokio::time::timeout;

use crate::letters::{Replay, Replayed};
use crate::store::StoreError;

use super::commit::{TRANSACTION_TIMEOUT, letter};
use super::load::{SAVEPOINT, load};
use super::rows::RowSet;
use super::{PostgresStore, SinkTable, chunks};

const MARK: &str = "INSERT INTO wasmill_replayed (pipeline, identity) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT FROM wasmill_replayed WHERE pipeline = $1 AND identity = $2";
const UNMARK: &str = "DELETE FROM wasmill_replayed WHERE pipeline = $1 AND identity = $2";

impl PostgresStore {
    /// See [`crate::store::Store::was_replayed`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn was_replayed(&self, identity: &str) -> Result<bool, StoreError> {
        let mut taken = self.connections.take().await?;
        let found = query(FIND).bind(&self.pipeline).bind(identity).fetch_optional(&mut taken.connection).await;
        let found = found.map_err(|error| self.failed("look for an earlier replay", &error))?;
        taken.give_back();
        Ok(found.is_some())
    }

    /// See [`crate::store::Store::replay`].
    ///
    /// # Errors
    /// Nothing has been stored then, or it is not known: calling again finds out.
    pub async fn replay(&self, replay: Replay<'_>) -> Result<Option<Replayed>, StoreError> {
        let mut taken = self.connections.take().await?;
        let stored = timeout(TRANSACTION_TIMEOUT, self.replay_on(&mut taken.connection, replay)).await;
        let Ok(stored) = stored else {
            return Err(StoreError::Transient(format!("{} did not answer in time", self.connections.address())));
        };
        let stored = stored.map_err(|error| self.failed("store a replayed letter", &error))?;
        taken.give_back();
        Ok(stored)
    }

    async fn replay_on(
        &self,
        connection: &mut PgConnection,
        replay: Replay<'_>,
    ) -> Result<Option<Replayed>, sqlx::Error> {
        let row_set = |sink: &SinkTable| RowSet::of(slice::from_ref(replay.delivery), sink.index, sink.from, i64::MIN);
        let sets: Vec<_> = self.sinks.iter().map(|sink| (sink, row_set(sink))).collect();
        for (sink, rows) in &sets {
            chunks::prepare(connection, sink, rows).await?;
            if let Some(stage) = &sink.way.stage {
                connection.execute(stage.make.as_str()).await?;
            }
        }
        // So that whatever refuses the row does so before COMMIT.
        connection.execute("BEGIN; SET CONSTRAINTS ALL IMMEDIATE").await?;
        let replayed = self.fill_replay(connection, replay, &sets).await?;
        let end = if replayed.is_some() { "COMMIT" } else { "ROLLBACK" };
        connection.execute(end).await?;
        Ok(replayed)
    }

    /// Everything between BEGIN and COMMIT; `None` when the letter is no longer as it was read.
    async fn fill_replay(
        &self,
        connection: &mut PgConnection,
        replay: Replay<'_>,
        sets: &[(&SinkTable, RowSet<'_>)],
    ) -> Result<Option<Replayed>, sqlx::Error> {
        let marked = query(MARK).bind(&self.pipeline).bind(replay.identity).execute(&mut *connection).await?;
        let mut replayed = Replayed { was_there: marked.rows_affected() == 0, ..Replayed::default() };
        if !replayed.was_there {
            connection.execute(SAVEPOINT).await?;
            for (sink, rows) in sets {
                let refused = load(connection, &sink.way, rows).await?;
                replayed.refused.extend(refused.into_iter().map(|refused| letter(sink, rows, refused)));
            }
        }
        if !replayed.was_there && replay.is_rejected(&replayed.refused) {
            query(UNMARK).bind(&self.pipeline).bind(replay.identity).execute(&mut *connection).await?;
        }
        let Some(settled) = replay.settle(&replayed.refused) else { return Ok(Some(replayed)) };
        let new: Vec<_> = settled.new.iter().collect();
        self.write_dead_letters(connection, &replay.letter.stored.partition, &new).await?;
        let is_as_read = self.write_standing(connection, replay.letter, &settled.standing).await?;
        replayed.standing = Some(settled.standing);
        Ok(is_as_read.then_some(replayed))
    }
}
