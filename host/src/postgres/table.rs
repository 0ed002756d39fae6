//! A sink's table: made, or checked against the configuration.

use std::fmt::Write as _;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Executor, Row, query};

use crate::columns::{TypedColumn, type_name};
use crate::config::{ColumnConfig, ColumnType, Identifier, OnDuplicate, TableConfig, ValueFrom, quoted_name};
use crate::store::StoreError;
use crate::upsert::{list, primary_key};

use super::errors::{making_error, store_error};

/// A table as the database has it.
#[derive(Clone, Debug)]
pub(super) struct FoundTable {
    pub(super) columns: Vec<TypedColumn>,
    /// By column: whether it is jsonb, and not json.
    pub(super) jsonb: Vec<bool>,
    /// The mapped timestamptz column that partitions the hypertable, if it is one.
    pub(super) time_column: Option<usize>,
    /// Whether a row may be put in and taken out again unseen: no triggers, and the right to delete.
    pub(super) can_try_rows: bool,
}

/// Makes the table if the configuration says so and it is not there, and checks it. The caller holds the set-up lock.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    sink: &str,
    config: &TableConfig,
    hypertable: bool,
) -> Result<FoundTable, StoreError> {
    let failed = |error: sqlx::Error| store_error(&format!("look at table {} of sink \"{sink}\"", config.name), &error);
    let has_timescale = has_timescale(connection).await.map_err(failed)?;
    if hypertable && !has_timescale {
        return Err(StoreError::Setup(format!(
            "sink \"{sink}\" is timescale, but the database has no such extension; run CREATE EXTENSION timescaledb; \
             or write postgres instead of timescale for a plain table"
        )));
    }
    if facts(connection, config).await.map_err(failed)?.is_none() {
        make(connection, sink, config, hypertable).await?;
    }
    let facts =
        facts(connection, config).await.map_err(failed)?.ok_or_else(|| missing_table(sink, config, hypertable))?;
    let found = columns(connection, config).await.map_err(failed)?;
    let unique = match config.on_duplicate {
        OnDuplicate::Reject => true,
        OnDuplicate::Ignore | OnDuplicate::Update => is_unique(connection, config).await.map_err(failed)?,
    };
    let time = if has_timescale { time_dimension(connection, config).await.map_err(failed)? } else { None };
    let facts = Facts { unique, ..facts };
    check(sink, config, hypertable, facts, &found, time.as_deref())
}

/// The table's definition by the configuration.
pub(super) fn definition(config: &TableConfig, hypertable: bool) -> String {
    statements(config, hypertable, Unless::Never)
}

/// The same, for a database that may have the table.
pub(super) fn definition_where_missing(config: &TableConfig, hypertable: bool) -> String {
    statements(config, hypertable, Unless::There)
}

/// When a table is not made.
#[derive(Clone, Copy)]
enum Unless {
    Never,
    There,
}

fn statements(config: &TableConfig, hypertable: bool, unless: Unless) -> String {
    let (if_missing, or_leave) = match unless {
        Unless::Never => ("", ""),
        Unless::There => ("IF NOT EXISTS ", ", if_not_exists => true"),
    };
    let mut sql = format!("CREATE TABLE {if_missing}{} (", config.name);
    for (n, column) in config.columns.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let not_null = if config.time.as_ref() == Some(&column.name) { " NOT NULL" } else { "" };
        let _ = write!(sql, "{comma}{} {}{not_null}", column.name, type_name(wanted_type(column)));
    }
    sql.push_str(&primary_key(config));
    sql.push_str(");");
    if let (true, Some(time)) = (hypertable, &config.time) {
        let _ = write!(sql, " {};", hypertable_call(config, time.as_str(), or_leave));
    }
    sql
}

fn hypertable_call(config: &TableConfig, time: &str, options: &str) -> String {
    format!("SELECT create_hypertable({}, {}{options})", literal(&config.name.to_string()), literal(time))
}

/// `text` as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

async fn make(
    connection: &mut PgConnection,
    sink: &str,
    config: &TableConfig,
    hypertable: bool,
) -> Result<(), StoreError> {
    if !config.create {
        return Err(missing_table(sink, config, hypertable));
    }
    if hypertable && config.time.is_none() {
        return Err(StoreError::Setup(format!(
            "sink \"{sink}\": a hypertable needs a time column; set `time` to the name of a timestamptz column"
        )));
    }
    let made = connection.execute(definition(config, hypertable).as_str()).await;
    made.map_err(|error| making_error(&format!("make table {} of sink \"{sink}\"", config.name), &error))?;
    Ok(())
}

