//! Dead letters with what became of them by hand.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite, query};

use crate::letters::{
    LETTERS_TAKEN, Letter, LetterFilter, LetterGroup, LetterState, LettersLock, Page, Rejected, Standing,
};
use crate::store::StoreError;

use super::SqliteStore;
use super::dead_letters::{digest_of, plugin_of, stage_of, stored};
use super::error::classify;

/// Letters with what stands beside them.
macro_rules! letters {
    () => {
        " FROM wasmill_dead_letters l LEFT JOIN wasmill_letter_states s ON s.letter = l.id"
    };
}

/// Those that a filter means, `?1` to `?9`: see [`bound`].
macro_rules! meant {
    () => {
        " WHERE l.pipeline = ?1
            AND (?2 IS NULL OR ?2 = CASE WHEN s.code IS NULL THEN l.plugin ELSE s.plugin END)
            AND (?3 IS NULL OR CASE WHEN s.code IS NULL THEN l.plugin_digest ELSE s.plugin_digest END LIKE ?3 || '%')
            AND (?4 IS NULL OR ?4 = coalesce(s.code, l.code))
            AND (?5 IS NULL OR l.rejected_at_us >= ?5) AND (?6 IS NULL OR l.rejected_at_us < ?6)
            AND (?7 IS NULL OR l.topic = ?7) AND (?8 IS NULL OR l.partition = ?8)
            AND ?9 LIKE '%,' || coalesce(s.state, 'waiting') || ',%'"
    };
}

macro_rules! page {
    ($order:literal) => {
        concat!(
            "SELECT l.*, coalesce(s.state, 'waiting') AS state, coalesce(s.attempts, 1) AS attempts, s.stage AS again_stage,
               s.plugin AS again_plugin, s.plugin_version AS again_version, s.plugin_digest AS again_digest,
               s.code AS again_code, s.reason AS again_reason, s.generation, s.note, s.changed_at_us",
            letters!(),
            meant!(),
            " AND l.id > ?10 AND l.id < ?11 ORDER BY l.id ",
            $order,
            " LIMIT ?12"
        )
    };
}

const NEWEST: &str = page!("DESC");
const OLDEST: &str = page!("ASC");
const GROUPS: &str = concat!(
    "SELECT state, stage, plugin, plugin_version, plugin_digest, sink, code, count(*) AS letters,
            min(rejected_at_us) AS oldest_us, max(rejected_at_us) AS newest_us
     FROM (SELECT coalesce(s.state, 'waiting') AS state, coalesce(s.stage, l.stage) AS stage, l.sink,
                  coalesce(s.code, l.code) AS code, l.rejected_at_us,
                  CASE WHEN s.code IS NULL THEN l.plugin ELSE s.plugin END AS plugin,
                  CASE WHEN s.code IS NULL THEN l.plugin_version ELSE s.plugin_version END AS plugin_version,
                  CASE WHEN s.code IS NULL THEN l.plugin_digest ELSE s.plugin_digest END AS plugin_digest",
    letters!(),
    meant!(),
    ") GROUP BY state, stage, plugin, plugin_version, plugin_digest, sink, code ORDER BY letters DESC, code, newest_us"
);
/// Only where the letter is as it was read: in the state `?13` after `?14` attempts.
const SETTLE: &str = "INSERT INTO wasmill_letter_states AS s (letter, state, attempts, stage, plugin, plugin_version, plugin_digest, code,
                                                             reason, generation, note)
     SELECT id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM wasmill_dead_letters WHERE id = ?1 AND pipeline = ?2
     ON CONFLICT (letter) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
         changed_at_us = CAST(unixepoch('subsec') * 1000000 AS INTEGER), stage = excluded.stage, plugin = excluded.plugin,
         plugin_version = excluded.plugin_version, plugin_digest = excluded.plugin_digest, code = excluded.code,
         reason = excluded.reason, generation = excluded.generation, note = excluded.note
     WHERE s.state = ?13 AND s.attempts = ?14";

