//! What the demo shows at its end.

use std::fmt::Write;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

/// Title and query of each table shown.
const TABLES: [(&str, &str); 3] = [
    (
        "sample rows",
        "SELECT id, at, severity, service, source_ip, source_name, team, message FROM events ORDER BY at DESC LIMIT 3",
    ),
    (
        "alerts",
        "SELECT rule, severity, count(*) AS alerts, max(summary) AS for_example FROM alerts GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5",
    ),
    (
        "dead letters",
        "SELECT stage, coalesce(plugin, sink, 'host') AS by, code, count(*) AS events, max(substr(reason, 1, 60)) AS for_example \
         FROM wasmill_dead_letters GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 20",
    ),
];

/// Sample rows, alerts and dead letters of the demo's database as text.
///
/// # Errors
/// When the database cannot be read.
pub async fn results(database: &Path) -> Result<String, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database).disable_statement_logging();
    let mut connection: SqliteConnection = options.connect().await?;
    let mut text = String::new();
    for (title, sql) in TABLES {
        let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
        let _ = writeln!(text, "\n{title}");
        for row in &rows {
            let cells: Vec<String> = (0..row.len()).map(|column| cell(row, column)).collect();
            let _ = writeln!(text, "  {}", cells.join(" | "));
        }
    }
    connection.close().await?;
    Ok(text)
}

fn cell(row: &SqliteRow, column: usize) -> String {
    if let Ok(text) = row.try_get::<Option<String>, _>(column) {
        return text.unwrap_or_default().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    }
    row.try_get::<i64, _>(column).map(|number| number.to_string()).unwrap_or_default()
}
