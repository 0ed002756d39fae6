//! Dead letters with what became of them by hand.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row, query, query_scalar};

use crate::letters::{
    LETTERS_TAKEN, Letter, LetterFilter, LetterGroup, LetterState, LettersLock, Page, Rejected, Standing,
};
use crate::store::StoreError;

use super::PostgresStore;
use super::dead_letters::{digest_of, letter_columns, plugin_of, stage_name, stage_of, storable, stored};

/// Letters with what stands beside them.
macro_rules! letters {
    () => {
        " FROM wasmill_dead_letters l LEFT JOIN wasmill_letter_states s ON s.letter = l.id"
    };
}

/// Those that a filter means, `$1` to `$9`: see [`bound`].
macro_rules! meant {
    () => {
        " WHERE l.pipeline = $1
            AND ($2::text IS NULL OR $2 = CASE WHEN s.code IS NULL THEN l.plugin ELSE s.plugin END)
            AND ($3::text IS NULL
                 OR encode(CASE WHEN s.code IS NULL THEN l.plugin_digest ELSE s.plugin_digest END, 'hex') LIKE $3 || '%')
            AND ($4::text IS NULL OR $4 = coalesce(s.code, l.code))
            AND ($5::bigint IS NULL OR l.rejected_at >= TIMESTAMPTZ 'epoch' + $5 * INTERVAL '1 microsecond')
            AND ($6::bigint IS NULL OR l.rejected_at < TIMESTAMPTZ 'epoch' + $6 * INTERVAL '1 microsecond')
            AND ($7::text IS NULL OR l.topic = $7) AND ($8::int IS NULL OR l.partition = $8)
            AND $9::text LIKE '%,' || coalesce(s.state, 'waiting') || ',%'"
    };
}

macro_rules! page {
    ($order:literal) => {
        concat!(
            "SELECT ",
            letter_columns!(),
            ", coalesce(s.state, 'waiting') AS state, coalesce(s.attempts, l.attempts) AS attempts, s.stage AS again_stage,
               s.plugin AS again_plugin, s.plugin_version AS again_version, s.plugin_digest AS again_digest,
               s.code AS again_code, s.reason AS again_reason, s.generation, s.note,
               (extract(epoch FROM s.changed_at) * 1000000)::bigint AS changed_at_us",
            letters!(),
            meant!(),
            " AND l.id > $10 AND l.id < $11 ORDER BY l.id ",
            $order,
            " LIMIT $12"
        )
    };
}

const NEWEST: &str = page!("DESC");
const OLDEST: &str = page!("ASC");
const GROUPS: &str = concat!(
    "SELECT state, stage, plugin, plugin_version, plugin_digest, sink, code, count(*) AS letters,
            (extract(epoch FROM min(rejected_at)) * 1000000)::bigint AS oldest_us,
            (extract(epoch FROM max(rejected_at)) * 1000000)::bigint AS newest_us
     FROM (SELECT coalesce(s.state, 'waiting') AS state, coalesce(s.stage, l.stage) AS stage, l.sink,
                  coalesce(s.code, l.code) AS code, l.rejected_at,
                  CASE WHEN s.code IS NULL THEN l.plugin ELSE s.plugin END AS plugin,
                  CASE WHEN s.code IS NULL THEN l.plugin_version ELSE s.plugin_version END AS plugin_version,
                  CASE WHEN s.code IS NULL THEN l.plugin_digest ELSE s.plugin_digest END AS plugin_digest",
    letters!(),
    meant!(),
    ") meant GROUP BY state, stage, plugin, plugin_version, plugin_digest, sink, code ORDER BY letters DESC, code, newest_us"
);
/// Only where the letter is as it was read: in the state `$12` after `$13` attempts.
const SETTLE: &str = "INSERT INTO wasmill_letter_states AS s (letter, state, attempts, stage, plugin, plugin_version, plugin_digest, code,
                                                             reason, generation, note)
     SELECT id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $14 FROM wasmill_dead_letters WHERE id = $1 AND pipeline = $2
     ON CONFLICT (letter) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, changed_at = now(),
         stage = excluded.stage, plugin = excluded.plugin, plugin_version = excluded.plugin_version,
         plugin_digest = excluded.plugin_digest, code = excluded.code, reason = excluded.reason,
         generation = excluded.generation, note = excluded.note
     WHERE s.state = $12 AND s.attempts = $13";
/// Held by the session, so it is gone with the process.
const LOCK: &str = "SELECT pg_advisory_lock(hashtextextended('wasmill_letter_states ' || $1, 0))";
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('wasmill_letter_states ' || $1, 0))";

