//! The Kafka source: a member of a consumer group whose offsets the ledger decides. What is written to Kafka is in [`sink`].
//!
//! One thread polls the consumer for events only: rebalances, errors, commit results. The supervisor reads them with
//! [`KafkaSource::next`] and answers: on [`KafkaEvent::Assigned`] it asks who the partitions are
//! ([`identify`](KafkaSource::identify)), reads the ledger, and begins them where the ledger says
//! ([`begin`](KafkaSource::begin)); on [`KafkaEvent::Revoked`] it lets its lanes finish or abandon their batch and gives
//! the partitions back ([`release`](KafkaSource::release)). Both answers are owed for every event: until then the group
//! waits for this member, and the library holds all of its partitions back.
//!
//! Each partition's queue is split off and read by its own [`PartitionReader`]. Nothing is committed here by itself: the
//! group's offsets follow what the [`Committer`] is told.

mod commits;
mod context;
mod error;
mod examine;
mod feed;
mod link;
mod message;
pub mod mock;
mod native;
mod offsets;
mod options;
mod poll;
mod probe;
mod queue;
mod reader;
pub mod sink;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Notify, mpsc};
use wasmill_core::PartitionId;

pub use error::{KafkaError, Notice, NoticeKind, ReadError};
pub use examine::{Examined, examine_sink, examine_source};
pub use feed::{FedLetters, LettersReader, LettersTopic, Stretch};
pub use reader::{PartitionReader, Read};

use crate::config::{KafkaConfig, Start};
use context::Context;
use link::{Ended, Link};
use queue::PartitionQueue;
use watch::{Judgement, Look, Watch};

/// Events that wait for the supervisor at most.
const EVENTS_MAX: usize = 1_024;

/// How long [`earliest_offset`] waits for an answer.
const EARLIEST_MAX: Duration = Duration::from_secs(10);

/// How long a close waits for the group to be left.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// A partition of a topic by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    fn of(partition: &PartitionId) -> Self {
        Self { topic: partition.topic.clone(), partition: partition.partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// What the supervisor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaEvent {
    /// These partitions are this member's now; answer with [`KafkaSource::begin`].
    Assigned(Vec<TopicPartition>),
    /// These partitions are to be given back; answer with [`KafkaSource::release`].
    Revoked {
        /// Which.
        partitions: Vec<TopicPartition>,
        /// They are another member's already, or another topic's: commit nothing of what is in flight.
        lost: bool,
    },
    /// Something for the log and for health.
    Notice(Notice),
    /// The source cannot go on.
    Fatal(KafkaError),
}

/// Where a partition begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The partition, from [`KafkaSource::identify`].
    pub partition: Arc<PartitionId>,
    /// The first offset to read.
    pub offset: i64,
    /// End before this offset (from [`KafkaSource::end_offset`]); `None`: never.
    pub until: Option<i64>,
}

/// A member of a consumer group. Dropping it leaves the group without waiting; [`KafkaSource::close`] waits.
pub struct KafkaSource {
    consumer: Arc<BaseConsumer<Context>>,
    events: mpsc::Receiver<KafkaEvent>,
    ahead: std::collections::VecDeque<KafkaEvent>,
    watch: Watch,
    look: Option<tokio::task::JoinHandle<Look>>,
    next_look: tokio::time::Instant,
    thread: Option<JoinHandle<()>>,
}

impl KafkaSource {
    /// Waits until a broker answers (for ever, with a warning every half minute), then joins the group.
    ///
    /// # Errors
    /// What waiting does not mend: an unknown option, refused credentials, TLS that fails, a missing permission.
    pub async fn connect(config: &KafkaConfig) -> Result<Self, KafkaError> {
        let reached = probe::reach(&config.brokers, &config.options, &config.topics).await?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let consumer: BaseConsumer<Context> = options::consumer(config, reached.partitions)?
            .create_with_context(Context::new(sender))
            .map_err(|error| options::refused(&error))?;
        let topics: Vec<&str> = config.topics.subscription().collect();
        consumer.subscribe(&topics).map_err(|error| KafkaError::Options(error.to_string()))?;
        let consumer = Arc::new(consumer);
        let polled = Arc::clone(&consumer);
        let thread = std::thread::Builder::new()
            .name("kafka-events".to_owned())
            .spawn(move || poll::run(polled))
            .map_err(|error| KafkaError::Fatal(format!("no thread could be started: {error}")))?;
        let watch = Watch::new(config.topics.clone(), !reached.absent.is_empty());
        Ok(Self {
            consumer,
            events,
            ahead: reached
                .absent
                .iter()
                .map(|topic| KafkaEvent::Notice(Notice { kind: NoticeKind::TopicAbsent, text: absent(topic) }))
                .collect(),
            watch,
            look: None,
            next_look: tokio::time::Instant::now() + watch::LOOK_EVERY,
            thread: Some(thread),
        })
    }

