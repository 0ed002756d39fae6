//! Stores, batches and deliveries as a pipeline makes them.

use std::sync::Arc;

use wasmill::config::{
    ColumnConfig, ColumnType, From, Identifier, OnDuplicate, Provenance, Secret, TableConfig, TableName, ValueFrom,
};
use wasmill::delivery::{DeadLetter, Delivery};
use wasmill::postgres::{BoundTable, CopyEncoder, PostgresStore, StoreSpec};
use wasmill::store::{Facts, SinkSpec, StoreError};
use wasmill_core::{Batch, Digest, EventTime, PartitionId, Projection, ProjectionBuilder, RawBatch};

use crate::database::Database;

/// 2024-02-29T12:00:00Z in nanoseconds since 1970: the records' own time.
pub(crate) const RECORD_TIME_NS: i64 = 1_709_208_000_000_000_000;

pub(crate) fn partition(number: i32) -> Arc<PartitionId> {
    Arc::new(PartitionId {
        source: "kafka".into(),
        cluster: "c1".into(),
        topic: "raw-events".into(),
        topic_id: "t1".into(),
        partition: number,
    })
}

/// A column: `name`, `from` as the configuration writes it, and its type if the configuration names one.
pub(crate) fn column(name: &str, from: &str, column_type: impl Into<Option<ColumnType>>) -> ColumnConfig {
    let from = match from {
        "$raw" => ValueFrom::Raw,
        "$payload" => ValueFrom::Payload,
        "$key" => ValueFrom::Key,
        "$topic" => ValueFrom::Topic,
        "$partition" => ValueFrom::Partition,
        "$offset" => ValueFrom::Offset,
        "$timestamp" => ValueFrom::Timestamp,
        "$digest" => ValueFrom::Digest,
        header if header.starts_with("$headers.") => ValueFrom::Header(header["$headers.".len()..].into()),
        path => ValueFrom::Path(path.parse().expect("a path")),
    };
    ColumnConfig { name: name.parse().expect("a name"), from, column_type: column_type.into() }
}

pub(crate) fn table(name: &str, create: bool, columns: Vec<ColumnConfig>) -> TableConfig {
    let name: TableName = name.parse().expect("a name");
    TableConfig { name, create, time: None, columns, key: Vec::new(), on_duplicate: OnDuplicate::Reject }
}

pub(crate) fn hypertable(name: &str, create: bool, time: &str, columns: Vec<ColumnConfig>) -> TableConfig {
    let time: Identifier = time.parse().expect("a name");
    TableConfig { time: Some(time), ..table(name, create, columns) }
}

/// A store over `tables`, each a sink; those with a time column are hypertables.
pub(crate) fn spec(url: Secret, tables: Vec<TableConfig>) -> StoreSpec {
    let sink = |(index, table): (usize, TableConfig)| SinkSpec {
        index,
        name: format!("sink{index}").into(),
        hypertable: table.time.is_some(),
        table,
        from: From::Events,
    };
    StoreSpec {
        url,
        pipeline: "test".into(),
        sinks: tables.into_iter().enumerate().map(sink).collect(),
        writers: 2,
        is_home: true,
        facts: Facts { provenance: Provenance::Digest, config: Digest::of(b"config"), engine: "0.1.0".into() },
    }
}

/// A store with the encoders of its sinks and the projection that they read through.
pub(crate) struct Pipeline {
    pub(crate) store: PostgresStore,
    encoders: Vec<CopyEncoder>,
    projection: Arc<Projection>,
}

impl Pipeline {
    pub(crate) async fn open(spec: StoreSpec) -> Result<Self, StoreError> {
        let (store, tables) = PostgresStore::open(spec).await?;
        Ok(Self::bind(store, &tables))
    }

    pub(crate) async fn home(database: &Database, tables: Vec<TableConfig>) -> Self {
        Self::open(spec(database.secret(), tables)).await.expect("the store opens")
    }

    fn bind(store: PostgresStore, tables: &[BoundTable]) -> Self {
        let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        let encoders = tables.iter().map(|table| table.encoder(&mut builder).expect("types fit")).collect();
        Self { store, encoders, projection: builder.build() }
    }

    /// What the sinks get of `payloads`, which stand at `first_offset` and after it in partition 0.
    pub(crate) fn delivery<P: AsRef<[u8]>>(&self, first_offset: i64, payloads: &[P]) -> Delivery {
        let mut raw = RawBatch::new(partition(0), first_offset);
        for (n, payload) in payloads.iter().enumerate() {
            let key = format!("key{n}");
            let headers: [(&[u8], Option<&[u8]>); 2] = [(b"trace", Some(b"abc")), (b"empty", None)];
            let offset = first_offset + n as i64;
            raw.push(offset, RECORD_TIME_NS, Some(key.as_bytes()), Some(payload.as_ref()), headers);
        }
        self.delivery_of(raw)
    }

    pub(crate) fn delivery_of(&self, raw: RawBatch) -> Delivery {
        let generation = Digest::of(b"generation");
        let (batch, rejections) = self.projection.extract(raw);
        let mut dead_letters: Vec<_> =
            rejections.into_iter().map(|rejection| DeadLetter::new(&batch, rejection)).collect();
        let rejected = dead_letters.len() as u64;
        let mut encoded = Vec::new();
        for (n, encoder) in self.encoders.iter().enumerate() {
            let sink = format!("sink{n}").into();
            let (rows, refusals) = encoder.encode(&batch, &batch.live, &generation, &sink);
            dead_letters.extend(refusals.into_iter().map(|refusal| DeadLetter::new(&batch, refusal)));
            encoded.push(rows);
        }
        delivery(batch, encoded, dead_letters, generation, rejected)
    }
}

fn delivery(
    events: Batch,
    encoded: Vec<wasmill::delivery::Rows>,
    dead_letters: Vec<DeadLetter>,
    generation: Digest,
    rejected: u64,
) -> Delivery {
    Delivery {
        events,
        alerts: None,
        encoded,
        dead_letters,
        generation,
        plugins: Arc::default(),
        received: std::time::Instant::now(),
        dropped: 0,
        rejected,
        alerts_raised: 0,
        costs: Vec::new(),
        turns: Vec::new(),
        looked_up: Default::default(),
        state: Vec::new(),
    }
}
