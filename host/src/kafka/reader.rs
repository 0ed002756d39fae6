//! Reads one partition: whatever its queue holds, as batches, in order, each event once.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr as Code;
use tokio::time::Instant;
use wasmill_core::{PartitionId, RawBatch, Record};

use super::context::Context;
use super::link::{Ended, Link};
use super::message::Messages;
use super::native;
use super::offsets;
use super::queue::PartitionQueue;
use super::{ReadError, TopicPartition};
use crate::config::BatchConfig;

/// How long the end of a partition must be quiet before offsets that hold no event (markers of transactions) are passed
/// by a batch of their own. Busy partitions pass them with their next events.
const QUIET: Duration = Duration::from_secs(1);

/// Between two looks at a queue that fills.
const LOOK_EVERY: Duration = Duration::from_millis(10);

const OUT_OF_RANGE: i32 = Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32;
const BAD_MESSAGE: i32 = Code::RD_KAFKA_RESP_ERR__BAD_MSG as i32;
const BAD_COMPRESSION: i32 = Code::RD_KAFKA_RESP_ERR__BAD_COMPRESSION as i32;
const NOT_IMPLEMENTED: i32 = Code::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED as i32;
const NOT_ALLOWED: i32 = Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32;

/// What a reader yields.
#[derive(Debug)]
pub enum Read {
    /// The next events; possibly none, where only the position moves on.
    Batch(RawBatch),
    /// Everything before the offset given as `until` was handed out.
    End,
}

/// Reads one partition. Dropping it stops nothing but the reading: the partition stays assigned until it is released.
pub struct PartitionReader {
    queue: PartitionQueue,
    consumer: Arc<BaseConsumer<Context>>,
    link: Arc<Link>,
    next_offset: i64,
    /// There is no event before this offset but those handed out; never before `next_offset`.
    quiet_until: i64,
    until: Option<i64>,
    failed: Option<ReadError>,
    leader_epoch: i32,
    /// Until when the events that are there wait for more.
    lingers_until: Option<Instant>,
}

/// An error that was taken from the queue, before the broker was asked about it.
struct Failure {
    code: i32,
    offset: i64,
    reason: String,
}

impl PartitionReader {
    pub(super) fn new(
        queue: PartitionQueue,
        consumer: Arc<BaseConsumer<Context>>,
        link: Arc<Link>,
        until: Option<i64>,
    ) -> Self {
        let next_offset = link.next_offset();
        Self {
            queue,
            consumer,
            link,
            next_offset,
            quiet_until: next_offset,
            until,
            failed: None,
            leader_epoch: -1,
            lingers_until: None,
        }
    }

    /// The partition.
    pub fn partition(&self) -> &Arc<PartitionId> {
        &self.link.partition
    }

    /// The offset of the next event to be handed out.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Events between the reader and the end of the partition as of the last fetch; `None` before the first.
    pub fn lag(&self) -> Option<u64> {
        super::lag(&self.consumer, &self.link)
    }

    /// Waits until there is something, and hands out what is there, up to the batch's limits; waits to fill a
    /// batch only for its `linger`. May be dropped at any time without losing an event.
    ///
    /// # Errors
    /// Why there is nothing more. Every further call says the same: release the partition and begin it anew.
    pub async fn next(&mut self, limits: &BatchConfig) -> Result<Read, ReadError> {
        loop {
            self.link.check()?;
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if self.until.is_some_and(|until| self.next_offset >= until) {
                return Ok(Read::End);
            }
            self.linger(limits).await;
            let batch = self.collect(limits);
            if !batch.is_empty() {
                self.lingers_until = None;
                return Ok(Read::Batch(batch));
            }
            if let Some(failure) = self.failure() {
                let error = self.explain(failure).await;
                self.hold();
                self.failed = Some(error.clone());
                return Err(error);
            }
            if !self.is_past_the_end() && !self.look_past_markers() {
                continue;
            }
            if self.is_past_the_end() {
                return Ok(Read::Batch(self.pass()));
            }
            if self.quiet_until == self.next_offset {
                self.queue.wake().notified().await;
            } else if tokio::time::timeout(QUIET, self.queue.wake().notified()).await.is_err() {
                return Ok(Read::Batch(self.pass()));
            }
        }
    }

