//! A topic of dead letters, read to where it ends now, by a client that belongs to no group.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::mpsc;
use wasmill_core::{PartitionId, RawBatch};

use super::context::Context;
use super::reader::{PartitionReader, Read};
use super::sink::read_letter;
use super::{Begin, KafkaError, TopicPartition, begin, blocking, offsets, options, probe};
use crate::config::{BatchConfig, KafkaOutput, Topics};
use crate::store::StoredDeadLetter;

/// How long the brokers may take to tell the partitions.
const ANSWER: Duration = Duration::from_secs(10);
/// The client library wants the name of a group, though nothing is asked of it.
const NO_GROUP: &str = "wasmill-dlq";
/// Letters handed out at a time.
const BATCH: BatchConfig =
    BatchConfig { events_max: 500, bytes_max: 8 << 20, event_bytes_max: usize::MAX, linger: Duration::ZERO };

/// The topic as it is now.
pub struct LettersTopic {
    consumer: Arc<BaseConsumer<Context>>,
    /// What the sources of its letters are.
    source: &'static str,
    partitions: Vec<Stretch>,
}

/// The offsets that a partition has.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The partition.
    pub partition: Arc<PartitionId>,
    first: i64,
    end: i64,
}

/// Letters of one partition, and from where on there are more.
#[derive(Debug)]
pub struct FedLetters {
    /// In their order.
    pub letters: Vec<StoredDeadLetter>,
    /// The next offset to read.
    pub next_offset: i64,
}

impl LettersTopic {
    /// Waits until a broker answers, and looks at the topic that `output` writes letters to, of events from `source`.
    ///
    /// # Errors
    /// What waiting does not mend, or the topic is not there.
    pub async fn find(output: &KafkaOutput, source: &'static str) -> Result<Self, KafkaError> {
        let topic = output.topics.first().cloned().unwrap_or_default();
        let reached = probe::reach(&output.brokers, &output.options, &Topics::named([topic.clone()])).await?;
        if !reached.absent.is_empty() {
            return Err(KafkaError::NoTopic(topic));
        }
        // Its events tell nothing that the requests and readers do not.
        let (sender, _) = mpsc::channel(1);
        let consumer: BaseConsumer<Context> = options::connection(&output.brokers, &output.options)
            .set("group.id", NO_GROUP)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .create_with_context(Context::new(sender))
            .map_err(|error| options::refused(&error))?;
        let consumer = Arc::new(consumer);
        let names = partitions(&consumer, topic).await?;
        let mut partitions = Vec::with_capacity(names.len());
        for partition in offsets::identify(&consumer, &names).await? {
            let (first, end) = offsets::watermarks(&consumer, &partition).await?;
            partitions.push(Stretch { partition, first, end });
        }
        Ok(Self { consumer, source, partitions })
    }

    /// Its partitions.
    pub fn partitions(&self) -> &[Stretch] {
        &self.partitions
    }

    /// Reads a partition on from `mark`; from its beginning, where it does not reach there.
    ///
    /// # Errors
    /// The client library refuses.
    pub async fn read(
        &self,
        Stretch { partition, first, end }: &Stretch,
        mark: i64,
    ) -> Result<LettersReader, KafkaError> {
        let offset = if mark > *end { *first } else { mark.max(*first) };
        let start = Begin { partition: Arc::clone(partition), offset, until: Some(*end) };
        self.consumer.context().partitions().owned.insert(TopicPartition::of(partition));
        let consumer = Arc::clone(&self.consumer);
        let mut readers = blocking(move || begin(&consumer, vec![start])).await?;
        let reader = readers.pop().ok_or_else(|| KafkaError::NoPartition(TopicPartition::of(partition)))?;
        Ok(LettersReader { reader, source: self.source })
    }

    /// Ends its connections, on a thread that may wait. Drop all readers before.
    pub async fn close(self) {
        blocking(move || drop(self)).await;
    }
}

/// Reads one partition.
pub struct LettersReader {
    reader: PartitionReader,
    source: &'static str,
}

impl LettersReader {
    /// The next letters; `None`: there is no more. What is no letter is told in the log and passed over.
    ///
    /// # Errors
    /// A sentence: the partition cannot be read.
    pub async fn next(&mut self) -> Result<Option<FedLetters>, String> {
        match self.reader.next(&BATCH).await.map_err(|error| error.to_string())? {
            Read::End => Ok(None),
            Read::Batch(batch) => {
                let letters = (0..batch.len()).filter_map(|index| self.letter(&batch, index)).collect();
                Ok(Some(FedLetters { letters, next_offset: batch.next_offset() }))
            }
        }
    }

    fn letter(&self, batch: &RawBatch, index: usize) -> Option<StoredDeadLetter> {
        let letter = read_letter(self.source, batch, index);
        let (partition, offset) = (batch.partition(), batch.records()[index].offset);
        letter.inspect_err(|reason| tracing::warn!("{partition} at offset {offset} is no dead letter: {reason}")).ok()
    }
}

async fn partitions(consumer: &Arc<BaseConsumer<Context>>, topic: String) -> Result<Vec<TopicPartition>, KafkaError> {
    let consumer = Arc::clone(consumer);
    blocking(move || {
        let metadata = consumer.fetch_metadata(Some(&topic), ANSWER).map_err(|error| KafkaError::Request {
            doing: format!("asking for the partitions of {topic}"),
            reason: error.to_string(),
        })?;
        let found = metadata.topics().iter().flat_map(|found| found.partitions());
        Ok(found.map(|partition| TopicPartition { topic: topic.clone(), partition: partition.id() }).collect())
    })
    .await
}
