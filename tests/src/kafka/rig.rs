//! A worker as small as one can be that still keeps the source's rules, and a partition to read by hand.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmill::config::{BatchConfig, KafkaConfig, Secret, Start, Topics};
use wasmill::kafka::{
    Begin, Committer, KafkaEvent, KafkaSource, Notice, PartitionReader, Read, ReadError, TopicPartition,
};
use wasmill_core::{PartitionId, RawBatch};

use super::Record;
use crate::services::unique;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The limits that the readers of tests are given.
pub const BATCH: BatchConfig =
    BatchConfig { events_max: 500, bytes_max: 1 << 20, event_bytes_max: 1 << 20, linger: Duration::ZERO };

/// A source of one topic, in a group of its own, that sees new topics quickly.
pub fn config(brokers: &str, topic: &str, from: Start) -> KafkaConfig {
    let options = [("topic.metadata.refresh.interval.ms", "500"), ("session.timeout.ms", "10000")];
    KafkaConfig {
        brokers: brokers.to_owned(),
        topics: Topics::named([topic.to_owned()]),
        group: unique("group"),
        group_instance_id: None,
        from,
        fetch_bytes_max: 32 << 20,
        options: options.into_iter().map(|(key, value)| (key.to_owned(), Secret::new(value))).collect(),
    }
}

/// Waits for what must come.
///
/// # Panics
/// When it does not come in 90 s.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took over {PATIENCE:?}"))
}

/// What became of everything: a ledger as home keeps it, and each event that was stored.
#[derive(Default)]
pub struct Store {
    /// The next offset of each partition.
    pub ledger: HashMap<PartitionId, i64>,
    /// The payload of each event, by partition and offset.
    pub events: BTreeMap<(i32, i64), Vec<u8>>,
    /// The ids of the topics that were read.
    pub topic_ids: Vec<String>,
    /// What the source told.
    pub notices: Vec<Notice>,
    /// Why lanes ended.
    pub errors: Vec<ReadError>,
}

impl Store {
    /// Stores a batch as home does: only if it begins where the ledger stands.
    fn commit(&mut self, batch: &RawBatch) {
        let ledger = self.ledger.get_mut(&**batch.partition()).expect("the partition was assigned");
        assert_eq!(*ledger, batch.first_offset(), "a batch begins where the ledger stands");
        *ledger = batch.next_offset();
        for (index, record) in batch.records().iter().enumerate() {
            let payload = batch.payload(index).unwrap_or_default().to_vec();
            let twice = self.events.insert((batch.partition().partition, record.offset), payload);
            assert!(twice.is_none(), "{} offset {} came twice", batch.partition(), record.offset);
        }
    }
}

/// A worker as the supervisor will be one: lanes read, the ledger decides.
pub struct Worker {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<()>>,
}

impl Worker {
    /// Starts one.
    pub fn start(config: KafkaConfig, store: Arc<Mutex<Store>>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop: Some(stop), task: tokio::spawn(work(config, store, stopped)) }
    }

    /// Stops in good order: lanes finish, partitions are given back, the group is left.
    ///
    /// # Errors
    /// Why the worker ended before.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.take().context("it stops once")?.send(()).ok().context("the worker ended by itself")?;
        soon("stopping", &mut self.task).await?
    }
}

async fn work(config: KafkaConfig, store: Arc<Mutex<Store>>, mut stopped: oneshot::Receiver<()>) -> Result<()> {
    let mut source = KafkaSource::connect(&config).await?;
    let mut lanes: HashMap<TopicPartition, (oneshot::Sender<()>, JoinHandle<()>)> = HashMap::new();
    loop {
        let event = tokio::select! {
            _ = &mut stopped => break,
            event = source.next() => event,
        };
        match event {
            KafkaEvent::Assigned(partitions) => {
                for reader in begin(&source, &config, &partitions, &store).await? {
                    let id = reader.partition();
                    let name = TopicPartition { topic: id.topic.clone(), partition: id.partition };
                    let (stop, stopped) = oneshot::channel();
                    let lane = tokio::spawn(lane(reader, source.committer(), Arc::clone(&store), stopped));
                    lanes.insert(name, (stop, lane));
                }
            }
            KafkaEvent::Revoked { partitions, .. } => {
                for partition in &partitions {
                    if let Some((_, lane)) = lanes.remove(partition) {
                        soon("a revoked lane", lane).await?;
                    }
                }
                source.release(partitions).await;
            }
            KafkaEvent::Notice(notice) => store.lock().expect("no panic").notices.push(notice),
            KafkaEvent::Fatal(error) => bail!(error),
        }
    }
    for (_, (stop, lane)) in lanes {
        let _ = stop.send(());
        lane.await?;
    }
    source.close().await;
    Ok(())
}

async fn begin(
    source: &KafkaSource,
    config: &KafkaConfig,
    partitions: &[TopicPartition],
    store: &Mutex<Store>,
) -> Result<Vec<PartitionReader>> {
    let mut starts = Vec::new();
    for partition in source.identify(partitions).await? {
        let (known, found_later) = {
            let store = store.lock().expect("no panic");
            let sibling = |id: &&PartitionId| id.topic_id == partition.topic_id;
            (store.ledger.get(&*partition).copied(), store.ledger.keys().find(sibling).is_some())
        };
        let offset = match known {
            Some(offset) => offset,
            None => source.start_offset(&partition, config.from, found_later).await?,
        };
        let mut store = store.lock().expect("no panic");
        store.ledger.insert((*partition).clone(), offset);
        if !store.topic_ids.contains(&partition.topic_id) {
            store.topic_ids.push(partition.topic_id.clone());
        }
        starts.push(Begin { partition, offset, until: None });
    }
    Ok(source.begin(starts).await?)
}

