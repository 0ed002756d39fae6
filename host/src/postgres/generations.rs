//! Which plugins served when.

use serde_json::json;
use sqlx::query;
use wasmill_core::Digest;

use super::PostgresStore;
use super::dead_letters::storable;
use crate::history::{Served, ServedPlugin};
use crate::store::StoreError;

/// Several processes of a pipeline, and a start with what served last, tell the same.
const NOTE: &str = "INSERT INTO wasmill_generations (pipeline, generation, plugins) SELECT $1, $2, $3::text::jsonb
     WHERE $2 IS DISTINCT FROM (SELECT generation FROM wasmill_generations WHERE pipeline = $1 ORDER BY id DESC LIMIT 1)";

/// What a generation committed before it served again belongs to its turn before.
const ALL: &str = "SELECT to_char(g.served_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS served_at,
       encode(g.generation, 'hex') AS generation, g.plugins::text AS plugins,
       (SELECT coalesce(json_agg(c ORDER BY c.topic, c.partition), '[]')::text FROM (
            SELECT topic, partition, min(first_offset) AS \"offset\" FROM wasmill_commits
            WHERE pipeline = g.pipeline AND generation = g.generation AND committed_at >= g.served_at
              AND committed_at < coalesce((SELECT min(served_at) FROM wasmill_generations later
                                           WHERE later.pipeline = g.pipeline AND later.generation = g.generation AND later.id > g.id),
                                          'infinity')
            GROUP BY topic, partition) c) AS starts
     FROM wasmill_generations g WHERE g.pipeline = $1 ORDER BY g.id";

impl PostgresStore {
    /// See [`crate::store::Store::note_generation`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_generation(&self, generation: &Digest, plugins: &[ServedPlugin]) -> Result<(), StoreError> {
        let plugins: Vec<ServedPlugin> = plugins.iter().map(kept).collect();
        let mut taken = self.connections.take_aside().await?;
        let note = query(NOTE).bind(&self.pipeline).bind(&generation.as_bytes()[..]).bind(json!(plugins).to_string());
        let noted = note.execute(&mut taken.connection).await;
        noted.map_err(|error| self.failed("note which plugins serve", &error))?;
        taken.give_back();
        Ok(())
    }

    /// See [`crate::store::Store::generations`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn generations(&self) -> Result<Vec<Served>, StoreError> {
        let mut taken = self.connections.take_aside().await?;
        let rows = query(ALL).bind(&self.pipeline).fetch_all(&mut taken.connection).await;
        let served = rows.and_then(|rows| rows.iter().map(Served::read).collect::<Result<Vec<_>, sqlx::Error>>());
        let served = served.map_err(|error| self.failed("read which plugins served", &error))?;
        taken.give_back();
        Ok(served)
    }
}

fn kept(plugin: &ServedPlugin) -> ServedPlugin {
    let [name, version] = [&plugin.name, &plugin.version].map(|text| storable(text).into_owned());
    ServedPlugin { name, version, ..plugin.clone() }
}
