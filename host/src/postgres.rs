//! PostgreSQL and TimescaleDB as a store.
//!
//! [`PostgresStore::open`] makes or checks all tables and answers with a [`BoundTable`] per sink, whose [`CopyEncoder`]
//! turns batches into rows on the engine threads. [`PostgresStore::commit`] stores a group of them. Nothing is tried
//! again in here but what is certain to have done nothing; waiting and trying again is the caller's matter.

mod answers;
mod binary;
mod chunks;
mod commit;
mod connection;
mod copy;
mod dead_letters;
mod errors;
mod examine;
mod generations;
mod grants;
mod key;
mod ledger;
mod letters;
mod load;
mod open_alerts;
mod provenance;
mod replays;
mod retention;
mod rows;
mod schema;
mod skipped;
mod state;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, query_scalar};
use wasmill_core::{PartitionId, ProjectionBuilder};

use crate::columns::{BindError, BoundColumns, TypedColumn};
use crate::config::{From, OnDuplicate, Secret};
use crate::store::{Facts, SinkSpec, StoreError};
use crate::upsert::{list, on_conflict};

use chunks::KnownChunks;
use commit::Unsettled;
use connection::Connections;
use load::{Stage, Way};
use table::FoundTable;

pub use copy::CopyEncoder;
pub use examine::{Examined, examine};
pub use grants::script;
pub use ledger::LedgerRow;

/// One database of a pipeline, and what opens it.
#[derive(Clone, Debug)]
pub struct StoreSpec {
    /// The database's address.
    pub url: Secret,
    /// The pipeline's name.
    pub pipeline: String,
    /// The sinks in this database; none for a home without rows.
    pub sinks: Vec<SinkSpec>,
    /// Connections that write at the same time.
    pub writers: usize,
    /// Whether this database decides where a lane is.
    pub is_home: bool,
    /// What commits record.
    pub facts: Facts,
}

/// One database of a pipeline.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    pipeline: String,
    sinks: Vec<SinkTable>,
    is_home: bool,
    /// The ledger's `sink`: empty for home, the name of one of the sinks for a mark.
    ledger_sink: String,
    facts: Facts,
    /// Commits whose answer was lost, by partition; the lock is held only to look.
    unsettled: Mutex<HashMap<Arc<PartitionId>, Unsettled>>,
}

/// A sink's table as the commit needs it.
#[derive(Debug)]
struct SinkTable {
    index: usize,
    name: Arc<str>,
    from: From,
    /// Its quoted name.
    sql_name: String,
    /// How rows are stored.
    way: Way,
    /// The COPY statement into the table itself.
    copy: String,
    /// Deletes the row of time `$1` that this transaction wrote; empty for plain tables.
    take_back: String,
    time_column: Option<usize>,
    can_try_rows: bool,
    chunks: KnownChunks,
}

/// A sink's table with its types, ready to be bound to a projection.
#[derive(Clone, Debug)]
pub struct BoundTable {
    /// The sink's index among the pipeline's sinks.
    pub index: usize,
    columns: Vec<TypedColumn>,
    jsonb: Vec<bool>,
}

impl BoundTable {
    /// The encoder of the sink's rows, reading through `projection`.
    ///
    /// # Errors
    /// When a column's type does not suit where its value comes from.
    pub fn encoder(&self, projection: &mut ProjectionBuilder) -> Result<CopyEncoder, BindError> {
        Ok(CopyEncoder::new(BoundColumns::bind(&self.columns, projection)?, self.jsonb.clone()))
    }

    /// The columns with their types.
    pub fn columns(&self) -> &[TypedColumn] {
        &self.columns
    }
}

impl PostgresStore {
    /// Connects, makes what is missing and may be made, and checks the rest. Several processes may do this at once.
    ///
    /// # Errors
    /// [`StoreError::Setup`] says what to do, with the SQL that does it; [`StoreError::Transient`] when the database is away.
    pub async fn open(spec: StoreSpec) -> Result<(Self, Vec<BoundTable>), StoreError> {
        let connections = Connections::new(&spec.url, spec.writers)?;
        let mut taken = connections.take().await?;
        let failed = |error: sqlx::Error| errors::store_error("set the database up", &error);
        let mut transaction = taken.connection.begin().await.map_err(failed)?;
        let tables = set_up(&mut transaction, &spec.sinks).await?;
        let ledger_sink = if spec.is_home { String::new() } else { mark_name(&mut transaction, &spec).await? };
        transaction.commit().await.map_err(failed)?;
        taken.give_back();
        let bound = spec.sinks.iter().zip(&tables).map(|(sink, table)| bound_table(sink, table)).collect();
        let sinks = spec.sinks.into_iter().zip(tables).map(|(sink, table)| sink_table(sink, &table)).collect();
        let store = Self {
            connections,
            pipeline: spec.pipeline,
            sinks,
            is_home: spec.is_home,
            ledger_sink,
            facts: spec.facts,
            unsettled: Mutex::default(),
        };
        Ok((store, bound))
    }