async fn lane(
    mut reader: PartitionReader,
    committer: Committer,
    store: Arc<Mutex<Store>>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let read = tokio::select! {
            _ = &mut stopped => return,
            read = reader.next(&BATCH) => read,
        };
        match read {
            Ok(Read::Batch(batch)) => {
                store.lock().expect("no panic").commit(&batch);
                committer.commit(batch.partition(), batch.next_offset());
            }
            Ok(Read::End) => unreachable!("no end was asked for"),
            Err(error) => {
                store.lock().expect("no panic").errors.push(error);
                return;
            }
        }
    }
}

/// Waits until the store says yes.
///
/// # Panics
/// When it does not in 90 s.
pub async fn until(what: &str, store: &Mutex<Store>, done: impl Fn(&Store) -> bool) {
    let wait = async {
        while !done(&store.lock().expect("no panic")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        let store = store.lock().expect("no panic");
        panic!(
            "{what} took over {PATIENCE:?}: {} events, ledger {:?}, notices {:?}, errors {:?}",
            store.events.len(),
            store.ledger.values(),
            store.notices,
            store.errors
        );
    }
}

/// A source with one partition begun, for tests that read by hand.
pub struct One {
    /// The source.
    pub source: KafkaSource,
    /// The partition.
    pub partition: Arc<PartitionId>,
    /// Its reader.
    pub reader: PartitionReader,
}

impl One {
    /// Begins the topic's only partition.
    ///
    /// # Errors
    /// The source refuses, or the topic has more than one partition.
    pub async fn begin(config: &KafkaConfig, offset: Option<i64>, until_end: bool) -> Result<Self> {
        let mut source = soon("connecting", KafkaSource::connect(config)).await?;
        let partitions = soon("the assignment", assigned(&mut source)).await?;
        ensure!(partitions.len() == 1, "one partition: {partitions:?}");
        let partition = source.identify(&partitions).await?.remove(0);
        let offset = match offset {
            Some(offset) => offset,
            None => source.start_offset(&partition, config.from, false).await?,
        };
        let until = match until_end {
            true => Some(source.end_offset(&partition).await?),
            false => None,
        };
        let begin = Begin { partition: Arc::clone(&partition), offset, until };
        let reader = source.begin(vec![begin]).await?.remove(0);
        Ok(Self { source, partition, reader })
    }

    /// The next batch that has events.
    ///
    /// # Errors
    /// The reader's, or its end.
    pub async fn batch(&mut self) -> Result<RawBatch> {
        loop {
            match soon("a batch", self.reader.next(&BATCH)).await? {
                Read::Batch(batch) if batch.is_empty() => {}
                Read::Batch(batch) => return Ok(batch),
                Read::End => bail!("the end, instead of a batch"),
            }
        }
    }

    /// Leaves the group.
    pub async fn close(self) {
        drop(self.reader);
        soon("closing", self.source.close()).await;
    }
}

async fn assigned(source: &mut KafkaSource) -> Result<Vec<TopicPartition>> {
    loop {
        match source.next().await {
            KafkaEvent::Assigned(partitions) => return Ok(partitions),
            KafkaEvent::Notice(_) => {}
            other => bail!("an assignment was expected: {other:?}"),
        }
    }
}

/// Records `event 0`, `event 1` ...
pub fn numbered(count: usize) -> impl Iterator<Item = Record> {
    (0..count).map(|number| Record::of(format!("event {number}")))
}

/// Spoils the record batch at `offset` in a broker's log. `sound`: its compressed part, with a checksum that fits; else its
/// checksum alone.
///
/// # Errors
/// The log cannot be read or written, or has no such batch.
pub fn spoil(log: &Path, offset: i64, sound: bool) -> Result<()> {
    /// Where the checksum is in a record batch of version 2, the first byte that it covers, and the first of the records.
    const CHECKSUM: usize = 17;
    const COVERED: usize = 21;
    const RECORDS: usize = 61;
    let mut bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut start = 0;
    loop {
        let field = |at: usize, length: usize| bytes.get(start + at..start + at + length);
        let base = field(0, 8).context("no record batch at this offset")?;
        let length = field(8, 4).context("a whole record batch")?;
        let end = start + 12 + usize::try_from(i32::from_be_bytes(length.try_into()?))?;
        if i64::from_be_bytes(base.try_into()?) == offset {
            if sound {
                bytes[start + RECORDS..end].fill(0xaa);
                let checksum = crc32c(&bytes[start + COVERED..end]);
                bytes[start + CHECKSUM..start + COVERED].copy_from_slice(&checksum.to_be_bytes());
            } else {
                bytes[start + CHECKSUM] ^= 1;
            }
            return fs::write(log, bytes).with_context(|| format!("cannot write {}", log.display()));
        }
        start = end;
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}