impl PostgresStore {
    /// See [`crate::store::Store::letters`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letters(&self, filter: &LetterFilter, page: Page) -> Result<Vec<Letter>, StoreError> {
        let states = filter.state_list();
        let sql = if page.is_newest_first { NEWEST } else { OLDEST };
        let asked = bound(sql, &self.pipeline, filter, &states).bind(page.after).bind(page.before).bind(page.limit);
        let mut taken = self.connections.take().await?;
        let rows = asked.fetch_all(&mut taken.connection).await;
        let letters = rows.and_then(|rows| rows.iter().map(letter).collect::<Result<Vec<_>, _>>());
        let letters = letters.map_err(|error| self.failed("read the dead letters", &error))?;
        taken.give_back();
        Ok(letters)
    }

    /// See [`crate::store::Store::letter_groups`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_groups(&self, filter: &LetterFilter) -> Result<Vec<LetterGroup>, StoreError> {
        let states = filter.state_list();
        let mut taken = self.connections.take().await?;
        let rows = bound(GROUPS, &self.pipeline, filter, &states).fetch_all(&mut taken.connection).await;
        let groups = rows.and_then(|rows| rows.iter().map(group).collect::<Result<Vec<_>, _>>());
        let groups = groups.map_err(|error| self.failed("count the dead letters", &error))?;
        taken.give_back();
        Ok(groups)
    }

    /// See [`crate::store::Store::settle_letter`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settle_letter(&self, letter: &Letter, standing: &Standing) -> Result<bool, StoreError> {
        let mut taken = self.connections.take().await?;
        let settled = self.write_standing(&mut taken.connection, letter, standing).await;
        let settled = settled.map_err(|error| self.failed("write down what became of a dead letter", &error))?;
        taken.give_back();
        Ok(settled)
    }

    /// The same on this connection, which may be in a transaction.
    pub(super) async fn write_standing(
        &self,
        connection: &mut PgConnection,
        letter: &Letter,
        standing: &Standing,
    ) -> Result<bool, sqlx::Error> {
        let again = standing.again.as_ref();
        let plugin = again.and_then(|again| again.plugin.as_deref());
        let text = |text: &str| storable(text).into_owned();
        let settled = query(SETTLE)
            .bind(letter.stored.id)
            .bind(&self.pipeline)
            .bind(standing.state.as_str())
            .bind(standing.attempts)
            .bind(again.map(|again| stage_name(again.stage)))
            .bind(plugin.map(|plugin| text(&plugin.name)))
            .bind(plugin.map(|plugin| text(&plugin.version)))
            .bind(plugin.map(|plugin| &plugin.digest.as_bytes()[..]))
            .bind(again.map(|again| text(&again.code)))
            .bind(again.map(|again| text(&again.reason)))
            .bind(standing.generation.as_ref().map(|generation| &generation.as_bytes()[..]))
            .bind(letter.standing.state.as_str())
            .bind(letter.standing.attempts)
            .bind(standing.note.as_deref().map(text))
            .execute(connection)
            .await?;
        Ok(settled.rows_affected() == 1)
    }

    /// See [`crate::store::Store::lock_letters`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lock_letters(&self) -> Result<LettersLock, StoreError> {
        let mut connection = self.connections.connect().await?;
        let failed = |error: sqlx::Error| self.failed("lock the dead letters", &error);
        let is_free = query_scalar(TRY_LOCK).bind(&self.pipeline).fetch_one(&mut connection).await;
        if !is_free.map_err(failed)? {
            tracing::warn!("{LETTERS_TAKEN}");
            query(LOCK).bind(&self.pipeline).execute(&mut connection).await.map_err(failed)?;
        }
        Ok(LettersLock::holding(connection))
    }
}

fn bound<'q>(
    sql: &'q str,
    pipeline: &'q str,
    filter: &'q LetterFilter,
    states: &'q str,
) -> Query<'q, Postgres, PgArguments> {
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

fn letter(row: &PgRow) -> Result<Letter, sqlx::Error> {
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
        generation: row.try_get::<Option<Vec<u8>>, _>("generation")?.map(digest_of).transpose()?,
        note: row.try_get("note")?,
    };
    Ok(Letter { stored: stored(row)?, standing, changed_at_us: row.try_get("changed_at_us")? })
}

fn group(row: &PgRow) -> Result<LetterGroup, sqlx::Error> {
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

fn state_of(row: &PgRow) -> Result<LetterState, sqlx::Error> {
    let name: &str = row.try_get("state")?;
    LetterState::named(name).ok_or_else(|| sqlx::Error::Decode(format!("\"{name}\" is no state of a letter").into()))
}
