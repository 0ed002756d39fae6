//! The tables: wasmill's own, and those of the sinks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::error::classify;
use crate::columns::TypedColumn;
use crate::config::{
    ColumnConfig, ColumnType, Identifier, OnDuplicate, TableConfig, TableName, ValueFrom, quoted_name,
};
use crate::store::{SinkSpec, StoreError};
use crate::upsert::{list, on_conflict, primary_key};

const OWN_TABLES: &str = "
CREATE TABLE IF NOT EXISTS wasmill_ledger (
    pipeline TEXT NOT NULL, sink TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    generation TEXT, updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (pipeline, sink, source, cluster, topic, topic_id, partition)
);
CREATE TABLE IF NOT EXISTS wasmill_gaps (
    pipeline TEXT NOT NULL, sink TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    accepted_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE TABLE IF NOT EXISTS wasmill_dead_letters (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, \"offset\" INTEGER NOT NULL, timestamp_ns INTEGER NOT NULL,
    stage TEXT NOT NULL, plugin TEXT, plugin_version TEXT, plugin_digest TEXT, sink TEXT, code TEXT NOT NULL,
    reason TEXT NOT NULL, rejected_at_us INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    key BLOB, payload BLOB, headers TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS wasmill_dead_letters_by_age ON wasmill_dead_letters (pipeline, rejected_at_us);
CREATE TABLE IF NOT EXISTS wasmill_letter_states (
    letter INTEGER PRIMARY KEY, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    changed_at_us INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    stage TEXT, plugin TEXT, plugin_version TEXT, plugin_digest TEXT, code TEXT, reason TEXT, generation TEXT, note TEXT
);
-- Ids of letters are used again.
CREATE TRIGGER IF NOT EXISTS wasmill_letter_states_go AFTER DELETE ON wasmill_dead_letters
    BEGIN DELETE FROM wasmill_letter_states WHERE letter = old.id; END;
CREATE TABLE IF NOT EXISTS wasmill_replayed (
    pipeline TEXT NOT NULL, identity TEXT NOT NULL, replayed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (pipeline, identity)
);
CREATE INDEX IF NOT EXISTS wasmill_replayed_by_age ON wasmill_replayed (pipeline, replayed_at);
CREATE TABLE IF NOT EXISTS wasmill_relays (
    pipeline TEXT NOT NULL, destination TEXT NOT NULL, last_id INTEGER NOT NULL, PRIMARY KEY (pipeline, destination)
);
CREATE TABLE IF NOT EXISTS wasmill_commits (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    generation TEXT NOT NULL, config TEXT NOT NULL, engine TEXT NOT NULL,
    committed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX IF NOT EXISTS wasmill_commits_by_offset ON wasmill_commits (pipeline, topic, topic_id, partition, next_offset);
CREATE TABLE IF NOT EXISTS wasmill_answers (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, lookup TEXT NOT NULL,
    address TEXT NOT NULL, answer TEXT, recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX IF NOT EXISTS wasmill_answers_by_address
    ON wasmill_answers (pipeline, source, cluster, topic, topic_id, partition, lookup, address, id);
CREATE INDEX IF NOT EXISTS wasmill_answers_by_age ON wasmill_answers (pipeline, recorded_at);
CREATE TABLE IF NOT EXISTS wasmill_open_alerts (
    pipeline TEXT NOT NULL, sink TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL,
    topic TEXT NOT NULL, topic_id TEXT NOT NULL, partition INTEGER NOT NULL, \"offset\" INTEGER NOT NULL,
    timestamp_ns INTEGER NOT NULL, alert BLOB NOT NULL, count INTEGER NOT NULL, last_at TEXT NOT NULL,
    PRIMARY KEY (pipeline, sink, id)
);
CREATE TABLE IF NOT EXISTS wasmill_states (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, plugin TEXT NOT NULL, version INTEGER NOT NULL, clock INTEGER,
    doubted INTEGER, UNIQUE (pipeline, source, cluster, topic, topic_id, partition, plugin)
);
CREATE TABLE IF NOT EXISTS wasmill_state (
    state INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires INTEGER NOT NULL, wake INTEGER NOT NULL,
    \"offset\" INTEGER NOT NULL, PRIMARY KEY (state, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wasmill_generations (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, generation TEXT NOT NULL, plugins TEXT NOT NULL,
    served_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX IF NOT EXISTS wasmill_generations_by_pipeline ON wasmill_generations (pipeline, id);
CREATE TABLE IF NOT EXISTS wasmill_skipped (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, source TEXT NOT NULL, cluster TEXT NOT NULL, topic TEXT NOT NULL,
    topic_id TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    plugin TEXT NOT NULL, plugin_digest TEXT NOT NULL, recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX IF NOT EXISTS wasmill_skipped_by_offset ON wasmill_skipped (pipeline, topic, topic_id, partition, next_offset);
CREATE TABLE IF NOT EXISTS wasmill_plugins (
    digest TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, file BLOB NOT NULL,
    archived_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);";

/// A sink's table, found or made.
#[derive(Clone, Debug)]
pub struct SqliteTable {
    /// The sink's index in the pipeline.
    pub index: usize,
    /// The sink's name.
    pub sink: Arc<str>,
    /// The table.
    pub name: TableName,
    /// Its columns that are written.
    pub columns: Vec<TypedColumn>,
    /// What stands behind an INSERT's values.
    on_conflict: String,
}

/// Makes wasmill's own tables and the sinks' where they ask for it; checks the others.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    sinks: Vec<SinkSpec>,
) -> Result<Vec<SqliteTable>, StoreError> {
    sqlx::raw_sql(OWN_TABLES).execute(&mut *connection).await.map_err(classify)?;
    let mut tables = Vec::with_capacity(sinks.len());
    for sink in sinks {
        if sink.table.create {
            sqlx::raw_sql(&create_table(&sink.table)).execute(&mut *connection).await.map_err(classify)?;
        }
        let found = columns_of(connection, &sink.table.name).await?;
        let unique = match sink.table.on_duplicate {
            OnDuplicate::Reject => true,
            OnDuplicate::Ignore | OnDuplicate::Update => is_unique(connection, &sink.table).await?,
        };
        tables.push(check(sink, &found, unique)?);
    }
    Ok(tables)
}

fn create_table(table: &TableConfig) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", column.name, sql_type(wanted_type(column)))).collect();
    format!("CREATE TABLE IF NOT EXISTS {} ({}{})", table.name, columns.join(", "), primary_key(table))
}

/// The type that a column has where the file does not say: see [`ColumnConfig::column_type`].
fn wanted_type(column: &ColumnConfig) -> ColumnType {
    column.column_type.unwrap_or(match column.from {
        ValueFrom::Raw | ValueFrom::Payload => ColumnType::Jsonb,
        ValueFrom::Offset => ColumnType::BigInt,
        ValueFrom::Partition => ColumnType::Integer,
        ValueFrom::Timestamp => ColumnType::TimestampTz,
        ValueFrom::Key => ColumnType::Bytea,
        ValueFrom::Skipped => ColumnType::TextArray,
        ValueFrom::Path(_) | ValueFrom::Topic | ValueFrom::Header(_) | ValueFrom::Digest => ColumnType::Text,
    })
}

fn sql_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt | ColumnType::Boolean => "INTEGER",
        ColumnType::Real | ColumnType::Double => "REAL",
        ColumnType::Bytea => "BLOB",
        ColumnType::Text
        | ColumnType::TimestampTz
        | ColumnType::Uuid
        | ColumnType::Inet
        | ColumnType::Jsonb
        | ColumnType::TextArray => "TEXT",
    }
}

/// Name (lower case, as SQLite compares them) → whether null is allowed and whether there is a default.
type Found = BTreeMap<String, (bool, bool)>;

async fn columns_of(connection: &mut SqliteConnection, name: &TableName) -> Result<Found, StoreError> {
    let sql = "SELECT name, \"notnull\", dflt_value IS NOT NULL AS has_default, pk FROM pragma_table_info(?)";
    let rows = sqlx::query(sql).bind(name.table.as_str()).fetch_all(connection).await.map_err(classify)?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get("name")?;
            let not_null: bool = row.try_get("notnull")?;
            let has_default: bool = row.try_get("has_default")?;
            let key: i64 = row.try_get("pk")?;
            Ok((name.to_lowercase(), (!not_null, has_default || key > 0)))
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(classify)
}

/// Whether an index that is unique, whole and of columns alone has the key's columns and no other.
async fn is_unique(connection: &mut SqliteConnection, table: &TableConfig) -> Result<bool, StoreError> {
    const UNIQUE: &str = "
        SELECT list.name, info.name AS column FROM pragma_index_list(?1) AS list JOIN pragma_index_info(list.name) AS info
        WHERE list.\"unique\" = 1 AND list.partial = 0
        UNION ALL
        SELECT 'rowid', name FROM pragma_table_info(?1)
        WHERE pk > 0 AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1 AND upper(type) = 'INTEGER'";
    let rows = sqlx::query(UNIQUE).bind(table.name.table.as_str()).fetch_all(connection).await.map_err(classify)?;
    let mut indices: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        let name = row.try_get("name").map_err(classify)?;
        // An expression has no name; the index is of more than columns then.
        let column: Option<String> = row.try_get("column").map_err(classify)?;
        indices.entry(name).or_default().insert(column.unwrap_or_default().to_lowercase());
    }
    let key: BTreeSet<String> = table.key.iter().map(|name| name.as_str().to_lowercase()).collect();
    Ok(indices.values().any(|columns| *columns == key))
}

fn check(sink: SinkSpec, found: &Found, unique: bool) -> Result<SqliteTable, StoreError> {
    let SinkSpec { index, name: sink, table, .. } = sink;
    let setup = |text: String| Err(StoreError::Setup(format!("sink {sink}: {text}")));
    if found.is_empty() {
        return setup(format!(
            "the table {} does not exist; set `create: true`, or run: {}",
            table.name,
            create_table(&table)
        ));
    }
    if !unique {
        let (name, key) = (&table.name, list(&table.key));
        return setup(format!(
            "nothing in the table {name} says that ({key}) is unique; run: CREATE UNIQUE INDEX {} ON {name} ({key})",
            quoted_name(&format!("{}_key", name.table.as_str()))
        ));
    }
    let mut columns = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        let wanted = wanted_type(&column);
        let Some((nullable, _)) = found.get(&column.name.as_str().to_lowercase()) else {
            let (table, name, wanted) = (&table.name, &column.name, sql_type(wanted));
            return setup(format!(
                "the table {table} has no column {name}; run: ALTER TABLE {table} ADD COLUMN {name} {wanted}"
            ));
        };
        columns.push(TypedColumn {
            name: column.name,
            from: column.from,
            column_type: wanted,
            nullable: *nullable,
            length_max: None,
            is_time: false,
        });
    }
    let written = |name: &str| columns.iter().any(|column| column.name.as_str().eq_ignore_ascii_case(name));
    let unwritten = found.iter().find(|(name, (nullable, has_default))| !nullable && !has_default && !written(name));
    if let Some((name, _)) = unwritten {
        return setup(format!(
            "the table {} has the column \"{name}\", which is NOT NULL without a default; add it to `columns`",
            table.name
        ));
    }
    let names = columns.iter().map(|column| &column.name);
    let on_conflict = on_conflict(&table.key, table.on_duplicate, names).unwrap_or_default();
    Ok(SqliteTable { index, sink, name: table.name, columns, on_conflict })
}

impl SqliteTable {
    /// `INSERT INTO t (a, b) VALUES (?, ?), ...` for `rows` rows.
    pub(super) fn insert(&self, rows: usize) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.to_string()).collect();
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row; rows].join(", ");
        format!("INSERT INTO {} ({}) VALUES {rows}{}", table_only(&self.name), names.join(", "), self.on_conflict)
    }
}

/// SQLite's schemas are attached databases; a schema in the file names none of ours.
fn table_only(name: &TableName) -> &Identifier {
    &name.table
}
