//! wasmill's own tables in a database.

use std::fmt::Write as _;

use sqlx::postgres::PgConnection;
use sqlx::{Executor, query_scalar};

use crate::store::StoreError;

use super::errors::{making_error, store_error};

/// What makes each version of the tables from the one before, the first from nothing. A step that was released is never changed.
const STEPS: [&str; 7] = [TABLES, ANSWERS, OPEN_ALERTS, STATES, GENERATIONS, SKIPPED, LETTERS];

/// Held while tables are looked at and made, so that workers may start at the same time.
const SET_UP_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('wasmill_schema', 0))";

const TABLES: &str = "
CREATE TABLE wasmill_schema (version integer NOT NULL);
INSERT INTO wasmill_schema VALUES (0);

-- Where each lane is. sink is '' in the pipeline's home; elsewhere the row is the mark of that sink's store.
CREATE TABLE wasmill_ledger (
    pipeline text NOT NULL, sink text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL,
    epoch bigint NOT NULL, next_offset bigint NOT NULL, generation bytea,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, sink, source, cluster, topic, topic_id, partition)
) WITH (fillfactor = 50);

-- Offsets that were lost before they were read, and given up by somebody.
CREATE TABLE wasmill_gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL,
    first_offset bigint NOT NULL, next_offset bigint NOT NULL, accepted_at timestamptz NOT NULL DEFAULT now()
);

-- Events that left the stream: original bytes, and why. ids rise in the order of commits.
CREATE TABLE wasmill_dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL, \"offset\" bigint NOT NULL, timestamp timestamptz NOT NULL,
    stage text NOT NULL, plugin text, plugin_version text, plugin_digest bytea, sink text,
    code text NOT NULL, reason text NOT NULL,
    key bytea, payload bytea, header_names bytea[] NOT NULL, header_values bytea[] NOT NULL,
    attempts integer NOT NULL DEFAULT 1, rejected_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON wasmill_dead_letters (pipeline, rejected_at);

-- How far the dead letters have been written elsewhere.
CREATE TABLE wasmill_relays (
    pipeline text NOT NULL, destination text NOT NULL, last_id bigint NOT NULL,
    PRIMARY KEY (pipeline, destination)
);

-- Which code made which rows: offsets [first, next) ran in one generation under one configuration.
CREATE TABLE wasmill_commits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL, first_offset bigint NOT NULL, next_offset bigint NOT NULL,
    generation bytea NOT NULL, config bytea NOT NULL, engine text NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX ON wasmill_commits (pipeline, source, cluster, topic, topic_id, partition, id);

-- Every plugin file that ever ran.
CREATE TABLE wasmill_plugins (
    digest bytea PRIMARY KEY, name text NOT NULL, version text NOT NULL, file bytea NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now()
);";

const ANSWERS: &str = "
-- What look-ups answered: a row holds from its offset on, until a later one of the same address.
CREATE TABLE wasmill_answers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL, first_offset bigint NOT NULL,
    lookup text NOT NULL, address text NOT NULL, answer text, recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON wasmill_answers (pipeline, source, cluster, topic, topic_id, partition, lookup, address, id);
CREATE INDEX ON wasmill_answers (pipeline, recorded_at);";

const OPEN_ALERTS: &str = "
-- Alerts that fire, of sinks with a `life`, until they are resolved.
CREATE TABLE wasmill_open_alerts (
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL, topic_id text NOT NULL,
    partition integer NOT NULL, sink text NOT NULL, id text NOT NULL, \"offset\" bigint NOT NULL,
    timestamp_ns bigint NOT NULL, alert bytea NOT NULL, count bigint NOT NULL, last_at text NOT NULL,
    PRIMARY KEY (pipeline, sink, id)
);";

const STATES: &str = "
-- The states of plugins: a row per plugin and partition, and one per key.
CREATE TABLE wasmill_states (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL, plugin text NOT NULL,
    version bigint NOT NULL, clock bigint, doubted bigint,
    UNIQUE (pipeline, source, cluster, topic, topic_id, partition, plugin)
) WITH (fillfactor = 50);
CREATE TABLE wasmill_state (
    state bigint NOT NULL, key bytea NOT NULL, value bytea NOT NULL,
    expires bigint NOT NULL, wake bigint NOT NULL, \"offset\" bigint NOT NULL,
    PRIMARY KEY (state, key)
) WITH (fillfactor = 50);";

const GENERATIONS: &str = "
-- Which plugins served when: a row per change.
CREATE TABLE wasmill_generations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, generation bytea NOT NULL, plugins jsonb NOT NULL,
    served_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON wasmill_generations (pipeline, id);";

const SKIPPED: &str = "
-- Offsets [first, next) whose events passed a plugin by, because its breaker was open.
CREATE TABLE wasmill_skipped (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL, source text NOT NULL, cluster text NOT NULL, topic text NOT NULL,
    topic_id text NOT NULL, partition integer NOT NULL, first_offset bigint NOT NULL, next_offset bigint NOT NULL,
    plugin text NOT NULL, plugin_digest bytea NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX ON wasmill_skipped (pipeline, source, cluster, topic, topic_id, partition, next_offset);";

const LETTERS: &str = "
-- What became of dead letters by hand; one without a row waits. The rejection is that of the newest replay.
CREATE TABLE wasmill_letter_states (
    letter bigint PRIMARY KEY REFERENCES wasmill_dead_letters (id) ON DELETE CASCADE,
    state text NOT NULL, attempts integer NOT NULL, changed_at timestamptz NOT NULL DEFAULT now(),
    stage text, plugin text, plugin_version text, plugin_digest bytea, code text, reason text,
    generation bytea, note text
);

-- The letters whose rows a replay has stored in this database.
CREATE TABLE wasmill_replayed (
    pipeline text NOT NULL, identity text NOT NULL, replayed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, identity)
);
CREATE INDEX ON wasmill_replayed (pipeline, replayed_at);";

/// Waits until no other process sets this database up; the lock goes with the transaction.
pub(super) async fn lock(connection: &mut PgConnection) -> Result<(), StoreError> {
    connection.execute(SET_UP_LOCK).await.map_err(|error| store_error("lock the database for the set-up", &error))?;
    Ok(())
}

/// Brings the tables to the newest version, whichever they have: one statement, all of it or nothing.
pub(super) fn script() -> String {
    let mut sql = String::from("DO $wasmill$ BEGIN\n");
    for (before, step) in STEPS.iter().enumerate() {
        let is_at = match before {
            0 => "to_regclass('wasmill_schema') IS NULL".to_owned(),
            _ => format!("(SELECT version FROM wasmill_schema) = {before}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "IF {is_at} THEN{step}\nUPDATE wasmill_schema SET version = {};\nEND IF;", before + 1);
    }
    sql.push_str("END $wasmill$;");
    sql
}

/// Makes the tables where they are missing, and brings older ones to the newest version. The caller holds the set-up lock.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    let made = connection.execute(script().as_str()).await;
    made.map_err(|error| making_error("make wasmill's own tables or bring them up to date", &error))?;
    let failed = |error: sqlx::Error| store_error("look at wasmill's own tables", &error);
    let found: i32 = query_scalar("SELECT version FROM wasmill_schema").fetch_one(connection).await.map_err(failed)?;
    let known = STEPS.len();
    if usize::try_from(found) != Ok(known) {
        return Err(StoreError::Setup(format!(
            "wasmill's tables in this database have version {found}, this wasmill knows versions up to {known}; run the wasmill that \
             made them, or a newer one"
        )));
    }
    Ok(())
}