fn missing_table(sink: &str, config: &TableConfig, hypertable: bool) -> StoreError {
    StoreError::Setup(format!(
        "sink \"{sink}\": there is no table {}; set `create: true`, or run {}",
        config.name,
        definition(config, hypertable)
    ))
}

async fn has_timescale(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
        .fetch_one(connection)
        .await
}

/// What is known about the table as a whole.
#[derive(Clone, Copy)]
struct Facts {
    is_table: bool,
    can_insert: bool,
    can_try_rows: bool,
    /// Whether the key is unique, where that matters.
    unique: bool,
}

async fn facts(connection: &mut PgConnection, config: &TableConfig) -> Result<Option<Facts>, sqlx::Error> {
    const FACTS: &str = "
        SELECT c.relkind::text IN ('r', 'p') AS is_table,
               has_any_column_privilege(c.oid, 'INSERT') AS can_insert,
               has_table_privilege(c.oid, 'DELETE') AND has_table_privilege(c.oid, 'SELECT')
                   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
                                   AND t.tgname <> 'ts_insert_blocker') AS can_try_rows
        FROM pg_class c WHERE c.oid = to_regclass($1)";
    let row = query(FACTS).bind(config.name.to_string()).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(Facts {
            is_table: row.try_get("is_table")?,
            can_insert: row.try_get("can_insert")?,
            can_try_rows: row.try_get("can_try_rows")?,
            unique: true,
        })
    })
    .transpose()
}

/// Whether an index that is unique, whole, checked at once and of columns alone has the key's columns and no other.
async fn is_unique(connection: &mut PgConnection, config: &TableConfig) -> Result<bool, sqlx::Error> {
    const UNIQUE: &str = "
        SELECT EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indimmediate AND i.indisvalid
              AND i.indpred IS NULL AND i.indexprs IS NULL
              AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text)
                   FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k JOIN pg_attribute a
                     ON a.attrelid = i.indrelid AND a.attnum = k)
                  = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) AS name))";
    let key: Vec<&str> = config.key.iter().map(Identifier::as_str).collect();
    sqlx::query_scalar(UNIQUE).bind(config.name.to_string()).bind(key).fetch_one(connection).await
}

/// A column as the database has it.
struct FoundColumn {
    name: String,
    /// The name of its type, or of the type that its domain is made of.
    base_type: String,
    /// The type as people write it.
    shown_type: String,
    not_null: bool,
    fills_itself: bool,
    is_generated: bool,
    length_max: Option<i32>,
}

async fn columns(connection: &mut PgConnection, config: &TableConfig) -> Result<Vec<FoundColumn>, sqlx::Error> {
    const COLUMNS: &str = "
        SELECT a.attname::text, b.typname::text AS base_type, format_type(a.atttypid, a.atttypmod) AS shown_type,
               a.attnotnull, a.atthasdef OR a.attidentity <> '' AS fills_itself, a.attgenerated <> '' AS is_generated,
               CASE WHEN b.typname IN ('varchar', 'bpchar')
                    THEN nullif(CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, -1) - 4
               END AS length_max
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
        WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum";
    let rows = query(COLUMNS).bind(config.name.to_string()).fetch_all(connection).await?;
    let column = |row: &PgRow| {
        Ok(FoundColumn {
            name: row.try_get("attname")?,
            base_type: row.try_get("base_type")?,
            shown_type: row.try_get("shown_type")?,
            not_null: row.try_get("attnotnull")?,
            fills_itself: row.try_get("fills_itself")?,
            is_generated: row.try_get("is_generated")?,
            length_max: row.try_get("length_max")?,
        })
    };
    rows.iter().map(column).collect()
}

/// The column by which the hypertable is cut into chunks of time; `None` for a plain table.
async fn time_dimension(connection: &mut PgConnection, config: &TableConfig) -> Result<Option<String>, sqlx::Error> {
    const DIMENSION: &str = "
        SELECT column_name::text FROM timescaledb_information.dimensions
        WHERE dimension_number = 1
          AND to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = to_regclass($1)";
    sqlx::query_scalar(DIMENSION).bind(config.name.to_string()).fetch_optional(connection).await
}

