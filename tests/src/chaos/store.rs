//! Where a chaos run writes: its tables, and a reader of its own, so that what is checked is not read through wasmill.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ColumnIndex, ConnectOptions, Connection, Decode, Executor, PgConnection, Row, SqliteConnection, Type};
use tokio::runtime::Runtime;
use wasmill::dead_letters::headers_from_json;

use super::events::{REFUSED_MESSAGE, REFUSED_STATUS, USER_CHARS_MAX};
use crate::services::Database;

/// How long the reader waits for an answer before it takes its connection for dead.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A hypertable.
    Timescale,
    /// A table of SQLite.
    Sqlite,
}

/// The database of a run.
#[derive(Debug)]
pub enum Store {
    /// A database of the run's own.
    Timescale(Database),
    /// A file in the pipeline's folder.
    Sqlite,
}

/// The columns of the sink `rows`, for both kinds.
const COLUMNS: &str = "{ id: id, at: { from: timestamp, type: timestamptz }, severity: severity, service: service, \
     status: { from: status, type: integer }, user: user, message: message, trace: $headers.trace, env: env, \
     body: { from: $payload, type: jsonb }, raw: { from: $raw, type: bytea }, \
     kafka_partition: $partition, kafka_offset: $offset, generation: $digest }";
const ALERT_COLUMNS: &str = "{ id: id, rule: rule, key: key, summary: summary, kafka_partition: $partition, \
     kafka_offset: $offset }";
const SQLITE_FILE: &str = "chaos.db";

impl Store {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Timescale(_) => Kind::Timescale,
            Self::Sqlite => Kind::Sqlite,
        }
    }

    /// Another one of the same kind, in the same server.
    pub(super) fn another(&self) -> Result<Self> {
        Ok(match self {
            Self::Timescale(database) => Self::Timescale(database.another()?),
            Self::Sqlite => Self::Sqlite,
        })
    }

    /// The pipeline's sinks, as YAML.
    pub(super) fn sinks(&self) -> String {
        let (kind, place, time) = match self {
            Self::Timescale(database) => ("timescale", format!("url: \"{}\"", database.url()), ", time: at"),
            Self::Sqlite => ("sqlite", format!("path: {SQLITE_FILE}"), ""),
        };
        let alerts = if self.kind() == Kind::Timescale { "postgres" } else { kind };
        format!(
            "sinks:\n  rows: {{ {kind}: {{ {place}, table: events{time}, columns: {COLUMNS} }} }}\n  \
             alerts: {{ from: alerts, {alerts}: {{ {place}, table: alerts, columns: {ALERT_COLUMNS} }} }}\n"
        )
    }

    /// A reader; `folder` is the pipeline's.
    pub(super) fn reader(&self, folder: &Path) -> Result<Reader> {
        let place = match self {
            Self::Timescale(database) => Place::Timescale(database.url().to_owned()),
            Self::Sqlite => Place::Sqlite(folder.join(SQLITE_FILE)),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Reader { runtime, place, connection: None })
    }

    /// Makes the tables, some of whose rows only they refuse. `seconds` is the time that the events span: some twelve
    /// chunks are made on the way.
    pub(super) fn make_tables(&self, reader: &mut Reader, seconds: u64) -> Result<()> {
        let alerts = "CREATE TABLE alerts (id text NOT NULL, rule text, key text, summary text, kafka_partition integer, \
                      kafka_offset bigint);";
        let sql = match self.kind() {
            Kind::Timescale => format!(
                "CREATE TABLE events (id text NOT NULL, at timestamptz NOT NULL, severity text, service text, \
                 status integer CHECK (status <> {REFUSED_STATUS}), \"user\" varchar({USER_CHARS_MAX}), message text, \
                 trace text, env text, body jsonb, raw bytea, kafka_partition integer, kafka_offset bigint, generation text); \
                 SELECT create_hypertable('events', 'at', chunk_time_interval => interval '{} seconds'); \
                 CREATE UNIQUE INDEX ON events (id, at); \
                 CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by a trigger'; END $$; \
                 CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.message = '{REFUSED_MESSAGE}') \
                 EXECUTE FUNCTION refuse(); {alerts}",
                seconds / 12 + 1
            ),
            Kind::Sqlite => format!(
                "CREATE TABLE events (id TEXT NOT NULL, at TEXT NOT NULL, severity TEXT, service TEXT, \
                 status INTEGER CHECK (status <> {REFUSED_STATUS}), user TEXT CHECK (length(user) <= {USER_CHARS_MAX}), \
                 message TEXT, trace TEXT, env TEXT, body TEXT, raw BLOB, kafka_partition INTEGER, kafka_offset INTEGER, generation TEXT, \
                 UNIQUE (id, at)); \
                 CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.message = '{REFUSED_MESSAGE}' \
                 BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END; {alerts}"
            ),
        };
        reader.execute(&sql)
    }
}