    /// `host:port/database`, for people.
    pub fn address(&self) -> String {
        self.connections.address()
    }

    fn unsettled(&self) -> MutexGuard<'_, HashMap<Arc<PartitionId>, Unsettled>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes what is missing and may be made, and checks the rest.
async fn set_up(transaction: &mut PgConnection, sinks: &[SinkSpec]) -> Result<Vec<FoundTable>, StoreError> {
    schema::lock(transaction).await?;
    schema::prepare(transaction).await?;
    let mut tables = Vec::with_capacity(sinks.len());
    for sink in sinks {
        tables.push(table::prepare(transaction, &sink.name, &sink.table, sink.hypertable).await?);
    }
    Ok(tables)
}

/// The sink whose name the mark of this database bears: the one that it bore before, so that adding or moving sinks in
/// the file does not lose it, else the first.
async fn mark_name(connection: &mut PgConnection, spec: &StoreSpec) -> Result<String, StoreError> {
    const FIND: &str = "SELECT sink FROM wasmill_ledger WHERE pipeline = $1 AND sink = ANY($2) ORDER BY sink LIMIT 1";
    let names: Vec<String> = spec.sinks.iter().map(|sink| sink.name.to_string()).collect();
    let found = query_scalar(FIND).bind(&spec.pipeline).bind(&names).fetch_optional(connection).await;
    let found: Option<String> = found.map_err(|error| errors::store_error("read the ledger", &error))?;
    Ok(found.or_else(|| names.into_iter().min()).unwrap_or_default())
}

/// Rows go by way of a table that only this connection sees. Of rows with one key the last is moved on, or where the first stays, the
/// first; in the order of keys, so that writers wait for one another and not in a circle.
fn staged(sink: &SinkSpec, names: &str, clause: &str) -> Way {
    let (table, key) = (&sink.table.name, list(&sink.table.key));
    let stage = format!("pg_temp.wasmill_stage_{}", sink.index);
    let order = if sink.table.on_duplicate == OnDuplicate::Update { "DESC" } else { "ASC" };
    Way {
        copy: format!("COPY {stage} ({names}) FROM STDIN (FORMAT binary)"),
        stage: Some(Stage {
            make: format!(
                "CREATE TEMPORARY TABLE IF NOT EXISTS wasmill_stage_{} ON COMMIT DELETE ROWS AS SELECT {names} FROM {table} \
                 WITH NO DATA",
                sink.index
            ),
            move_on: format!(
                "INSERT INTO {table} ({names}) SELECT DISTINCT ON ({key}) {names} FROM {stage} ORDER BY {key}, ctid {order}{clause}; \
                 TRUNCATE {stage}"
            ),
        }),
    }
}

fn bound_table(sink: &SinkSpec, table: &FoundTable) -> BoundTable {
    BoundTable { index: sink.index, columns: table.columns.clone(), jsonb: table.jsonb.clone() }
}

fn sink_table(sink: SinkSpec, table: &FoundTable) -> SinkTable {
    let sql_name = sink.table.name.to_string();
    let names: Vec<_> = table.columns.iter().map(|column| column.name.to_string()).collect();
    let take_back = table.time_column.map_or_else(String::new, |time| {
        format!(
            "DELETE FROM {sql_name} WHERE {} = TIMESTAMPTZ 'epoch' + $1 * INTERVAL '1 microsecond' \
             AND xmin = pg_current_xact_id()::xid",
            names[time]
        )
    });
    let names = names.join(", ");
    let copy = format!("COPY {sql_name} ({names}) FROM STDIN (FORMAT binary)");
    let columns = table.columns.iter().map(|column| &column.name);
    let way = match on_conflict(&sink.table.key, sink.table.on_duplicate, columns) {
        None => Way { copy: copy.clone(), stage: None },
        Some(clause) => staged(&sink, &names, &clause),
    };
    SinkTable {
        index: sink.index,
        name: sink.name,
        from: sink.from,
        copy,
        way,
        take_back,
        sql_name,
        time_column: table.time_column,
        can_try_rows: table.can_try_rows,
        chunks: KnownChunks::default(),
    }
}