fn check(
    sink: &str,
    config: &TableConfig,
    hypertable: bool,
    facts: Facts,
    found: &[FoundColumn],
    time: Option<&str>,
) -> Result<FoundTable, StoreError> {
    let mut faults = Vec::new();
    if !facts.is_table {
        faults.push("it is no table; rows can only be copied into a table".to_owned());
    }
    if !facts.can_insert {
        faults.push(format!(
            "the user of the sink's url may not write to it; run GRANT INSERT ON {} TO that user",
            config.name
        ));
    }
    if !facts.unique {
        let key = list(&config.key);
        faults
            .push(format!("nothing says that ({key}) is unique; run CREATE UNIQUE INDEX ON {} ({key});", config.name));
    }
    check_time(config, hypertable, time, &mut faults);
    check_unmapped(config, found, &mut faults);
    let mut table =
        FoundTable { columns: Vec::new(), jsonb: Vec::new(), time_column: None, can_try_rows: facts.can_try_rows };
    for wanted in &config.columns {
        match checked_column(config, wanted, found, time) {
            Ok((typed, jsonb)) => {
                if typed.is_time {
                    table.time_column = Some(table.columns.len());
                }
                table.columns.push(typed);
                table.jsonb.push(jsonb);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        return Ok(table);
    }
    Err(StoreError::Setup(format!("table {} does not fit sink \"{sink}\": {}", config.name, faults.join("; "))))
}

fn check_time(config: &TableConfig, hypertable: bool, found: Option<&str>, faults: &mut Vec<String>) {
    match (found, &config.time) {
        (None, Some(time)) if hypertable => faults.push(format!(
            "it is no hypertable; run {}, or write postgres instead of timescale",
            hypertable_call(config, time.as_str(), ", migrate_data => true")
        )),
        (None, None) if hypertable => {
            faults.push("it is no hypertable; write postgres instead of timescale for a plain table".into());
        }
        (Some(found), Some(time)) if found != time.as_str() => {
            faults.push(format!("the hypertable's time column is \"{found}\", not {time}; correct `time`"));
        }
        _ => {}
    }
}

/// Columns that the configuration does not fill must fill themselves or take null.
fn check_unmapped(config: &TableConfig, found: &[FoundColumn], faults: &mut Vec<String>) {
    let is_mapped = |name: &str| config.columns.iter().any(|column| column.name.as_str() == name);
    for column in found.iter().filter(|column| column.not_null && !column.fills_itself && !is_mapped(&column.name)) {
        let name = quoted_name(&column.name);
        faults.push(format!(
            "column {name} is NOT NULL and nothing fills it; map it, or run ALTER TABLE {} ALTER COLUMN {name} DROP NOT NULL;",
            config.name
        ));
    }
}

/// The column with the table's type, and whether that is jsonb.
fn checked_column(
    config: &TableConfig,
    wanted: &ColumnConfig,
    found: &[FoundColumn],
    time: Option<&str>,
) -> Result<(TypedColumn, bool), String> {
    let (table, name) = (&config.name, &wanted.name);
    let Some(found) = found.iter().find(|column| column.name == name.as_str()) else {
        let wanted = type_name(wanted_type(wanted));
        return Err(format!("it has no column {name}; run ALTER TABLE {table} ADD COLUMN {name} {wanted};"));
    };
    if found.is_generated {
        return Err(format!("column {name} is computed by the database; take it out of `columns`"));
    }
    let to = type_name(wanted_type(wanted));
    let shown = &found.shown_type;
    let alter = || format!("run ALTER TABLE {table} ALTER COLUMN {name} TYPE {to} USING {name}::{to};");
    let column_type = type_of(&found.base_type)
        .ok_or_else(|| format!("column {name} is {shown}, which cannot be filled; {}", alter()))?;
    if let Some(configured) = wanted.column_type.filter(|configured| *configured != column_type) {
        return Err(format!(
            "column {name} is {shown}, the configuration says {}; {} or correct the configuration",
            type_name(configured),
            alter()
        ));
    }
    let typed = TypedColumn {
        name: name.clone(),
        from: wanted.from.clone(),
        column_type,
        nullable: !found.not_null,
        length_max: found.length_max.and_then(|length| u32::try_from(length).ok()),
        is_time: time == Some(name.as_str()) && column_type == ColumnType::TimestampTz,
    };
    Ok((typed, found.base_type == "jsonb"))
}

/// The type by its name in the catalogue; `None` for types that are not filled.
fn type_of(name: &str) -> Option<ColumnType> {
    Some(match name {
        "text" | "varchar" | "bpchar" | "citext" => ColumnType::Text,
        "int2" => ColumnType::SmallInt,
        "int4" => ColumnType::Integer,
        "int8" => ColumnType::BigInt,
        "float4" => ColumnType::Real,
        "float8" => ColumnType::Double,
        "bool" => ColumnType::Boolean,
        "timestamptz" => ColumnType::TimestampTz,
        "uuid" => ColumnType::Uuid,
        "inet" => ColumnType::Inet,
        "jsonb" | "json" => ColumnType::Jsonb,
        "bytea" => ColumnType::Bytea,
        "_text" => ColumnType::TextArray,
        _ => return None,
    })
}

/// The type that a column is made with.
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
