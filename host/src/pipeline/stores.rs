//! Opening the databases of a pipeline. One that is away is waited for; what is set up wrongly is an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wasmill_core::ProjectionBuilder;

use super::SetupError;
use crate::columns::{BindError, TypedColumn};
use crate::config::{Config, HomeConfig, Secret, SinkKind};
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
    /// What a sink's rows are; `None` when the sink is another's.
    pub(super) fn rows(&self, sink: usize) -> Option<Rowed> {
        match &self.store {
            Store::Postgres(_) => self.tables.iter().find(|table| table.index == sink).cloned().map(Rowed::Copy),
            Store::Sqlite(store) => {
                let table = store.tables().iter().find(|table| table.index == sink)?;
                Some(Rowed::Cells(table.columns.clone()))
            }
        }
    }
}

/// What the rows of a sink are.
pub(super) enum Rowed {
    /// Tuples of COPY.
    Copy(BoundTable),
    /// Cells of SQLite.
    Cells(Vec<TypedColumn>),
}

impl Rowed {
    /// Their encoder, reading through `projection`.
    ///
    /// # Errors
    /// When a column's type does not suit where its value comes from.
    pub(super) fn bind(&self, projection: &mut ProjectionBuilder) -> Result<Format, BindError> {
        match self {
            Self::Copy(table) => table.encoder(projection).map(Format::Copy),
            Self::Cells(columns) => CellEncoder::bind(columns, projection).map(Format::Cells),
        }
    }
}

/// Opens every database.
pub(super) async fn open(config: &Config) -> Result<Vec<OpenStore>, SetupError> {
    let mut stores = Vec::new();
    for database in databases(config) {
        stores.push(patiently(config, || open_one(config, &database)).await?);
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

/// Opens a ledger of letters that no home keeps, made where it is missing.
///
/// # Errors
/// When it cannot be opened.
pub(super) async fn open_ledger(config: &Config, path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, &config.name, Vec::new(), true, facts(config)).await
}

/// A database that a pipeline writes to.
#[derive(Clone, Debug)]
pub struct Database<'c> {
    /// Where it is.
    pub place: Place<'c>,
    /// Its sinks; none for a home of its own.
    pub sinks: Vec<SinkSpec>,
    is_home: bool,
    /// Groups that it writes at the same time.
    writers: usize,
}

/// Where a database is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'c> {
    /// A server's address.
    Postgres(&'c Secret),
    /// A file.
    Sqlite(&'c Path),
}

impl Place<'_> {
    /// The same for all sinks of one database.
    fn key(self) -> String {
        match self {
            Self::Postgres(url) => format!("postgres {}", url.reveal()),
            Self::Sqlite(path) => format!("sqlite {}", path.display()),
        }
    }
}

/// The databases of a pipeline, none of which is connected. Sinks of one database share it.
pub fn databases(config: &Config) -> Vec<Database<'_>> {
    let mut databases: BTreeMap<String, Database<'_>> = BTreeMap::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let (place, table, hypertable, writers) = match &sink.kind {
            SinkKind::Postgres { url, table, hypertable, writers } => {
                (Place::Postgres(url), table, *hypertable, *writers)
            }
            SinkKind::Sqlite { path, table } => (Place::Sqlite(path), table, false, 1),
            SinkKind::Kafka(_)
            | SinkKind::Http(_)
            | SinkKind::File { .. }
            | SinkKind::Stdout { .. }
            | SinkKind::Discard => continue,
        };
        let database = databases.entry(place.key()).or_insert_with(|| Database::new(place, writers));
        let (name, table) = (Arc::from(sink.name.as_str()), table.clone());
        database.sinks.push(SinkSpec { index, name, table, hypertable, from: sink.from });
        database.is_home |= matches!(config.home, HomeConfig::Sink(home) if home == index);
    }
    let mut databases: Vec<Database<'_>> = databases.into_values().collect();
    if let HomeConfig::Sqlite(path) = &config.home {
        databases.push(Database { is_home: true, ..Database::new(Place::Sqlite(path), 1) });
    }
    databases
}

impl<'c> Database<'c> {
    fn new(place: Place<'c>, writers: usize) -> Self {
        Self { place, sinks: Vec::new(), is_home: false, writers }
    }
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

async fn open_one(config: &Config, database: &Database<'_>) -> Result<OpenStore, StoreError> {
    let Database { place, sinks, is_home, writers } = database;
    let (sinks, is_home, writers) = (sinks.clone(), *is_home, *writers);
    let indices = sinks.iter().map(|sink| sink.index).collect();
    let (store, tables) = match place {
        Place::Postgres(url) => {
            let (url, pipeline, facts) = ((*url).clone(), config.name.clone(), facts(config));
            let (store, tables) =
                PostgresStore::open(StoreSpec { url, pipeline, sinks, writers, is_home, facts }).await?;
            (Store::Postgres(Box::new(store)), tables)
        }
        Place::Sqlite(path) => {
            let store = SqliteStore::open(path, &config.name, sinks, is_home, facts(config)).await?;
            (Store::Sqlite(Box::new(store)), Vec::new())
        }
    };
    Ok(OpenStore { store, sinks: indices, is_home, writers, tables })
}

fn facts(config: &Config) -> Facts {
    Facts { provenance: config.provenance, config: config.digest, engine: env!("CARGO_PKG_VERSION").to_owned() }
}
