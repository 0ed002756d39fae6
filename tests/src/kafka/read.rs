//! Reads a topic as any consumer would, to see what is in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::PATIENCE;

/// A message as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Found {
    /// The last header of this name as text; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().rev().find(|(found, _)| found == name);
        let value = found.and_then(|(_, value)| value.as_deref()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// The value as text; empty where there is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Everything that is in a topic now, partition by partition in order.
///
/// # Errors
/// When the topic cannot be read to its end in time.
pub fn read_topic(brokers: &str, topic: &str) -> Result<Vec<Found>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().context("the topic is asked for")?.partitions();
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
        if end > first {
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&list)?;
    let deadline = Instant::now() + PATIENCE;
    let mut found = BTreeMap::new();
    while !ends.is_empty() {
        ensure!(Instant::now() < deadline, "{topic} cannot be read to its end: {ends:?} are missing");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let headers = message.headers().into_iter().flat_map(Headers::iter);
                let one = Found {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
                };
                found.insert((one.partition, one.offset), one);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                // The last offsets may be no messages (a transaction's marks, compaction), so only the client knows its place.
                let reached = consumer.position()?.find_partition(topic, partition).map(|position| position.offset());
                if let Some(Offset::Offset(offset)) = reached
                    && ends.get(&partition).is_some_and(|end| offset >= *end)
                {
                    ends.remove(&partition);
                }
            }
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    Ok(found.into_values().collect())
}
