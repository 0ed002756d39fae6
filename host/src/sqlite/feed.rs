//! Letters that are kept elsewhere, taken in: with how far that has come, in one transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, query};

use super::SqliteStore;
use super::dead_letters::insert_at;
use super::error::classify;
use crate::store::{StoreError, StoredDeadLetter};

/// A feed that was cut begins again, so its mark may go back.
const MARK: &str = "INSERT INTO wasmill_relays (pipeline, destination, last_id) VALUES (?, ?, ?) \
     ON CONFLICT DO UPDATE SET last_id = excluded.last_id";

impl SqliteStore {
    /// Takes letters in that come from `feed`, under new ids, and notes that it has been read up to `mark`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn feed(&self, feed: &str, letters: &[StoredDeadLetter], mark: i64) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let fed = self.feed_on(writer.connection().await?, feed, letters, mark).await;
        if fed.is_err() {
            writer.connection = None;
        }
        fed.map_err(classify)
    }

    async fn feed_on(
        &self,
        connection: &mut SqliteConnection,
        feed: &str,
        letters: &[StoredDeadLetter],
        mark: i64,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for StoredDeadLetter { partition, letter, rejected_at_us, .. } in letters {
            insert_at(&mut transaction, &self.pipeline, partition, letter, Some(*rejected_at_us)).await?;
        }
        query(MARK).bind(&self.pipeline).bind(feed).bind(mark).execute(&mut *transaction).await?;
        transaction.commit().await
    }
}
