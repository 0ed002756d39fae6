//! Which plugins served when.

use serde_json::json;
use sqlx::query;
use wasmill_core::Digest;

use super::SqliteStore;
use super::error::classify;
use crate::history::{Served, ServedPlugin};
use crate::store::StoreError;

/// A start with what served last tells nothing new.
const NOTE: &str = "INSERT INTO wasmill_generations (pipeline, generation, plugins) SELECT ?1, ?2, ?3
     WHERE ?2 IS NOT (SELECT generation FROM wasmill_generations WHERE pipeline = ?1 ORDER BY id DESC LIMIT 1)";

/// What a generation committed before it served again belongs to its turn before.
const ALL: &str = "SELECT g.served_at, g.generation, g.plugins,
       (SELECT json_group_array(json_object('topic', topic, 'partition', partition, 'offset', first)) FROM (
            SELECT topic, partition, min(first_offset) AS first FROM wasmill_commits
            WHERE pipeline = g.pipeline AND generation = g.generation AND committed_at >= g.served_at
              AND committed_at < coalesce((SELECT min(served_at) FROM wasmill_generations later
                                           WHERE later.pipeline = g.pipeline AND later.generation = g.generation AND later.id > g.id),
                                          '9999')
            GROUP BY topic, partition ORDER BY topic, partition)) AS starts
     FROM wasmill_generations g WHERE g.pipeline = ? ORDER BY g.id";

impl SqliteStore {
    /// See [`crate::store::Store::note_generation`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_generation(&self, generation: &Digest, plugins: &[ServedPlugin]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let note = query(NOTE).bind(&self.pipeline).bind(generation.to_string()).bind(json!(plugins).to_string());
        note.execute(writer.connection().await?).await.map_err(classify)?;
        Ok(())
    }

    /// See [`crate::store::Store::generations`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn generations(&self) -> Result<Vec<Served>, StoreError> {
        let mut writer = self.writer.lock().await;
        let rows = query(ALL).bind(&self.pipeline).fetch_all(writer.connection().await?).await.map_err(classify)?;
        rows.iter().map(|row| Served::read(row).map_err(classify)).collect()
    }
}
