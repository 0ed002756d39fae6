//! What may be written under `sinks`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Passthrough, RawFile, RawHttp, RawNothing, duration_schema};
use crate::config::read::Ordered;
use crate::config::{ColumnType, Compression, From, OnDuplicate, StdoutFormat};

/// A sink: exactly one of `timescale`, `postgres`, `sqlite`, `kafka`, `http`, `file`, `stdout` and `discard`, and what goes there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["timescale"]}, {"required": ["postgres"]}, {"required": ["sqlite"]}, {"required": ["kafka"]},
    {"required": ["http"]}, {"required": ["file"]}, {"required": ["stdout"]}, {"required": ["discard"]}
]))]
pub(in crate::config) struct RawSink {
    /// A hypertable of TimescaleDB.
    pub(in crate::config) timescale: Option<RawTimescale>,
    /// A table of PostgreSQL.
    pub(in crate::config) postgres: Option<RawPostgres>,
    /// A table of an SQLite database.
    pub(in crate::config) sqlite: Option<RawSqlite>,
    /// Topics of a Kafka cluster.
    pub(in crate::config) kafka: Option<RawKafkaSink>,
    /// A webhook.
    pub(in crate::config) http: Option<RawHttp>,
    /// JSON lines appended to a file.
    pub(in crate::config) file: Option<RawFile>,
    /// Lines on standard output: `stdout: {}`.
    pub(in crate::config) stdout: Option<RawStdout>,
    /// Nowhere, for measurements: `discard: {}`.
    pub(in crate::config) discard: Option<RawNothing>,
    /// What the sink gets.
    #[serde(default)]
    pub(in crate::config) from: From,
    /// Only events for which this expression is true, such as `severity != "DEBUG"`.
    pub(in crate::config) when: Option<String>,
    /// How alerts live here, for `from: alerts`: the first of a rule and key is sent as `firing`, further ones are counted, and after
    /// silence one `resolved` has their count. Without it each alert is sent.
    #[serde(default)]
    pub(in crate::config) life: Option<RawLife>,
}

/// Standard output.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawStdout {
    /// How lines are written.
    #[serde(default)]
    #[schemars(extend("default" = "json"))]
    pub(in crate::config) format: StdoutFormat,
}

/// How alerts live at a sink, by processing time. What is sent has `life: { state, alert, count, first_at, last_at }` in it. What is open
/// is kept in home (`wasmill_open_alerts`) and survives a restart; without a home it is forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawLife {
    /// Silence after which an alert is resolved, 1s to 24h.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) resolved_after: String,
    /// How often an alert that goes on is sent again, as `repeated` with its count, 1s to 24h; by default never.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) repeat_every: Option<String>,
    /// Most alerts that are open. Beyond that every alert of another rule or key is sent as `firing`, and none is lost.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) open_max: u64,
}

impl Default for RawLife {
    fn default() -> Self {
        Self { resolved_after: "5m".to_owned(), repeat_every: None, open_max: 10_000 }
    }
}

/// A hypertable of TimescaleDB.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawTimescale {
    /// The database: `postgres://user:password@host:port/database`. The password is never shown.
    #[schemars(extend("writeOnly" = true))]
    pub(in crate::config) url: String,
    /// The table, with its schema if need be: `events` or `public.events`.
    pub(in crate::config) table: String,
    /// Whether to make the hypertable where it is missing; else it must be there.
    #[serde(default)]
    pub(in crate::config) create: bool,
    /// The column that cuts the hypertable into chunks. Needed with `create`.
    pub(in crate::config) time: Option<String>,
    /// Columns by name, and where their values come from.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) columns: Ordered<RawColumn>,
    /// The columns that tell one row from another, such as `[id]`. A table that is made gets them as its primary key, a
    /// hypertable's include its time.
    #[serde(default)]
    pub(in crate::config) key: Vec<String>,
    /// What becomes of a row whose key is there already: `reject` (the table decides; a dead letter where it forbids it),
    /// `ignore` (the old row stays) or `update` (the last one counts). The last two need `key`.
    #[serde(default)]
    #[schemars(extend("default" = "reject"))]
    pub(in crate::config) on_duplicate: OnDuplicate,
    /// Connections that write at the same time.
    #[serde(default = "writers")]
    #[schemars(range(min = 1, max = 16))]
    pub(in crate::config) writers: u64,
}

/// A table of PostgreSQL.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPostgres {
    /// The database: `postgres://user:password@host:port/database`. The password is never shown.
    #[schemars(extend("writeOnly" = true))]
    pub(in crate::config) url: String,
    /// The table, with its schema if need be: `events` or `public.events`.
    pub(in crate::config) table: String,
    /// Whether to make the table where it is missing; else it must be there.
    #[serde(default)]
    pub(in crate::config) create: bool,
    /// Columns by name, and where their values come from.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) columns: Ordered<RawColumn>,
    /// The columns that tell one row from another, such as `[id]`. A table that is made gets them as its primary key, a
    /// hypertable's include its time.
    #[serde(default)]
    pub(in crate::config) key: Vec<String>,
    /// What becomes of a row whose key is there already: `reject` (the table decides; a dead letter where it forbids it),
    /// `ignore` (the old row stays) or `update` (the last one counts). The last two need `key`.
    #[serde(default)]
    #[schemars(extend("default" = "reject"))]
    pub(in crate::config) on_duplicate: OnDuplicate,
    /// Connections that write at the same time.
    #[serde(default = "writers")]
    #[schemars(range(min = 1, max = 16))]
    pub(in crate::config) writers: u64,
}

