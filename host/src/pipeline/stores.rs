//! Opening the databases of a pipeline. One that is away is waited for; what is set up wrongly is an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wasmill_core::ProjectionBuilder;

use super::SetupError;
use crate::columns::BindError;
use crate::config::{Config, HomeConfig, Secret, SinkConfig, SinkKind};
use crate::encode::Format;
use crate::postgres::{BoundTable, PostgresStore, StoreSpec};
use crate::retry::Backoff;
use crate::sqlite::{CellEncoder, SqliteStore};
use crate::store::{Facts, SinkSpec, Store, StoreError};

/// An open database with what is known of it.
pub(super) struct OpenStore {
    pub(super) store: Store,
    /// Indices of its sinks.
    pub(super) sinks: Vec<usize>,
    pub(super) is_home: bool,
    /// Groups that it writes at the same time.
    pub(super) writers: usize,
    /// Its tables, where it is PostgreSQL.
    tables: Vec<BoundTable>,
}

impl OpenStore {
    /// The encoder of a sink's rows, reading through `projection`; `None` when the sink is another's.
    pub(super) fn format(&self, sink: usize, projection: &mut ProjectionBuilder) -> Option<Result<Format, BindError>> {
        match &self.store {
            Store::Postgres(_) => {
                let table = self.tables.iter().find(|table| table.index == sink)?;
                Some(table.encoder(projection).map(Format::Copy))
            }
            Store::Sqlite(store) => {
                let table = store.tables().iter().find(|table| table.index == sink)?;
                Some(CellEncoder::bind(&table.columns, projection).map(Format::Cells))
            }
        }
    }
}

/// Opens every database.
pub(super) async fn open(config: &Config) -> Result<Vec<OpenStore>, SetupError> {
    let mut stores = Vec::new();
    for sinks in by_database(config).into_values() {
        stores.push(patiently(config, || open_one(config, &sinks)).await?);
    }
    if let HomeConfig::Sqlite(path) = &config.home {
        stores.push(patiently(config, || open_own_home(config, path)).await?);
    }
    Ok(stores)
}

/// Opens home alone; `None` where the pipeline has none.
///
/// # Errors
/// As for a run.
pub async fn open_home(config: &Config) -> Result<Option<Store>, SetupError> {
    Ok(open(config).await?.into_iter().find(|store| store.is_home).map(|store| store.store))
}

/// Sinks of one database share a store.
fn by_database(config: &Config) -> BTreeMap<String, Vec<usize>> {
    let mut databases: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let key = match &sink.kind {
            SinkKind::Postgres { url, .. } => format!("postgres {}", url.reveal()),
            SinkKind::Sqlite { path, .. } => format!("sqlite {}", path.display()),
            SinkKind::Kafka(_)
            | SinkKind::Http(_)
            | SinkKind::File { .. }
            | SinkKind::Stdout { .. }
            | SinkKind::Discard => {
                continue;
            }
        };
        databases.entry(key).or_default().push(index);
    }
    databases
}

/// A database that a pipeline writes to.
#[derive(Clone, Debug)]
pub struct Database<'c> {
    /// Where it is.
    pub place: Place<'c>,
    /// Its sinks; none for a home of its own.
    pub sinks: Vec<SinkSpec>,
}

/// Where a database is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'c> {
    /// A server's address.
    Postgres(&'c Secret),
    /// A file.
    Sqlite(&'c Path),
}

/// The databases of a pipeline, none of which is connected.
pub fn databases(config: &Config) -> Vec<Database<'_>> {
    let of = |sinks: Vec<usize>| {
        let place = match &config.sinks[sinks[0]].kind {
            SinkKind::Postgres { url, .. } => Place::Postgres(url),
            SinkKind::Sqlite { path, .. } => Place::Sqlite(path),
            SinkKind::Kafka(_)
            | SinkKind::Http(_)
            | SinkKind::File { .. }
            | SinkKind::Stdout { .. }
            | SinkKind::Discard => {
                unreachable!("only databases are grouped")
            }
        };
        let specs = sinks.iter().filter_map(|index| spec(*index, &config.sinks[*index])).collect();
        Database { place, sinks: specs }
    };
    let mut databases: Vec<Database<'_>> = by_database(config).into_values().map(of).collect();
    if let HomeConfig::Sqlite(path) = &config.home {
        databases.push(Database { place: Place::Sqlite(path), sinks: Vec::new() });
    }
    databases
}

async fn patiently<F: Future<Output = Result<OpenStore, StoreError>>>(
    config: &Config,
    attempt: impl Fn() -> F,
) -> Result<OpenStore, SetupError> {
    let mut backoff = Backoff::new(config.retry);
    loop {
        match attempt().await {
            Ok(store) => return Ok(store),
            Err(StoreError::Transient(reason)) => tracing::warn!("waiting for a database: {reason}"),
            Err(error) => return Err(error.into()),
        }
        backoff.wait().await;
    }
}

async fn open_one(config: &Config, sinks: &[usize]) -> Result<OpenStore, StoreError> {
    let is_home = matches!(config.home, HomeConfig::Sink(home) if sinks.contains(&home));
    let specs = sinks.iter().filter_map(|index| spec(*index, &config.sinks[*index])).collect();
    let (store, tables, writers) = match &config.sinks[sinks[0]].kind {
        SinkKind::Postgres { url, writers, .. } => {
            let spec = StoreSpec {
                url: url.clone(),
                pipeline: config.name.clone(),
                sinks: specs,
                writers: *writers,
                is_home,
                facts: facts(config),
            };
            let (store, tables) = PostgresStore::open(spec).await?;
            (Store::Postgres(Box::new(store)), tables, *writers)
        }
        SinkKind::Sqlite { path, .. } => {
            let store = SqliteStore::open(path, &config.name, specs, is_home, facts(config)).await?;
            (Store::Sqlite(Box::new(store)), Vec::new(), 1)
        }
        SinkKind::Kafka(_)
        | SinkKind::Http(_)
        | SinkKind::File { .. }
        | SinkKind::Stdout { .. }
        | SinkKind::Discard => {
            unreachable!("only databases are grouped")
        }
    };
    Ok(OpenStore { store, sinks: sinks.to_vec(), is_home, writers, tables })
}

async fn open_own_home(config: &Config, path: &Path) -> Result<OpenStore, StoreError> {
    let store = SqliteStore::open(path, &config.name, Vec::new(), true, facts(config)).await?;
    Ok(OpenStore {
        store: Store::Sqlite(Box::new(store)),
        sinks: Vec::new(),
        is_home: true,
        writers: 1,
        tables: Vec::new(),
    })
}

fn spec(index: usize, sink: &SinkConfig) -> Option<SinkSpec> {
    let (table, hypertable) = match &sink.kind {
        SinkKind::Postgres { table, hypertable, .. } => (table, *hypertable),
        SinkKind::Sqlite { table, .. } => (table, false),
        SinkKind::Kafka(_)
        | SinkKind::Http(_)
        | SinkKind::File { .. }
        | SinkKind::Stdout { .. }
        | SinkKind::Discard => {
            return None;
        }
    };
    Some(SinkSpec { index, name: Arc::from(sink.name.as_str()), table: table.clone(), hypertable, from: sink.from })
}

fn facts(config: &Config) -> Facts {
    Facts { provenance: config.provenance, config: config.digest, engine: env!("CARGO_PKG_VERSION").to_owned() }
}
