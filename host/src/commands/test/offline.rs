//! A pipeline without the world: its events from a fixture, its sinks in a folder.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Column, ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::watch;
use wasmill_core::EventTime;

use super::Results;
use crate::config::{
    Config, DeadLetterConfig, From, HomeConfig, SinkConfig, SinkKind, SourceConfig, TableConfig, TableName,
};
use crate::pipeline::{self, RunEnd, RunOptions, SetupError};

/// What dead letters are called beside the sinks.
pub(super) const DEAD_LETTERS: &str = "dead_letters";
/// The field that has an event's time where the pipeline takes that of Kafka's records.
const EVENT_TIME: &str = "timestamp";

/// What came of the events, by sink; or, as the inner error, why the pipeline does not run.
///
/// # Errors
/// When files cannot be written or read.
pub(super) async fn run(config: &Config, events: &[Value]) -> anyhow::Result<Result<Results, String>> {
    let folder = tempfile::tempdir().context("there is no place for temporary files")?;
    let folder = folder.path();
    let mut lines = String::new();
    let mut starts = Vec::new();
    for event in events {
        starts.push(lines.len());
        // A text is a line as it is.
        let line = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        let _ = writeln!(lines, "{}", line.replace('\n', " "));
    }
    fs::write(folder.join("events"), lines).context("the events cannot be written")?;
    let config = offline(config, folder);
    let sinks = config.sinks.clone();
    // Nobody asks it to stop: it ends with the events.
    let (_stop, stopped) = watch::channel(false);
    match pipeline::run(config, RunOptions { until_end: true }, stopped, |_| ()).await {
        Ok((RunEnd::Clean, _)) => {}
        Ok((RunEnd::Stuck(reason), _)) | Err(SetupError::Wrong(reason)) => return Ok(Err(reason)),
        Ok((RunEnd::Abandoned, _)) | Err(SetupError::Interrupted) => return Ok(Err("it was interrupted".to_owned())),
    }
    let mut results = Results::new();
    for sink in &sinks {
        results.push((sink.name.clone(), rows(sink).await?));
    }
    results.push((DEAD_LETTERS.to_owned(), dead_letters(&folder.join("home.db"), &starts).await?));
    Ok(Ok(results))
}

/// The same pipeline with everything that is outside of it in `folder`.
fn offline(config: &Config, folder: &Path) -> Config {
    let mut config = config.clone();
    config.source = SourceConfig::File { path: folder.join("events") };
    if let (EventTime::Record, Ok(path)) = (&config.event_time, EVENT_TIME.parse()) {
        config.event_time = EventTime::Field(path);
    }
    // Dead letters are read from home.
    config.sinks.retain(|sink| sink.from != From::DeadLetters);
    for (n, sink) in config.sinks.iter_mut().enumerate() {
        sink.kind = match &sink.kind {
            SinkKind::Postgres { table, .. } | SinkKind::Sqlite { table, .. } => {
                SinkKind::Sqlite { path: folder.join(format!("{n}.db")), table: own(table) }
            }
            _ => SinkKind::File { path: folder.join(format!("{n}.jsonl")) },
        };
    }
    config.home = HomeConfig::Sqlite(folder.join("home.db"));
    config.dead_letters = DeadLetterConfig::default();
    config.reverse_dns.fake = true;
    config.admin = None;
    config
}

/// The same table, made for the run.
fn own(table: &TableConfig) -> TableConfig {
    let name = TableName { schema: None, table: table.name.table.clone() };
    TableConfig { name, create: true, ..table.clone() }
}

/// What a sink got, in its order.
async fn rows(sink: &SinkConfig) -> anyhow::Result<Vec<Value>> {
    match &sink.kind {
        SinkKind::Sqlite { path, table } => {
            let rows = select(path, &format!("SELECT * FROM {} ORDER BY rowid", table.name)).await?;
            Ok(rows.iter().map(object).collect())
        }
        SinkKind::File { path } => {
            let text = fs::read_to_string(path).unwrap_or_default();
            Ok(text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!(line))).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Dead letters, each with the number of its event, from 0 on.
async fn dead_letters(home: &Path, starts: &[usize]) -> anyhow::Result<Vec<Value>> {
    let columns = "\"offset\", stage, plugin, sink, code, reason";
    let rows = select(home, &format!("SELECT {columns} FROM wasmill_dead_letters ORDER BY \"offset\", id")).await?;
    let told = rows.iter().map(|row| {
        let mut letter = object(row);
        let offset = letter["offset"].as_u64();
        let event = starts.iter().position(|start| Some(*start as u64) == offset);
        if let Some(columns) = letter.as_object_mut() {
            columns.remove("offset");
            columns.insert("event".to_owned(), json!(event));
        }
        letter
    });
    Ok(told.collect())
}

async fn select(database: &Path, sql: &str) -> anyhow::Result<Vec<SqliteRow>> {
    let options = SqliteConnectOptions::new().filename(database).disable_statement_logging();
    let mut connection: SqliteConnection = options.connect().await.context("the rows cannot be read")?;
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.context("the rows cannot be read")?;
    connection.close().await?;
    Ok(rows)
}

fn object(row: &SqliteRow) -> Value {
    let columns = row.columns().iter().enumerate();
    Value::Object(columns.map(|(n, column)| (column.name().to_owned(), cell(row, n))).collect::<Map<_, _>>())
}

fn cell(row: &SqliteRow, column: usize) -> Value {
    if let Ok(text) = row.try_get::<Option<String>, _>(column) {
        return json!(text);
    }
    if let Ok(number) = row.try_get::<i64, _>(column) {
        return json!(number);
    }
    if let Ok(number) = row.try_get::<f64, _>(column) {
        return json!(number);
    }
    json!(row.try_get::<Vec<u8>, _>(column).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok())
}