impl SqliteStore {
    /// See [`crate::store::Store::letters`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn letters(&self, filter: &LetterFilter, page: Page) -> Result<Vec<Letter>, StoreError> {
        let states = filter.state_list();
        let sql = if page.is_newest_first { NEWEST } else { OLDEST };
        let asked = bound(sql, &self.pipeline, filter, &states).bind(page.after).bind(page.before).bind(page.limit);
        let mut writer = self.writer.lock().await;
        let rows = asked.fetch_all(writer.connection().await?).await.map_err(classify)?;
        rows.iter().map(|row| letter(row).map_err(classify)).collect()
    }

    /// See [`crate::store::Store::letter_groups`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn letter_groups(&self, filter: &LetterFilter) -> Result<Vec<LetterGroup>, StoreError> {
        let states = filter.state_list();
        let mut writer = self.writer.lock().await;
        let asked = bound(GROUPS, &self.pipeline, filter, &states);
        let rows = asked.fetch_all(writer.connection().await?).await.map_err(classify)?;
        rows.iter().map(|row| group(row).map_err(classify)).collect()
    }

    /// See [`crate::store::Store::settle_letter`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn settle_letter(&self, letter: &Letter, standing: &Standing) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        let settled = settle(writer.connection().await?, &self.pipeline, letter, standing).await;
        settled.map_err(classify)
    }

    /// See [`crate::store::Store::lock_letters`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn lock_letters(&self) -> Result<LettersLock, StoreError> {
        // Not the database itself: closing another handle of it would let go what SQLite locks.
        let path = PathBuf::from(format!("{}.dlq.lock", self.writer.lock().await.options.get_filename().display()));
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).append(true).open(&path);
            let failed = |error| StoreError::Setup(format!("cannot lock {}: {error}", path.display()));
            let file = file.map_err(failed)?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(TryLockError::Error(error)) => Err(failed(error)),
                Err(TryLockError::WouldBlock) => {
                    tracing::warn!("{LETTERS_TAKEN}");
                    file.lock().map(|()| file).map_err(failed)
                }
            }
        });
        let locked = locked.await.map_err(|error| StoreError::Transient(format!("waiting for a lock failed: {error}")));
        Ok(LettersLock::holding(locked??))
    }
}

/// Writes down what became of a letter, if it is still as it was read; whether it was.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    pipeline: &str,
    letter: &Letter,
    standing: &Standing,
) -> Result<bool, sqlx::Error> {
    let again = standing.again.as_ref();
    let plugin = again.and_then(|again| again.plugin.as_deref());
    let stage = again.map(|again| serde_json::json!(again.stage));
    let settled = query(SETTLE)
        .bind(letter.stored.id)
        .bind(pipeline)
        .bind(standing.state.as_str())
        .bind(standing.attempts)
        .bind(stage.as_ref().and_then(|stage| stage.as_str()))
        .bind(plugin.map(|plugin| &plugin.name))
        .bind(plugin.map(|plugin| &plugin.version))
        .bind(plugin.map(|plugin| plugin.digest.to_string()))
        .bind(again.map(|again| &again.code))
        .bind(again.map(|again| &again.reason))
        .bind(standing.generation.map(|generation| generation.to_string()))
        .bind(&standing.note)
        .bind(letter.standing.state.as_str())
        .bind(letter.standing.attempts)
        .execute(connection)
        .await?;
    Ok(settled.rows_affected() == 1)
}

fn bound<'q>(
    sql: &'q str,
    pipeline: &'q str,
    filter: &'q LetterFilter,
    states: &'q str,
) -> Query<'q, Sqlite, SqliteArguments<'q>> {
    query(sql)
        .bind(pipeline)
        .bind(&filter.plugin)
        .bind(&filter.digest)
        .bind(&filter.code)
        .bind(filter.since_us)
        .bind(filter.until_us)
        .bind(&filter.topic)
        .bind(filter.partition)
        .bind(states)
}

fn letter(row: &SqliteRow) -> Result<Letter, sqlx::Error> {
    let again = match row.try_get::<Option<String>, _>("again_code")? {
        None => None,
        Some(code) => Some(Rejected {
            stage: stage_of(row.try_get("again_stage")?)?,
            plugin: plugin_of(row, ["again_plugin", "again_version", "again_digest"])?,
            code,
            reason: row.try_get("again_reason")?,
        }),
    };
    let standing = Standing {
        state: state_of(row)?,
        attempts: row.try_get("attempts")?,
        again,
        generation: row.try_get::<Option<&str>, _>("generation")?.map(digest_of).transpose()?,
        note: row.try_get("note")?,
    };
    Ok(Letter { stored: stored(row)?, standing, changed_at_us: row.try_get("changed_at_us")? })
}

fn group(row: &SqliteRow) -> Result<LetterGroup, sqlx::Error> {
    Ok(LetterGroup {
        state: state_of(row)?,
        stage: stage_of(row.try_get("stage")?)?,
        plugin: plugin_of(row, ["plugin", "plugin_version", "plugin_digest"])?,
        sink: row.try_get("sink")?,
        code: row.try_get("code")?,
        letters: row.try_get("letters")?,
        oldest_us: row.try_get("oldest_us")?,
        newest_us: row.try_get("newest_us")?,
    })
}

fn state_of(row: &SqliteRow) -> Result<LetterState, sqlx::Error> {
    let name: &str = row.try_get("state")?;
    LetterState::named(name).ok_or_else(|| sqlx::Error::Decode(format!("\"{name}\" is no state of a letter").into()))
}
