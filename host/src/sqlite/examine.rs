//! What a start would find in a database file, found out without changing anything.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::store::{SinkSpec, StoreError};

use super::error::{classify, on_open};
use super::{BUSY_TIMEOUT, schema};

/// Does all of a start in a transaction that is rolled back; where there is no file yet, in memory, and the file is only made
/// and removed. Answers whether it is there.
///
/// # Errors
/// As for a start.
pub async fn examine(path: &Path, sinks: Vec<SinkSpec>) -> Result<bool, StoreError> {
    let is_there = path.exists();
    let options = SqliteConnectOptions::new().busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    let options = if is_there { options.filename(path) } else { options.in_memory(true) };
    if !is_there {
        let made = std::fs::File::create_new(path).and_then(|_| std::fs::remove_file(path));
        made.map_err(|error| StoreError::Setup(format!("cannot make {}: {error}", path.display())))?;
    }
    let mut connection = options.connect().await.map_err(|error| on_open(path, &error))?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
    schema::prepare(&mut transaction, sinks).await?;
    transaction.rollback().await.map_err(classify)?;
    Ok(is_there)
}