/// A table of an SQLite database.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawSqlite {
    /// The database's file; made where it is missing.
    pub(in crate::config) path: String,
    /// The table.
    pub(in crate::config) table: String,
    /// Whether to make the table where it is missing; else it must be there.
    #[serde(default = "yes")]
    pub(in crate::config) create: bool,
    /// Columns by name, and where their values come from.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) columns: Ordered<RawColumn>,
    /// The columns that tell one row from another, such as `[id]`. A table that is made gets them as its primary key, a
    /// hypertable's include its time.
    #[serde(default)]
    pub(in crate::config) key: Vec<String>,
    /// What becomes of a row whose key is there already: `reject` (the table decides; a dead letter where it forbids it),
    /// `ignore` (the old row stays) or `update` (the last one counts). The last two need `key`.
    #[serde(default)]
    #[schemars(extend("default" = "reject"))]
    pub(in crate::config) on_duplicate: OnDuplicate,
}

/// Topics of a Kafka cluster. A message is the event after enrichment, with its own headers and `wasmill-origin`
/// (`cluster/topic/topic-id/partition/offset`), by which a consumer can tell a repeat; an alert has `wasmill-alert-id` too,
/// and an event that passed plugins by, because their breakers were open, `wasmill-skipped` with their names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawKafkaSink {
    /// Brokers to begin with: `host:port`, joined by commas.
    pub(in crate::config) brokers: String,
    /// The topic, which must be there; or a template such as `logs-{env}` with fields' paths in braces, which needs `topics`.
    pub(in crate::config) topic: String,
    /// What a template may become, 1 to 100 topics, which must be there. An event of another is rejected with the code
    /// `bad_topic`.
    #[serde(default)]
    pub(in crate::config) topics: Vec<String>,
    /// The messages' key: a field's path, or `$key`, the event's own (the alert's key). Equal keys go to one partition, the
    /// same that Java clients choose.
    #[serde(default = "own_key")]
    pub(in crate::config) key: String,
    /// How batches are compressed.
    #[serde(default)]
    #[schemars(extend("default" = "lz4"))]
    pub(in crate::config) compression: Compression,
    /// Further settings by librdkafka's names, such as `security.protocol`, `sasl.username` or `partitioner`. Their
    /// values are never shown.
    #[serde(default)]
    pub(in crate::config) options: Ordered<Passthrough>,
}

/// A topic for dead letters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawKafkaLetters {
    /// Brokers to begin with: `host:port`, joined by commas.
    pub(in crate::config) brokers: String,
    /// The topic, which must be there.
    pub(in crate::config) topic: String,
    /// How batches are compressed.
    #[serde(default)]
    #[schemars(extend("default" = "lz4"))]
    pub(in crate::config) compression: Compression,
    /// Further librdkafka settings, as for a sink. Their values are never shown.
    #[serde(default)]
    pub(in crate::config) options: Ordered<Passthrough>,
}

/// Where a column's value comes from: `id: source.id`, or `id: { from: source.id, type: bigint }`.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum RawColumn {
    /// The source alone.
    Short(String),
    /// Source and type.
    Full(RawFullColumn),
}

/// A column with a type.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawFullColumn {
    /// A field's path such as `source.ip`; or `$raw` (the payload as it came), `$payload` (after enrichment), `$key`,
    /// `$topic`, `$partition`, `$offset`, `$timestamp`, `$headers.NAME`, `$digest` (of the plugins that ran),
    /// `$skipped` (the names of the plugins that the event passed by, because their breakers were open; null where there is none).
    pub(in crate::config) from: String,
    /// The column's type. By default as the table has it; where the table is made, text, or what suits the `$` word.
    #[serde(rename = "type")]
    pub(in crate::config) column_type: Option<ColumnType>,
}

/// What the SQL sinks have in common.
pub(in crate::config) struct RawTable<'r> {
    /// Whether the database tells `ID` from `id`.
    pub(in crate::config) case_sensitive: bool,
    pub(in crate::config) name: &'r str,
    pub(in crate::config) create: bool,
    pub(in crate::config) time: Option<&'r str>,
    pub(in crate::config) columns: &'r Ordered<RawColumn>,
    pub(in crate::config) key: &'r [String],
    pub(in crate::config) on_duplicate: OnDuplicate,
}

impl RawTimescale {
    pub(in crate::config) fn table(&self) -> RawTable<'_> {
        RawTable {
            case_sensitive: true,
            name: &self.table,
            create: self.create,
            time: self.time.as_deref(),
            columns: &self.columns,
            key: &self.key,
            on_duplicate: self.on_duplicate,
        }
    }
}

impl RawPostgres {
    pub(in crate::config) fn table(&self) -> RawTable<'_> {
        RawTable {
            case_sensitive: true,
            name: &self.table,
            create: self.create,
            time: None,
            columns: &self.columns,
            key: &self.key,
            on_duplicate: self.on_duplicate,
        }
    }
}

impl RawSqlite {
    pub(in crate::config) fn table(&self) -> RawTable<'_> {
        RawTable {
            case_sensitive: false,
            name: &self.table,
            create: self.create,
            time: None,
            columns: &self.columns,
            key: &self.key,
            on_duplicate: self.on_duplicate,
        }
    }
}

impl RawColumn {
    pub(in crate::config) fn parts(&self) -> (&str, Option<ColumnType>) {
        match self {
            Self::Short(from) => (from, None),
            Self::Full(full) => (&full.from, full.column_type),
        }
    }
}

fn writers() -> u64 {
    2
}

fn own_key() -> String {
    "$key".to_owned()
}

fn yes() -> bool {
    true
}