    /// The next event. May be dropped at any time without losing one. Call it all the time: topics that are deleted or
    /// made anew are noticed here.
    pub async fn next(&mut self) -> KafkaEvent {
        loop {
            if let Some(event) = self.ahead.pop_front() {
                return event;
            }
            tokio::select! {
                biased;
                event = self.events.recv() => return event.unwrap_or(KafkaEvent::Fatal(KafkaError::Closed)),
                look = looked(&mut self.look) => self.judge(look),
                () = tokio::time::sleep_until(self.next_look), if self.look.is_none() => self.look(),
            }
        }
    }

    fn look(&mut self) {
        self.next_look = tokio::time::Instant::now() + watch::LOOK_EVERY;
        let (consumer, topics) = (Arc::clone(&self.consumer), self.watch.named());
        self.look = Some(tokio::task::spawn_blocking(move || watch::look(&consumer, &topics)));
    }

    fn judge(&mut self, look: Option<Look>) {
        self.look = None;
        let Some(look) = look else { return };
        let Judgement { replaced, notice } = self.watch.judge(self.consumer.context(), look);
        self.ahead.extend(notice.map(KafkaEvent::Notice));
        if replaced.is_empty() {
            return;
        }
        let owned = self.consumer.context().partitions().owned.clone();
        let again: Vec<_> = replaced.iter().filter(|partition| owned.contains(*partition)).cloned().collect();
        self.ahead.push_back(KafkaEvent::Revoked { partitions: replaced, lost: true });
        if !again.is_empty() {
            self.ahead.push_back(KafkaEvent::Assigned(again));
        }
    }

    /// Who these partitions are, in order: the cluster's id, and the topic's id, which changes when a topic is made anew.
    /// Where the brokers have no topic ids (before Kafka 2.8) it is empty, and a topic made anew cannot be told from the
    /// old one.
    ///
    /// # Errors
    /// A topic is not there (any more), or may not be read. Waits while brokers are away.
    pub async fn identify(&self, partitions: &[TopicPartition]) -> Result<Vec<Arc<PartitionId>>, KafkaError> {
        offsets::identify(&self.consumer, partitions).await
    }

    /// The offset at which a partition that the ledger does not know begins. One that is `found_later` (the topic was
    /// known, the partition was added) begins at its earliest event, so that nothing is left out.
    ///
    /// # Errors
    /// As for [`identify`](Self::identify).
    pub async fn start_offset(
        &self,
        partition: &PartitionId,
        from: Start,
        found_later: bool,
    ) -> Result<i64, KafkaError> {
        offsets::start(&self.consumer, partition, if found_later { Start::Earliest } else { from }).await
    }

    /// The group's committed offset of a partition, if there is one.
    ///
    /// # Errors
    /// As for [`identify`](Self::identify).
    pub async fn committed(&self, partition: &PartitionId) -> Result<Option<i64>, KafkaError> {
        offsets::committed(&self.consumer, partition).await
    }

    /// Whether the group has an offset of any partition of the topic: one without was added later then.
    ///
    /// # Errors
    /// As for [`identify`](Self::identify).
    pub async fn knows_topic(&self, topic: &str) -> Result<bool, KafkaError> {
        offsets::knows_topic(&self.consumer, topic).await
    }

    /// One past the last offset of a partition as of now.
    ///
    /// # Errors
    /// As for [`identify`](Self::identify).
    pub async fn end_offset(&self, partition: &PartitionId) -> Result<i64, KafkaError> {
        Ok(offsets::watermarks(&self.consumer, partition).await?.1)
    }

    /// Starts reading. One that was begun before is released first, which ends its old reader. Partitions that were taken
    /// away in the meantime yield readers that end at once.
    ///
    /// # Errors
    /// The client library refuses; then nothing was begun.
    pub async fn begin(&self, starts: Vec<Begin>) -> Result<Vec<PartitionReader>, KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        blocking(move || {
            release_begun(&consumer, &starts);
            begin(&consumer, starts)
        })
        .await
    }

    /// Gives partitions back, after their last commit. Those that were never begun need no more than this either.
    pub async fn release(&self, partitions: Vec<TopicPartition>) {
        let consumer = Arc::clone(&self.consumer);
        blocking(move || context::release(&consumer, &partitions)).await;
    }

    /// A handle by which lanes let the group's offsets follow the ledger.
    pub fn committer(&self) -> Committer {
        Committer(Arc::clone(self.consumer.context()))
    }

    /// Commits to the group that failed since the start.
    pub fn commits_failed(&self) -> u64 {
        self.consumer.context().commits.failed()
    }

    /// For each partition that was begun, the events between its reader and its end as of the last fetch; `None` before
    /// the first.
    pub fn lag(&self) -> Vec<(Arc<PartitionId>, Option<u64>)> {
        let held = self.consumer.context().partitions();
        let mut lag: Vec<_> =
            held.begun.values().map(|link| (Arc::clone(&link.partition), lag(&self.consumer, link))).collect();
        lag.sort_by(|a, b| a.0.cmp(&b.0));
        lag
    }

    /// Sends the last commits and leaves the group; a static member (`group_instance_id`) stays one until its session
    /// ends. Drop all readers before. Gives up waiting, not leaving, after ten seconds.
    pub async fn close(mut self) {
        self.consumer.context().close();
        self.events.close();
        if let Some(look) = self.look.take() {
            // Its answer no longer matters, but it holds the client.
            let _ = tokio::time::timeout(CLOSE_MAX, look).await;
        }
        let Some(thread) = self.thread.take() else { return };
        drop(self);
        if tokio::time::timeout(CLOSE_MAX, blocking(move || thread.join())).await.is_err() {
            tracing::warn!("the Kafka group was not left in time; its members notice when the session ends");
        }
    }
}

