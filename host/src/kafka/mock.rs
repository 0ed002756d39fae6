//! The demo's broker: librdkafka's own mock cluster, inside this process, reached over TCP by the real client.
//!
//! It is no stand-in for Kafka. It keeps 5 MiB (compressed) of a partition and silently drops the oldest; it answers an
//! empty fetch only after the whole of `fetch.wait.max.ms`; and a group's first join takes it three seconds, which is set
//! shorter here. So: eight partitions, a short wait, and a feeder that stays close ahead of the readers.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_cluster_bootstraps, rd_kafka_mock_group_initial_rebalance_delay_ms,
    rd_kafka_mock_topic_create,
};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::KafkaError;
use crate::config::{KafkaConfig, Secret, Start, Topics};
use crate::demo::events::Event;

/// Partitions of the demo's topic.
pub const PARTITIONS: i32 = 8;

/// Events that may be in the broker unread. All of them in one partition, compressed, stay below what it keeps.
pub const AHEAD_MAX: u64 = 20_000;

/// How long the mock broker waits for more members before a group starts.
const JOIN_DELAY_MS: i32 = 10;

/// How long it lets an empty fetch wait.
const FETCH_WAIT_MS: &str = "10";

/// How long the last events may take to be written.
const FLUSH: Duration = Duration::from_secs(30);

/// The mock broker, and the producer that it lives in. Dropping it ends the broker.
pub struct MockBroker {
    producer: BaseProducer,
    topic: String,
}

impl MockBroker {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// No port could be opened, or the topic's name is none.
    pub fn start(topic: &str) -> Result<Self, KafkaError> {
        Self::start_brokers(topic, 1)
    }

    /// The same with several brokers, numbered from one.
    pub(super) fn start_brokers(topic: &str, brokers: i32) -> Result<Self, KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", brokers.to_string())
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .create()
            .map_err(|error| KafkaError::Options(error.to_string()))?;
        let name = CString::new(topic).map_err(|_| KafkaError::NoTopic(topic.to_owned()))?;
        // SAFETY: the client is alive; the cluster, null if there is none, belongs to it and is used only here.
        let error = unsafe {
            let cluster = rd_kafka_handle_mock_cluster(producer.client().native_ptr());
            if cluster.is_null() {
                return Err(KafkaError::Fatal("the mock broker did not start".to_owned()));
            }
            rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, JOIN_DELAY_MS);
            rd_kafka_mock_topic_create(cluster, name.as_ptr(), PARTITIONS, 1)
        };
        if error as i32 != 0 {
            return Err(KafkaError::NoTopic(topic.to_owned()));
        }
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Its address.
    pub fn brokers(&self) -> String {
        // SAFETY: the client, and with it the cluster, lives as long as `self`; the text lives as long as the cluster and
        // is copied here.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.producer.client().native_ptr());
            std::ffi::CStr::from_ptr(rd_kafka_mock_cluster_bootstraps(cluster)).to_string_lossy().into_owned()
        }
    }

    /// Has the next requests of a kind answered with errors, by Kafka's numbers of both; zero is none.
    #[cfg(test)]
    pub(crate) fn fail_next(&self, request: i16, errors: &[i32]) {
        // SAFETY: the client, and with it the cluster, lives as long as `self`; the errors are copied.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.producer.client().native_ptr());
            let errors = (errors.len(), errors.as_ptr().cast());
            rdkafka::bindings::rd_kafka_mock_push_request_errors_array(cluster, request, errors.0, errors.1);
        }
    }

    /// Has a broker lead a partition.
    #[cfg(test)]
    pub(crate) fn lead(&self, partition: i32, broker: i32) {
        let topic = CString::new(self.topic.as_str()).unwrap();
        // SAFETY: the client, and with it the cluster, lives as long as `self`; the name is copied.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.producer.client().native_ptr());
            rdkafka::bindings::rd_kafka_mock_partition_set_leader(cluster, topic.as_ptr(), partition, broker);
        }
    }

    /// Whether it takes connections; those that it has end with it.
    #[cfg(test)]
    pub(crate) fn set_up(&self, is_up: bool) {
        // SAFETY: the client, and with it the cluster, lives as long as `self`.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.producer.client().native_ptr());
            if is_up {
                rdkafka::bindings::rd_kafka_mock_broker_set_up(cluster, 1);
            } else {
                rdkafka::bindings::rd_kafka_mock_broker_set_down(cluster, 1);
            }
        }
    }

    /// A source that reads its topic from the beginning.
    pub fn source(&self, group: &str) -> KafkaConfig {
        KafkaConfig {
            brokers: self.brokers(),
            topics: Topics::named([self.topic.clone()]),
            group: group.to_owned(),
            group_instance_id: None,
            from: Start::Earliest,
            fetch_bytes_max: 32 << 20,
            options: BTreeMap::from([("fetch.wait.max.ms".to_owned(), Secret::new(FETCH_WAIT_MS))]),
        }
    }

    /// Writes events, each to the partition of its key, never more than [`AHEAD_MAX`] ahead of how many were `read`; ends
    /// early on `stop`. Returns how many were written. Blocks: for a thread of its own.
    ///
    /// # Errors
    /// The broker refused an event.
    pub fn feed(
        &self,
        events: impl IntoIterator<Item = Event>,
        read: impl Fn() -> u64,
        stop: &AtomicBool,
    ) -> Result<u64, KafkaError> {
        let mut fed = 0;
        for event in events {
            while fed >= read().saturating_add(AHEAD_MAX) && !stop.load(Ordering::Acquire) {
                self.producer.poll(Duration::from_millis(2));
            }
            if stop.load(Ordering::Acquire) {
                break;
            }
            self.send(&event)?;
            fed += 1;
        }
        self.producer.flush(FLUSH).map_err(|error| refused(&error))?;
        Ok(fed)
    }

    fn send(&self, event: &Event) -> Result<(), KafkaError> {
        let headers = event
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let mut record =
            BaseRecord::<[u8], [u8]>::to(&self.topic).key(&event.key).timestamp(event.time_ms).headers(headers);
        record.payload = event.payload.as_deref();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    record = again;
                    self.producer.poll(Duration::from_millis(2));
                }
                Err((error, _)) => return Err(refused(&error)),
            }
        }
    }
}