    /// Waits until a batch would be full, or the events that are there have waited for long enough.
    async fn linger(&mut self, limits: &BatchConfig) {
        if limits.linger.is_zero() {
            return;
        }
        while (1..limits.events_max).contains(&self.queue.len()) {
            let until = *self.lingers_until.get_or_insert_with(|| Instant::now() + limits.linger);
            if Instant::now() >= until {
                return;
            }
            // The queue wakes its reader only when it was empty before.
            tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    /// Takes what the queue holds, up to the limits or an error.
    fn collect(&mut self, limits: &BatchConfig) -> RawBatch {
        let mut messages = Messages::of(Arc::clone(self.queue.consumer()));
        let mut records = Vec::new();
        let (mut bytes, mut next_offset) = (0, self.next_offset);
        let mut arrived_ns = None;
        while records.len() < limits.events_max {
            let Some(message) = self.queue.front() else { break };
            if message.error() != 0 {
                break;
            }
            let offset = message.offset();
            if offset < next_offset {
                // Fetched again after a pause in the middle of a rebalance.
                self.queue.take_front();
                continue;
            }
            if self.until.is_some_and(|until| offset >= until) {
                self.quiet_until = offset;
                break;
            }
            let leader_epoch = message.leader_epoch();
            if (0..self.leader_epoch).contains(&leader_epoch) {
                // It never falls within one topic.
                self.link.end(Ended::Replaced);
                break;
            }
            let size = message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len);
            if !records.is_empty() && bytes + size > limits.bytes_max {
                break;
            }
            if records.is_empty() {
                records.reserve(limits.events_max.min(1_024));
                messages.reserve(limits.events_max.min(1_024));
            }
            let timestamp_ns = match message.timestamp_ms() {
                Some(time_ms) => time_ms.saturating_mul(1_000_000),
                None => *arrived_ns.get_or_insert_with(now_ns),
            };
            records.push(Record { offset, timestamp_ns, cut_from: None });
            if let Some(message) = self.queue.take_front() {
                messages.push(message);
            }
            bytes += size;
            next_offset = offset + 1;
            self.leader_epoch = leader_epoch;
        }
        let partition = Arc::clone(&self.link.partition);
        let batch = RawBatch::lent(partition, self.next_offset, records, Arc::new(messages), bytes);
        if !batch.is_empty() {
            self.moved_to(batch.next_offset());
        }
        batch
    }

    /// Whether everything before `until` was handed out, or is a marker.
    fn is_past_the_end(&self) -> bool {
        self.until.is_some_and(|until| self.quiet_until >= until)
    }

    /// Once the queue is empty, the client library's position is where nothing but markers of transactions was left out. Whether it is:
    /// looked at after the position, since an event that came in between counts in it and was not handed out.
    fn look_past_markers(&mut self) -> bool {
        let PartitionId { topic, partition, .. } = &*self.link.partition;
        let position = native::position(&self.consumer, topic, *partition);
        if self.queue.front().is_some() {
            return false;
        }
        self.quiet_until = self.quiet_until.max(position.unwrap_or(self.quiet_until));
        true
    }

    /// A batch without events that moves the position past what holds none.
    fn pass(&mut self) -> RawBatch {
        let mut batch = RawBatch::new(Arc::clone(&self.link.partition), self.next_offset);
        let target = self.until.map_or(self.quiet_until, |until| until.min(self.quiet_until));
        batch.advance_to(target.max(self.next_offset));
        self.moved_to(batch.next_offset());
        batch
    }

    fn moved_to(&mut self, next_offset: i64) {
        self.next_offset = next_offset;
        self.quiet_until = self.quiet_until.max(next_offset);
        self.link.set_next_offset(next_offset);
    }

    /// Takes an error from the front of the queue.
    fn failure(&mut self) -> Option<Failure> {
        if self.queue.front()?.error() == 0 {
            return None;
        }
        let message = self.queue.take_front()?;
        let reason = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
        Some(Failure { code: message.error(), offset: message.offset(), reason })
    }

    async fn explain(&self, failure: Failure) -> ReadError {
        let partition = self.link.name();
        match failure.code {
            OUT_OF_RANGE => self.out_of_range(partition).await,
            BAD_MESSAGE | BAD_COMPRESSION | NOT_IMPLEMENTED => {
                ReadError::Undecodable { partition, offset: failure.offset, reason: failure.reason }
            }
            NOT_ALLOWED => ReadError::NotAllowed(partition),
            _ => ReadError::Broker { partition, offset: self.next_offset, reason: failure.reason },
        }
    }

    /// Asks for the numbers, and first whether this is still the same topic: one made anew is not a gap.
    async fn out_of_range(&self, partition: TopicPartition) -> ReadError {
        let (consumer, name) = (Arc::clone(&self.consumer), partition.topic.clone());
        let states =
            super::blocking(move || native::describe_topics(&consumer, &[name], false, Duration::from_secs(5))).await;
        if let Ok(states) = states
            && let [state] = states.as_slice()
            && state.id.as_ref().is_ok_and(|id| *id != self.link.partition.topic_id)
        {
            return ReadError::TopicReplaced(partition);
        }
        let asked = self.next_offset;
        match offsets::watermarks(&self.consumer, &self.link.partition).await {
            Ok((first, last)) => ReadError::OutOfRange { partition, asked, first, last },
            Err(error) => ReadError::Broker { partition, offset: asked, reason: error.to_string() },
        }
    }

    /// Stops fetching: what failed would be fetched again and again.
    fn hold(&self) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.link.partition.topic, self.link.partition.partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::debug!(%error, "a failed partition was not paused");
        }
    }
}

/// The time of arrival, for records of a topic that keeps none.
fn now_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