/// A connection of the run's own.
pub(super) struct Reader {
    runtime: Runtime,
    place: Place,
    connection: Option<Open>,
}

#[derive(Clone)]
enum Place {
    Timescale(String),
    Sqlite(PathBuf),
}

enum Open {
    Timescale(PgConnection),
    Sqlite(SqliteConnection),
}

/// One partition's row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) partition: u64,
    pub(super) epoch: u64,
    pub(super) next_offset: u64,
}

impl Reader {
    /// The ledger, by partition.
    pub(super) fn ledger(&mut self) -> Result<Vec<Position>> {
        let sql = "SELECT CAST(partition AS text), CAST(epoch AS text), CAST(next_offset AS text) FROM wasmill_ledger \
                   ORDER BY partition";
        let position = |row: Vec<String>| -> Result<Position> {
            Ok(Position { partition: row[0].parse()?, epoch: row[1].parse()?, next_offset: row[2].parse()? })
        };
        self.texts(sql)?.into_iter().map(position).collect()
    }

    /// `column`'s bytes as hexadecimal digits, `null` for null: an SQL expression.
    pub(super) fn hex(&self, column: &str) -> String {
        let hex = match self.place {
            Place::Timescale(_) => format!("encode({column}, 'hex')"),
            Place::Sqlite(_) => format!("lower(hex({column}))"),
        };
        format!("CASE WHEN {column} IS NULL THEN 'null' ELSE {hex} END")
    }

    /// A dead letter's headers and its time in milliseconds: two SQL expressions. The headers go through [`Reader::headers`].
    pub(super) fn headers_and_time(&self) -> &'static str {
        match self.place {
            Place::Timescale(_) => {
                "(SELECT string_agg(encode(n, 'hex') || '=' || coalesce(encode(v, 'hex'), 'null'), ' ' ORDER BY i) \
                 FROM unnest(header_names, header_values) WITH ORDINALITY AS header (n, v, i)), \
                 CAST((extract(epoch FROM timestamp) * 1000)::bigint AS text)"
            }
            Place::Sqlite(_) => "headers, CAST(timestamp_ns / 1000000 AS text)",
        }
    }

    /// Headers as `name=value name=value` in hexadecimal digits.
    pub(super) fn headers(&self, stored: &str) -> Result<String> {
        match self.place {
            Place::Timescale(_) => Ok(stored.to_owned()),
            Place::Sqlite(_) => Ok(headers_as_hex(&headers_from_json(stored)?)),
        }
    }

    /// Runs statements.
    pub(super) fn execute(&mut self, sql: &str) -> Result<()> {
        let (runtime, open) = self.open()?;
        runtime.block_on(async {
            match open {
                Open::Timescale(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
                Open::Sqlite(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            }
        })?;
        Ok(())
    }

    /// The rows of a query whose columns are all text; `null` for null. After a failure the next call connects anew.
    pub(super) fn texts(&mut self, sql: &str) -> Result<Vec<Vec<String>>> {
        let (runtime, open) = self.open()?;
        let query = async {
            match open {
                Open::Timescale(connection) => texts_of(sqlx::query(sql).fetch_all(connection).await?),
                Open::Sqlite(connection) => texts_of(sqlx::query(sql).fetch_all(connection).await?),
            }
        };
        let answer = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, query).await });
        let rows = answer.context("no answer").and_then(|rows| rows.map_err(anyhow::Error::from));
        if rows.is_err() {
            self.connection = None;
        }
        rows.with_context(|| format!("cannot run {sql}"))
    }

    fn open(&mut self) -> Result<(&Runtime, &mut Open)> {
        if self.connection.is_none() {
            self.connection = Some(self.runtime.block_on(self.place.clone().open())?);
        }
        Ok((&self.runtime, self.connection.as_mut().context("just opened")?))
    }
}

impl Place {
    async fn open(self) -> Result<Open, sqlx::Error> {
        match self {
            Self::Timescale(url) => PgConnection::connect(&url).await.map(Open::Timescale),
            Self::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
                options.disable_statement_logging().connect().await.map(Open::Sqlite)
            }
        }
    }
}

/// Headers as [`Reader::headers`] gives them.
pub(super) fn headers_as_hex(headers: &[(Vec<u8>, Option<Vec<u8>>)]) -> String {
    let one = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| format!("{}={}", hex(Some(name)), hex(value.as_deref()));
    headers.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Bytes as [`Reader::hex`] gives them.
pub(super) fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn texts_of<R: Row>(rows: Vec<R>) -> Result<Vec<Vec<String>>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |row: &R, column: usize| -> Result<String, sqlx::Error> {
        Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_else(|| "null".to_owned()))
    };
    rows.iter().map(|row| (0..row.len()).map(|column| text(row, column)).collect()).collect()
}