fn refused(error: &ClientError) -> KafkaError {
    KafkaError::Request { doing: "writing to the mock broker".to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::config::BatchConfig;
    use crate::demo::events::Events;
    use crate::kafka::{Begin, KafkaEvent, KafkaSource, Read};

    /// The demo's way, with more events than may be ahead.
    #[tokio::test(flavor = "multi_thread")]
    async fn everything_that_is_fed_is_read_though_the_feeder_is_faster() {
        const EVENTS: u64 = 50_000;
        let broker = Arc::new(MockBroker::start("demo").expect("it starts"));
        let mut source = KafkaSource::connect(&broker.source("demo")).await.expect("it connects");
        let read = Arc::new(AtomicU64::new(0));
        let feeder = {
            let (broker, read) = (Arc::clone(&broker), Arc::clone(&read));
            let events = Events::new(7, 1.0);
            std::thread::spawn(move || {
                let read = || read.load(Ordering::Acquire);
                broker.feed((0..EVENTS).map(|index| events.event(index)), read, &AtomicBool::new(false))
            })
        };
        let partitions = loop {
            if let KafkaEvent::Assigned(partitions) = source.next().await {
                break partitions;
            }
        };
        assert_eq!(partitions.len(), PARTITIONS as usize);
        let ids = source.identify(&partitions).await.expect("the mock broker knows them");
        assert!(ids.iter().all(|id| !id.cluster.is_empty() && !id.topic_id.is_empty()), "{:?}", ids[0]);
        let starts = ids.into_iter().map(|partition| Begin { partition, offset: 0, until: None }).collect();
        let (sender, mut batches) = tokio::sync::mpsc::channel(8);
        for mut reader in source.begin(starts).await.expect("they begin") {
            let (sender, read) = (sender.clone(), Arc::clone(&read));
            tokio::spawn(async move {
                let limits = BatchConfig {
                    events_max: 2_000,
                    bytes_max: 1 << 20,
                    event_bytes_max: 1 << 20,
                    linger: Duration::ZERO,
                };
                while let Ok(Read::Batch(batch)) = reader.next(&limits).await {
                    read.fetch_add(batch.len() as u64, Ordering::Release);
                    if sender.send(batch).await.is_err() {
                        break;
                    }
                }
            });
        }
        let mut seen = BTreeSet::new();
        while seen.len() < EVENTS as usize {
            let batch = tokio::time::timeout(Duration::from_secs(60), batches.recv()).await.expect("in time");
            let batch = batch.expect("readers go on");
            for record in batch.records() {
                assert!(seen.insert((batch.partition().partition, record.offset)), "it came once");
            }
        }
        assert_eq!(feeder.join().expect("no panic").expect("the broker takes them"), EVENTS);
        drop(batches);
        source.close().await;
    }
}
