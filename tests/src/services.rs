//! How a test reaches a real service.
//!
//! `cargo xtask test` starts Kafka and TimescaleDB and gives their addresses in the environment. Tests share these two,
//! so each works on a topic and a database of its own. A test that kills its server starts one of its own:
//! [`own_kafka`], [`own_timescale`]. Where a service is missing, a test says so loudly and is over; with `CI=true` it
//! fails.

use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::services::{self, DATABASE_URL, Dns, KAFKA_BROKERS, Kafka, Timescale, TimescaleRecipe};
use xtask::skip::skip;

/// The bootstrap servers of the shared Kafka, or `None` after a loud line.
///
/// # Panics
/// When there is none and `CI=true`, or when it is given and does not answer.
pub fn kafka() -> Option<String> {
    shared("Kafka", KAFKA_BROKERS)
}

/// The URL of the shared TimescaleDB, or `None` after a loud line. Tests use a [`Database`] of their own in it.
///
/// # Panics
/// When there is none and `CI=true`, or when it is given and does not answer.
pub fn timescale() -> Option<String> {
    shared("TimescaleDB", DATABASE_URL)
}

/// A Kafka broker of the test's own, which it may kill and restart, or `None` after a loud line.
///
/// # Panics
/// When it cannot be started and `CI=true`.
pub fn own_kafka() -> Option<Kafka> {
    Kafka::start().inspect_err(|error| skip(&format!("Kafka cannot be started: {error:#}"))).ok()
}

/// A database server of the test's own, which it may kill and restart, or `None` after a loud line.
///
/// # Panics
/// When it cannot be started and `CI=true`.
pub fn own_timescale() -> Option<Timescale> {
    Timescale::start().inspect_err(|error| skip(&format!("TimescaleDB cannot be started: {error:#}"))).ok()
}

/// A DNS server with some names of the documentation ranges, or `None` after a loud line.
///
/// # Panics
/// When it cannot be started and `CI=true`.
pub fn own_dns() -> Option<Dns> {
    Dns::start().inspect_err(|error| skip(&format!("a DNS server cannot be started: {error:#}"))).ok()
}

/// Whether a project in JavaScript or Python now has what builds it, as `install` said; else after a loud line.
///
/// # Panics
/// When it has not and `CI=true`.
pub fn has_packages(install: Result<()>) -> bool {
    install.inspect_err(|error| skip(&format!("a plugin's tools cannot be installed: {error:#}"))).is_ok()
}

/// A name that no other test uses, for topics, groups and pipelines: `PREFIX-` and 16 hexadecimal digits.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{:016x}", fastrand::u64(..))
}

/// A database of a test's own with TimescaleDB in it, gone when this is dropped.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// Creates one in the shared TimescaleDB; `None` after a loud line when there is none.
    ///
    /// # Panics
    /// As [`timescale`], and when the database cannot be created.
    pub fn create() -> Option<Self> {
        let server = timescale()?;
        Some(Self::create_in(&server).unwrap_or_else(|error| panic!("cannot create a database: {error:#}")))
    }

    /// Creates one in the server of this URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_in(server: &str) -> Result<Self> {
        let name = format!("test_{:016x}", fastrand::u64(..));
        psql(server, &format!("create database {name}"))?;
        let database = Self { server: server.to_owned(), url: with_database(server, &name)?, name };
        database.psql("set client_min_messages = error; create extension if not exists timescaledb")?;
        Ok(database)
    }

    /// Creates another one beside it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn another(&self) -> Result<Self> {
        Self::create_in(&self.server)
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements by `psql` and gives its output: a line a row, columns divided by `|`.
    ///
    /// # Errors
    /// When a statement fails; the rest is not run.
    pub fn psql(&self, sql: &str) -> Result<String> {
        psql(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Whoever is still connected is thrown out. When the server is gone, so is the database.
        let _ = psql(&self.server, &format!("drop database if exists {} with (force)", self.name));
    }
}

fn shared(title: &str, variable: &str) -> Option<String> {
    let Some(value) = services::given(variable) else {
        skip(&format!("{title} is not given by {variable}: run `cargo xtask test`, which starts it"));
        return None;
    };
    if let Err(error) = services::is_reachable(variable, &value) {
        panic!("{error:#}");
    }
    Some(value)
}

/// The URL with another database in place of its own.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (scheme, rest) = url.split_once("://").context("a database's URL begins with `postgres://`")?;
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let authority = address.split('/').next().unwrap_or(address);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{query}"))
}

fn psql(url: &str, sql: &str) -> Result<String> {
    let mut command: Command = TimescaleRecipe::psql()?;
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
    let output = command.output().context("cannot run psql")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_replaced_in_a_url_and_the_rest_is_kept() {
        let replaced = |url| with_database(url, "mine").unwrap();
        assert_eq!(replaced("postgres://u:p@h:1/theirs?sslmode=off"), "postgres://u:p@h:1/mine?sslmode=off");
        assert_eq!(replaced("postgres://h"), "postgres://h/mine");
        assert!(with_database("h/theirs", "mine").is_err());
    }

    #[test]
    fn a_database_is_fresh_has_the_extension_and_is_gone_after_drop() {
        let Some(one) = Database::create() else { return };
        let other = Database::create().unwrap();
        one.psql("create table here (at timestamptz not null)").unwrap();
        assert!(one.psql("select create_hypertable('here', 'at')").is_ok());
        assert!(other.psql("select * from here").is_err());
        let (server, name) = (one.server.clone(), one.name.clone());
        drop(one);
        let count = psql(&server, &format!("select count(*) from pg_database where datname = '{name}'")).unwrap();
        assert_eq!(count, "0");
    }
}
