//! Dead letters: written in the commit's transaction, read back to be relayed.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query, query_scalar};
use wasmill_core::{Digest, PartitionId, PluginRef, Stage};

use crate::delivery::DeadLetter;
use crate::store::{StoreError, StoredDeadLetter};

use super::PostgresStore;
use super::binary;
use super::key::{key_columns, partition_of};
use super::load::copy_bytes;

const COPY: &str = concat!(
    "COPY wasmill_dead_letters (",
    key_columns!(),
    ", \"offset\", timestamp, stage, plugin, plugin_version, plugin_digest, sink, code, reason, key, payload, \
     header_names, header_values) FROM STDIN (FORMAT binary)"
);
const FIELDS: u16 = 19;

/// What [`stored`] reads of the table `l`.
macro_rules! letter_columns {
    () => {
        "l.id, l.pipeline, l.source, l.cluster, l.topic, l.topic_id, l.partition, l.\"offset\",
         (extract(epoch FROM l.timestamp) * 1000000)::bigint AS timestamp_us, l.stage, l.plugin, l.plugin_version,
         l.plugin_digest, l.sink, l.code, l.reason, l.key, l.payload, l.header_names, l.header_values,
         (extract(epoch FROM l.rejected_at) * 1000000)::bigint AS rejected_at_us"
    };
}

pub(super) use letter_columns;

impl PostgresStore {
    /// Writes dead letters of `partition`. Part of a commit's transaction.
    pub(super) async fn write_dead_letters(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        letters: &[&DeadLetter],
    ) -> Result<(), sqlx::Error> {
        // Ids must rise in the order of commits, or the relay would pass over those of a slower transaction. So from
        // here to the commit only one writer of the pipeline goes on.
        const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('wasmill_dead_letters ' || $1, 0))";
        if letters.is_empty() {
            return Ok(());
        }
        query(LOCK).bind(&self.pipeline).execute(&mut *connection).await?;
        let mut rows = Vec::new();
        letters.iter().for_each(|letter| encode(&self.pipeline, partition, letter, &mut rows));
        copy_bytes(connection, COPY, std::iter::once(rows.as_slice())).await
    }

    /// Up to `limit` dead letters of this pipeline with ids after `id`, in their order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_letters_after(&self, id: i64, limit: i64) -> Result<Vec<StoredDeadLetter>, StoreError> {
        const AFTER: &str = concat!(
            "SELECT ",
            letter_columns!(),
            " FROM wasmill_dead_letters l WHERE pipeline = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        let mut taken = self.connections.take().await?;
        let rows = query(AFTER).bind(&self.pipeline).bind(id).bind(limit).fetch_all(&mut taken.connection).await;
        let letters = rows
            .and_then(|rows| rows.iter().map(stored).collect::<Result<Vec<_>, _>>())
            .map_err(|error| self.failed("read the dead letters", &error))?;
        taken.give_back();
        Ok(letters)
    }

    /// The last id that was relayed to `destination`; 0 when none was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn relay_mark(&self, destination: &str) -> Result<i64, StoreError> {
        const MARK: &str = "SELECT last_id FROM wasmill_relays WHERE pipeline = $1 AND destination = $2";
        let mut taken = self.connections.take().await?;
        let mark = query_scalar(MARK)
            .bind(&self.pipeline)
            .bind(destination)
            .fetch_optional(&mut taken.connection)
            .await
            .map_err(|error| self.failed("read how far dead letters were relayed", &error))?;
        taken.give_back();
        Ok(mark.unwrap_or(0))
    }

    /// Says that the dead letters up to `id` are at `destination`. A mark never goes back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_relay_mark(&self, destination: &str, id: i64) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO wasmill_relays AS relay (pipeline, destination, last_id) VALUES ($1, $2, $3)
                           ON CONFLICT (pipeline, destination)
                           DO UPDATE SET last_id = greatest(relay.last_id, excluded.last_id)";
        let mut taken = self.connections.take().await?;
        let set = query(SET).bind(&self.pipeline).bind(destination).bind(id).execute(&mut taken.connection).await;
        set.map_err(|error| self.failed("note how far dead letters were relayed", &error))?;
        taken.give_back();
        Ok(())
    }
}

