//! The lanes of a Kafka source: one per assigned partition. Kafka says which partitions are ours, home says where each goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use wasmill_core::{PartitionId, RawBatch};
use wasmill_engine::LaneMemory;

use super::{Built, RunEnd, RunOptions, SetupError};
use crate::config::{BatchConfig, Config, HomeConfig, KafkaConfig, Start};
use crate::kafka::{
    Begin, KafkaError, KafkaEvent, KafkaSource, Notice, NoticeKind, PartitionReader, Read, ReadError, TopicPartition,
};
use crate::lane::{LaneEnd, LaneParts, LaneStop, Pause, Reader, lane};
use crate::process::Processor;
use crate::store::StoreError;

/// How often lag is read and partitions that wait are tried.
const TICK: Duration = Duration::from_secs(1);
/// How long a lane that cannot go on waits before it is started again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a lane may take to commit what it has when its partition goes to another member.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);

struct KafkaReader {
    reader: PartitionReader,
    limits: BatchConfig,
}

impl Reader for KafkaReader {
    async fn next(&mut self) -> Result<RawBatch, LaneEnd> {
        match self.reader.next(&self.limits).await {
            Ok(Read::Batch(batch)) => Ok(batch),
            Ok(Read::End) => Err(LaneEnd::Finished),
            Err(ReadError::Revoked(_) | ReadError::TopicReplaced(_)) => Err(LaneEnd::Stopped),
            Err(error) => Err(LaneEnd::Paused(Pause { reason: error.to_string(), again: true })),
        }
    }
}

/// Reads until `stop` becomes true, or to the ends of all partitions as they are when they are begun.
pub(super) async fn run(
    config: &Config,
    kafka: &KafkaConfig,
    built: Built,
    options: RunOptions,
    mut stop: watch::Receiver<bool>,
) -> Result<RunEnd, SetupError> {
    built.status.health.begins("source", "no Kafka broker has answered yet; look at the log for the reason");
    let source = tokio::select! {
        source = KafkaSource::connect(kafka) => source.map_err(|error| SetupError::Wrong(error.to_string()))?,
        _ = stop.wait_for(|stop| *stop) => return Err(SetupError::Interrupted),
    };
    built.status.health.green("source");
    let mut lanes = Lanes {
        config,
        kafka,
        built,
        options,
        source,
        running: BTreeMap::new(),
        tasks: JoinSet::new(),
        started: 0,
        waiting: BTreeMap::new(),
        paused: BTreeSet::new(),
        finished: BTreeSet::new(),
    };
    let end = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => RunEnd::Clean,
        end = lanes.supervise() => end,
    };
    let drained = lanes.drain().await;
    lanes.source.close().await;
    Ok(match end {
        RunEnd::Clean if !drained => RunEnd::Abandoned,
        end => end,
    })
}

struct Lanes<'a> {
    config: &'a Config,
    kafka: &'a KafkaConfig,
    built: Built,
    options: RunOptions,
    source: KafkaSource,
    running: BTreeMap<TopicPartition, Running>,
    tasks: JoinSet<(u64, TopicPartition, LaneEnd)>,
    /// Tells a lane from the one before it on the same partition.
    started: u64,
    /// Partitions that are ours and have no lane, with the time of the next attempt.
    waiting: BTreeMap<TopicPartition, Instant>,
    /// Partitions whose lanes cannot go on until there are other plugins.
    paused: BTreeSet<TopicPartition>,
    /// Partitions that were read to their end.
    finished: BTreeSet<TopicPartition>,
}

struct Running {
    id: u64,
    partition: Arc<PartitionId>,
    taken_up: Arc<AtomicU64>,
    stop: LaneStop,
    abort: AbortHandle,
}

