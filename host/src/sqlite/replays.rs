//! The replay of a dead letter: its rows, the mark that they are here, and where the letter is kept, what became of it, in one
//! transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, query};

use super::SqliteStore;
use super::commit::{insert_rows, refused_letter};
use super::dead_letters;
use super::error::classify;
use super::letters::settle;
use crate::letters::{Replay, Replayed};
use crate::store::StoreError;

const MARK: &str = "INSERT INTO wasmill_replayed (pipeline, identity) VALUES (?, ?) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT 1 FROM wasmill_replayed WHERE pipeline = ? AND identity = ?";
const UNMARK: &str = "DELETE FROM wasmill_replayed WHERE pipeline = ? AND identity = ?";

impl SqliteStore {
    /// See [`crate::store::Store::was_replayed`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn was_replayed(&self, identity: &str) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        let found = query(FIND).bind(&self.pipeline).bind(identity);
        let found = found.fetch_optional(writer.connection().await?).await.map_err(classify)?;
        Ok(found.is_some())
    }

    /// See [`crate::store::Store::replay`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn replay(&self, replay: Replay<'_>) -> Result<Option<Replayed>, StoreError> {
        let mut writer = self.writer.lock().await;
        let stored = self.replay_on(writer.connection().await?, replay).await;
        if stored.is_err() {
            writer.connection = None;
        }
        stored
    }

    async fn replay_on(
        &self,
        connection: &mut SqliteConnection,
        replay: Replay<'_>,
    ) -> Result<Option<Replayed>, StoreError> {
        let Replay { letter, identity, delivery, .. } = replay;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
        let marked = query(MARK).bind(&self.pipeline).bind(identity).execute(&mut *transaction).await;
        let was_there = marked.map_err(classify)?.rows_affected() == 0;
        let mut replayed = Replayed { was_there, ..Replayed::default() };
        for table in self.tables.iter().filter(|_| !was_there) {
            let rows = &delivery.encoded[table.index];
            let wanted: Vec<usize> = (0..rows.len()).collect();
            let refused = insert_rows(&mut transaction, table, rows, &wanted).await?;
            let letters = refused.into_iter().map(|(row, why)| refused_letter(table, delivery, rows.events[row], why));
            replayed.refused.extend(letters);
        }
        if !was_there && replay.is_rejected(&replayed.refused) {
            let unmarked = query(UNMARK).bind(&self.pipeline).bind(identity).execute(&mut *transaction).await;
            unmarked.map_err(classify)?;
        }
        if let Some(settled) = replay.settle(&replayed.refused) {
            for new in &settled.new {
                dead_letters::insert(&mut transaction, &self.pipeline, &letter.stored.partition, new).await?;
            }
            let is_as_read = settle(&mut transaction, &self.pipeline, letter, &settled.standing).await;
            if !is_as_read.map_err(classify)? {
                return Ok(None);
            }
            replayed.standing = Some(settled.standing);
        }
        transaction.commit().await.map_err(classify)?;
        Ok(Some(replayed))
    }
}