/// Lets the group's offsets follow the ledger.
#[derive(Clone)]
pub struct Committer(Arc<Context>);

impl Committer {
    /// Everything before `next_offset` is stored. Returns at once; the latest of each partition is sent soon, and what
    /// fails is counted. A partition that was released or lost is left alone.
    pub fn commit(&self, partition: &PartitionId, next_offset: i64) {
        let name = TopicPartition::of(partition);
        let held = self.0.partitions();
        if held.begun.get(&name).is_some_and(|link| link.may_commit() && *link.partition == *partition) {
            self.0.commits.put(name, next_offset);
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

async fn looked(look: &mut Option<tokio::task::JoinHandle<Look>>) -> Option<Look> {
    match look {
        // A look that panicked told nothing.
        Some(look) => look.await.ok(),
        None => std::future::pending().await,
    }
}

fn absent(topic: &str) -> String {
    format!("the topic `{topic}` does not exist: create it, or correct `topics`; it is looked for again")
}

fn release_begun(consumer: &BaseConsumer<Context>, starts: &[Begin]) {
    let names = starts.iter().map(|start| TopicPartition::of(&start.partition));
    let held = consumer.context().partitions();
    let again: Vec<TopicPartition> = names.filter(|name| held.begun.contains_key(name)).collect();
    drop(held);
    if !again.is_empty() {
        context::release(consumer, &again);
    }
}

fn begin(consumer: &Arc<BaseConsumer<Context>>, starts: Vec<Begin>) -> Result<Vec<PartitionReader>, KafkaError> {
    let mut held = consumer.context().partitions();
    let mut list = TopicPartitionList::with_capacity(starts.len());
    let mut readers = Vec::with_capacity(starts.len());
    let mut begun = Vec::with_capacity(starts.len());
    for Begin { partition, offset, until } in starts {
        let wake = Arc::new(Notify::new());
        let link = Arc::new(Link::new(Arc::clone(&partition), offset, Arc::clone(&wake)));
        let name = link.name();
        let queue = PartitionQueue::split(Arc::clone(consumer), &name.topic, name.partition, wake)
            .ok_or_else(|| KafkaError::NoPartition(name.clone()))?;
        if held.owned.contains(&name) && !held.begun.contains_key(&name) {
            list.add_partition_offset(&name.topic, name.partition, Offset::Offset(offset)).map_err(|error| {
                KafkaError::Request { doing: format!("beginning {name}"), reason: error.to_string() }
            })?;
            begun.push((name, Arc::clone(&link)));
        } else {
            link.end(Ended::Revoked);
        }
        readers.push(PartitionReader::new(queue, Arc::clone(consumer), link, until));
    }
    // A reader that failed had paused its partition.
    let _ = consumer.resume(&list);
    consumer
        .incremental_assign(&list)
        .map_err(|error| KafkaError::Request { doing: "beginning partitions".to_owned(), reason: error.to_string() })?;
    held.begun.extend(begun);
    Ok(readers)
}

fn lag(consumer: &BaseConsumer<Context>, link: &Link) -> Option<u64> {
    let high = native::high_watermark(consumer, &link.partition.topic, link.partition.partition)?;
    Some(high.saturating_sub(link.next_offset()).try_into().unwrap_or(0))
}

/// Runs what may wait on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The first offset of a partition that is still there, asked without joining the group.
///
/// # Errors
/// The brokers are away, or the partition is not there.
pub async fn earliest_offset(config: &KafkaConfig, topic: &str, partition: i32) -> Result<i64, KafkaError> {
    let consumer: BaseConsumer =
        options::connection(&config.brokers, &config.options).create().map_err(|error| options::refused(&error))?;
    let topic = topic.to_owned();
    blocking(move || {
        let marks = consumer.fetch_watermarks(&topic, partition, EARLIEST_MAX);
        marks.map(|(first, _)| first).map_err(|error| KafkaError::Request {
            doing: format!("asking for the first offset of {topic}[{partition}]"),
            reason: error.to_string(),
        })
    })
    .await
}