fn encode(pipeline: &str, partition: &PartitionId, letter: &DeadLetter, out: &mut Vec<u8>) {
    let plugin = letter.plugin.as_deref();
    let text = |value: &str, out: &mut Vec<u8>| binary::bytes(storable(value).as_bytes(), out);
    let optional_text = |value: Option<&str>, out: &mut Vec<u8>| match value {
        Some(value) => text(value, out),
        None => binary::null(out),
    };
    binary::begin_row(FIELDS, out);
    for value in [pipeline, &partition.source, &partition.cluster, &partition.topic, &partition.topic_id] {
        text(value, out);
    }
    binary::bytes(&partition.partition.to_be_bytes(), out);
    binary::bytes(&letter.offset.to_be_bytes(), out);
    let timestamp = letter.timestamp_ns.div_euclid(1_000) - binary::MICROS_1970_TO_2000;
    binary::bytes(&timestamp.to_be_bytes(), out);
    text(stage_name(letter.stage), out);
    optional_text(plugin.map(|plugin| plugin.name.as_str()), out);
    optional_text(plugin.map(|plugin| plugin.version.as_str()), out);
    binary::optional(plugin.map(|plugin| &plugin.digest.as_bytes()[..]), out);
    optional_text(letter.sink.as_deref(), out);
    text(&letter.code, out);
    text(&letter.reason, out);
    binary::optional(letter.key.as_deref(), out);
    binary::optional(letter.payload.as_deref(), out);
    binary::bytea_array(letter.headers.iter().map(|(name, _)| Some(name.as_slice())), out);
    binary::bytea_array(letter.headers.iter().map(|(_, value)| value.as_deref()), out);
}

/// Text that the database takes: a plugin's reason may hold a NUL.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

const STAGES: [(Stage, &str); 5] = [
    (Stage::Parse, "parse"),
    (Stage::Validate, "validate"),
    (Stage::Enrich, "enrich"),
    (Stage::Alert, "alert"),
    (Stage::Sink, "sink"),
];

pub(super) fn stage_name(stage: Stage) -> &'static str {
    STAGES.iter().find(|(known, _)| *known == stage).expect("all stages are listed").1
}

pub(super) fn stored(row: &PgRow) -> Result<StoredDeadLetter, sqlx::Error> {
    let timestamp_us: i64 = row.try_get("timestamp_us")?;
    let stage: String = row.try_get("stage")?;
    let names: Vec<Vec<u8>> = row.try_get("header_names")?;
    let values: Vec<Option<Vec<u8>>> = row.try_get("header_values")?;
    let letter = DeadLetter {
        offset: row.try_get("offset")?,
        timestamp_ns: timestamp_us.saturating_mul(1_000),
        stage: stage_of(&stage)?,
        plugin: plugin_of(row, ["plugin", "plugin_version", "plugin_digest"])?,
        sink: row.try_get::<Option<String>, _>("sink")?.map(Arc::from),
        code: row.try_get("code")?,
        reason: row.try_get("reason")?,
        key: row.try_get("key")?,
        payload: row.try_get("payload")?,
        headers: names.into_iter().zip(values).collect(),
    };
    Ok(StoredDeadLetter {
        id: row.try_get("id")?,
        partition: partition_of(row)?,
        rejected_at_us: row.try_get("rejected_at_us")?,
        letter,
    })
}

pub(super) fn stage_of(name: &str) -> Result<Stage, sqlx::Error> {
    let stage = STAGES.iter().find(|(_, known)| *known == name).map(|(stage, _)| *stage);
    stage.ok_or_else(|| sqlx::Error::Decode(format!("\"{name}\" is no stage").into()))
}

/// The plugin in these columns: name, version and digest.
pub(super) fn plugin_of(row: &PgRow, columns: [&str; 3]) -> Result<Option<Arc<PluginRef>>, sqlx::Error> {
    let [name, version, digest] = columns;
    let Some(name) = row.try_get(name)? else { return Ok(None) };
    let digest = digest_of(row.try_get(digest)?)?;
    Ok(Some(Arc::new(PluginRef { name, version: row.try_get(version)?, digest })))
}

/// The digest of these 32 bytes.
pub(super) fn digest_of(bytes: Vec<u8>) -> Result<Digest, sqlx::Error> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
