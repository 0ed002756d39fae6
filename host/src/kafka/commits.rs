//! The group's offsets follow the ledger: the latest of each partition is sent, one request at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::TopicPartition;
use super::context::Context;

/// Offsets that wait, and what became of those that were sent.
#[derive(Default)]
pub(super) struct Commits {
    waiting: Mutex<Waiting>,
    failed: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    offsets: HashMap<TopicPartition, i64>,
    in_flight: bool,
}

impl Commits {
    /// The next offset of a partition; replaces one that was not yet sent.
    pub(super) fn put(&self, partition: TopicPartition, next_offset: i64) {
        self.lock().offsets.insert(partition, next_offset);
    }

    /// Drops what waits of partitions that belong to others now.
    pub(super) fn forget(&self, partitions: &[TopicPartition]) {
        let mut waiting = self.lock();
        for partition in partitions {
            waiting.offsets.remove(partition);
        }
    }

    /// Sends what waits, unless a request is under way.
    pub(super) fn flush(&self, consumer: &BaseConsumer<Context>) {
        if !self.lock().in_flight {
            self.flush_now(consumer);
        }
    }

    /// Sends what waits: before partitions are given back, since no later commit would count.
    pub(super) fn flush_now(&self, consumer: &BaseConsumer<Context>) {
        let mut waiting = self.lock();
        let offsets = std::mem::take(&mut waiting.offsets);
        if offsets.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            if list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset)).is_err() {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        match consumer.commit(&list, CommitMode::Async) {
            Ok(()) => waiting.in_flight = true,
            Err(error) => self.count(&error),
        }
    }

    /// The broker's answer to a request. A failed one is not repeated: the next commit carries a later offset, and the
    /// ledger is what counts.
    pub(super) fn answered(&self, result: KafkaResult<()>) {
        self.lock().in_flight = false;
        if let Err(error) = result {
            self.count(&error);
        }
    }

    /// Requests that failed since the start.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    fn count(&self, error: &rdkafka::error::KafkaError) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "the group's offset was not committed");
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
