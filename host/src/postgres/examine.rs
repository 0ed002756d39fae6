//! What a start would find in a database, found out without changing anything.

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, query_scalar};

use crate::config::Secret;
use crate::store::{SinkSpec, StoreError};

use super::connection::Connections;
use super::errors::store_error;
use super::{grants, set_up};

/// A database in which the pipeline could begin, but for what it lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// `host:port/database`.
    pub address: String,
    /// Server and version.
    pub server: String,
    /// By how many seconds its clock is ahead of this machine's; what the question took is in doubt.
    pub ahead_seconds: f64,
    /// Rights that are missing, as statements that give them.
    pub lacking: Vec<String>,
}

/// Does all of a start in a transaction that is rolled back.
///
/// # Errors
/// As for a start; transient when the database is away.
pub async fn examine(url: &Secret, sinks: &[SinkSpec]) -> Result<Examined, StoreError> {
    let connections = Connections::new(url, 1)?;
    let mut connection = connections.connect().await?;
    let failed = |error: sqlx::Error| store_error("examine the database", &error);
    let ahead_seconds = ahead(&mut connection).await.map_err(failed)?;
    let server = server(&mut connection).await.map_err(failed)?;
    let mut transaction = connection.begin().await.map_err(failed)?;
    set_up(&mut transaction, sinks).await?;
    let lacking = grants::lacking(&mut transaction, sinks).await?;
    transaction.rollback().await.map_err(failed)?;
    Ok(Examined { address: connections.address(), server, ahead_seconds, lacking })
}

async fn server(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    const SERVER: &str = "SELECT 'PostgreSQL ' || current_setting('server_version')
        || coalesce((SELECT ', TimescaleDB ' || extversion FROM pg_extension WHERE extname = 'timescaledb'), '')";
    query_scalar(SERVER).fetch_one(connection).await
}

/// The answer is taken to be of the middle of the time that it took.
async fn ahead(connection: &mut PgConnection) -> Result<f64, sqlx::Error> {
    let before = seconds_now();
    let there: f64 = query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(connection).await?;
    Ok(there - f64::midpoint(before, seconds_now()))
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