impl Lanes<'_> {
    async fn supervise(&mut self) -> RunEnd {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes = self.built.serving.changes();
        loop {
            tokio::select! {
                biased;
                event = self.source.next() => {
                    if let Some(end) = self.on_event(event).await {
                        return end;
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    if let Some(end) = self.on_lane_end(ended) {
                        return end;
                    }
                }
                // Never an error: the sender is ours.
                Ok(()) = changes.changed() => {
                    let paused = std::mem::take(&mut self.paused);
                    self.waiting.extend(paused.into_iter().map(|partition| (partition, Instant::now())));
                    self.begin_waiting().await;
                }
                _ = tick.tick() => {
                    self.begin_waiting().await;
                    self.read_lag();
                }
            }
            let all_read = self.options.until_end && !self.finished.is_empty();
            if all_read && self.running.is_empty() && self.waiting.is_empty() {
                return RunEnd::Clean;
            }
        }
    }

    async fn on_event(&mut self, event: KafkaEvent) -> Option<RunEnd> {
        match event {
            KafkaEvent::Assigned(partitions) => {
                tracing::info!("assigned {}", list(&partitions));
                self.waiting.extend(partitions.into_iter().map(|partition| (partition, Instant::now())));
                self.begin_waiting().await;
            }
            KafkaEvent::Revoked { partitions, lost } => {
                tracing::info!("{} {}", if lost { "lost" } else { "giving back" }, list(&partitions));
                self.give_back(&partitions, lost).await;
                self.source.release(partitions).await;
            }
            KafkaEvent::Notice(notice) => self.on_notice(&notice),
            KafkaEvent::Fatal(error) => return Some(RunEnd::Stuck(error.to_string())),
        }
        None
    }

    fn on_notice(&self, notice: &Notice) {
        let health = &self.built.status.health;
        match notice.kind {
            NoticeKind::Back => health.green("source"),
            NoticeKind::Away | NoticeKind::TopicAbsent | NoticeKind::Authentication | NoticeKind::NotAllowed => {
                health.red("source", notice.text.clone());
            }
            NoticeKind::TopicReplaced | NoticeKind::Other => tracing::warn!("{}", notice.text),
        }
    }

    /// Starts lanes for the partitions that wait and whose time has come. What fails waits on.
    async fn begin_waiting(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.waiting.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        // One topic after the other: one that is gone does not hold the others up.
        for topic in due.chunk_by(|a, b| a.topic == b.topic) {
            self.begin_topic(topic).await;
        }
    }

    async fn begin_topic(&mut self, names: &[TopicPartition]) {
        let Err(reason) = self.begin(names).await else {
            for name in names {
                self.waiting.remove(name);
            }
            return;
        };
        for name in names {
            self.waiting.insert(name.clone(), Instant::now() + PAUSE);
            self.built.status.health.red(&part(name), reason.clone());
        }
        // The group waits until an assignment is answered.
        if let Err(error) = self.source.begin(Vec::new()).await {
            tracing::warn!("{error}");
        }
    }

    async fn begin(&mut self, names: &[TopicPartition]) -> Result<(), String> {
        let kafka_error = |error: KafkaError| error.to_string();
        let partitions = self.source.identify(names).await.map_err(kafka_error)?;
        let taken_up = self.built.serving.count();
        let processor = self.built.serving.now();
        let mut begins = Vec::with_capacity(partitions.len());
        let mut leases = Vec::with_capacity(partitions.len());
        let mut well = Vec::with_capacity(partitions.len());
        for (name, partition) in names.iter().zip(&partitions) {
            let start = self.start_offset(partition).await?;
            let sinks = &self.built.sinks;
            let store_error = |error: StoreError| error.to_string();
            let lease = sinks.acquire(partition, start).await.map_err(store_error)?;
            let memory = sinks.remember(partition, &processor.generation).await.map_err(store_error)?;
            let offset = self.built.sinks.position(&lease).unwrap_or(start);
            let was_red = self.built.status.health.is_red(&part(name));
            let end = match self.options.until_end || was_red {
                true => Some(self.source.end_offset(partition).await.map_err(kafka_error)?),
                false => None,
            };
            let until = end.filter(|_| self.options.until_end);
            begins.push(Begin { partition: Arc::clone(partition), offset, until });
            leases.push((lease, memory));
            // What could not go on has to show that it can, unless there is nothing to read.
            well.push(!was_red || end == Some(offset));
        }
        let offsets: Vec<i64> = begins.iter().map(|begin| begin.offset).collect();
        let readers = self.source.begin(begins).await.map_err(kafka_error)?;
        for ((((name, reader), leases), offset), well) in names.iter().zip(readers).zip(leases).zip(offsets).zip(well) {
            self.start_lane(name, reader, (Arc::clone(&processor), taken_up), leases, offset);
            if well {
                self.built.status.health.green(&part(name));
            }
        }
        Ok(())
    }

    /// Where a partition begins if no ledger knows it.
    async fn start_offset(&self, partition: &Arc<PartitionId>) -> Result<i64, String> {
        let store_error = |error: StoreError| error.to_string();
        let kafka_error = |error: KafkaError| error.to_string();
        let (from, found_later) = match self.built.sinks.home() {
            Some(home) => {
                if let Some(offset) = home.read(partition).await.map_err(store_error)? {
                    return Ok(offset);
                }
                (self.kafka.from, home.knows_topic(partition).await.map_err(store_error)?)
            }
            None => {
                debug_assert_eq!(self.config.home, HomeConfig::None, "every other home is a store");
                if let Some(offset) = self.source.committed(partition).await.map_err(kafka_error)? {
                    return Ok(offset);
                }
                let from = if self.kafka.from == Start::Committed { Start::Earliest } else { self.kafka.from };
                (from, self.source.knows_topic(&partition.topic).await.map_err(kafka_error)?)
            }
        };
        self.source.start_offset(partition, from, found_later).await.map_err(kafka_error)
    }

    fn start_lane(
        &mut self,
        name: &TopicPartition,
        reader: PartitionReader,
        (processor, taken_up): (Arc<Processor>, u64),
        (leases, memory): (crate::sinks::Leases, LaneMemory),
        offset: i64,
    ) {
        let partition = Arc::clone(reader.partition());
        let status = &self.built.status;
        status.committed(&partition, offset);
        if self.built.sinks.home().is_none() {
            // So that the group knows the partition even while it is quiet.
            self.source.committer().commit(&partition, offset);
        }
        let committed = {
            let (status, partition, part) = (Arc::clone(status), Arc::clone(&partition), part(name));
            let committer = self.source.committer();
            Box::new(move |offset| {
                status.committed(&partition, offset);
                status.health.green(&part);
                committer.commit(&partition, offset);
            })
        };
        let taken_up = Arc::new(AtomicU64::new(taken_up));
        let parts = LaneParts {
            serving: Arc::clone(&self.built.serving),
            processor,
            taken_up: Arc::clone(&taken_up),
            partition: Arc::clone(&partition),
            engine: self.built.engine.clone(),
            sinks: Arc::clone(&self.built.sinks),
            breakers: Arc::clone(&self.built.status.breakers),
            leases,
            memory,
            committed,
        };
        let (stop, lane) = lane(parts, KafkaReader { reader, limits: self.config.batch });
        let abort = self.tasks.spawn({
            let (id, name) = (self.started, name.clone());
            async move { (id, name, lane.await) }
        });
        self.running.insert(name.clone(), Running { id: self.started, partition, taken_up, stop, abort });
        self.started += 1;
    }

    fn on_lane_end(&mut self, ended: Result<(u64, TopicPartition, LaneEnd), JoinError>) -> Option<RunEnd> {
        let (id, name, end) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return None,
            Err(error) => {
                return Some(RunEnd::Stuck(format!(
                    "a lane failed inside the host ({error}); this is a bug of wasmill"
                )));
            }
        };
        // A lane that was given back is no longer ours to speak of.
        if self.running.get(&name).is_none_or(|running| running.id != id) {
            return None;
        }
        let running = self.running.remove(&name)?;
        match end {
            LaneEnd::Finished => {
                self.finished.insert(name);
            }
            LaneEnd::Stopped => {}
            LaneEnd::Paused(pause) => {
                self.built.status.health.red(&part(&name), pause.reason.clone());
                if self.options.until_end && !pause.again {
                    return Some(RunEnd::Stuck(pause.reason));
                }
                let has_others = running.taken_up.load(Ordering::Relaxed) < self.built.serving.count();
                match pause.again {
                    true => drop(self.waiting.insert(name, Instant::now() + PAUSE)),
                    false if has_others => drop(self.waiting.insert(name, Instant::now())),
                    false => drop(self.paused.insert(name)),
                }
            }
            LaneEnd::Fenced(reason) => {
                tracing::warn!("{reason}");
                self.built.status.remove_lane(&running.partition);
                // Either Kafka takes the partition from us, or an operator moved the position: then it is begun anew.
                self.waiting.insert(name, Instant::now() + PAUSE);
            }
        }
        None
    }

    /// Ends the lanes of partitions that go to another member: they commit what they have, unless it is too late for that.
    async fn give_back(&mut self, names: &[TopicPartition], lost: bool) {
        let leaving: Vec<(TopicPartition, Running)> =
            names.iter().filter_map(|name| self.running.remove_entry(name)).collect();
        for (name, running) in &leaving {
            match lost {
                true => running.abort.abort(),
                false => running.stop.stop(),
            }
            self.built.status.remove_lane(&running.partition);
            self.built.status.health.remove(&part(name));
        }
        for name in names {
            self.waiting.remove(name);
            self.paused.remove(name);
            self.finished.remove(name);
        }
        let deadline = Instant::now() + HAND_OVER_MAX;
        for (name, running) in leaving {
            if !self.has_ended(&running, deadline).await {
                tracing::warn!(
                    "{name} was given back before all of its work was committed; its next owner does that again"
                );
                running.abort.abort();
            }
        }
    }

    /// Waits for a lane's end; the ends of others that come meanwhile are kept by their own entries.
    async fn has_ended(&mut self, running: &Running, deadline: Instant) -> bool {
        while !running.abort.is_finished() {
            let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await else { return false };
            // A lane that cannot go on while another is given back waits like any other; until_end is judged later.
            let _ = self.on_lane_end(ended);
        }
        true
    }

    fn read_lag(&self) {
        for (partition, lag) in self.source.lag() {
            if let Some(lag) = lag {
                self.built.status.lag_of(&partition, lag);
            }
        }
    }

    /// Has all lanes commit what they have; whether they did in time.
    async fn drain(&mut self) -> bool {
        self.running.values().for_each(|running| running.stop.stop());
        self.waiting.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let drained = tokio::time::timeout(self.config.shutdown_timeout, all).await.is_ok();
        self.tasks.shutdown().await;
        drained
    }
}

fn part(name: &TopicPartition) -> String {
    format!("lane {name}")
}

fn list(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
