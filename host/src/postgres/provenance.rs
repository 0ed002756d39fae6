//! What makes a row provable: which code ran over which offsets, and that code itself.

use sqlx::postgres::PgConnection;
use sqlx::query;
use wasmill_core::{Digest, PartitionId};

use crate::config::Provenance;
use crate::delivery::Delivery;
use crate::store::StoreError;

use super::PostgresStore;
use super::key::{has_key, key_columns, keyed};

impl PostgresStore {
    /// Keeps a plugin's file, if it is not there yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn archive_plugin(
        &self,
        digest: &Digest,
        name: &str,
        version: &str,
        file: &[u8],
    ) -> Result<(), StoreError> {
        const ARCHIVE: &str = "INSERT INTO wasmill_plugins (digest, name, version, file) VALUES ($1, $2, $3, $4)
                               ON CONFLICT (digest) DO NOTHING";
        let mut taken = self.connections.take_aside().await?;
        let archived = query(ARCHIVE)
            .bind(&digest.as_bytes()[..])
            .bind(super::dead_letters::storable(name).as_ref())
            .bind(super::dead_letters::storable(version).as_ref())
            .bind(file)
            .execute(&mut taken.connection)
            .await;
        archived.map_err(|error| self.failed("archive a plugin", &error))?;
        taken.give_back();
        Ok(())
    }

    /// Records which generation ran over which of the offsets from `first` on. Part of a commit's transaction.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        first: i64,
        deliveries: &[Delivery],
    ) -> Result<(), sqlx::Error> {
        const RECORD: &str = concat!(
            "WITH last AS (SELECT id FROM wasmill_commits WHERE ",
            has_key!(),
            " ORDER BY id DESC LIMIT 1),
             extended AS (UPDATE wasmill_commits c SET next_offset = $8, committed_at = now() FROM last
                          WHERE c.id = last.id AND c.next_offset = $7 AND c.generation = $9 AND c.config = $10
                            AND c.engine = $11
                          RETURNING 1)
             INSERT INTO wasmill_commits (",
            key_columns!(),
            ", first_offset, next_offset, generation, config, engine)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE NOT EXISTS (SELECT FROM extended)"
        );
        if self.facts.provenance == Provenance::Off || !self.is_home {
            return Ok(());
        }
        for (first, next, generation) in ranges(first, deliveries) {
            keyed(RECORD, &self.pipeline, partition)
                .bind(first)
                .bind(next)
                .bind(&generation.as_bytes()[..])
                .bind(&self.facts.config.as_bytes()[..])
                .bind(&self.facts.engine)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

/// The offsets [first, next) that each generation ran over, beginning at `first`.
fn ranges(first: i64, deliveries: &[Delivery]) -> Vec<(i64, i64, &Digest)> {
    let mut ranges: Vec<(i64, i64, &Digest)> = Vec::new();
    for delivery in deliveries {
        let next = delivery.events.raw.next_offset();
        let start = ranges.last().map_or(first, |range| range.1);
        if next <= start {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if *last.2 == delivery.generation => last.1 = next,
            _ => ranges.push((start, next, &delivery.generation)),
        }
    }
    ranges
}
