use std::collections::BTreeMap;
use std::sync::Mutex;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::*;
use crate::config::Compression;
use crate::kafka::mock::{self, MockBroker};
use crate::kafka::sink::frame;

const TOPIC: &str = "out";
const MESSAGES: usize = 1_000;
/// Kafka's numbers of requests.
const PRODUCE: i16 = 0;
const INIT_PRODUCER_ID: i16 = 22;

fn producer(broker: &MockBroker, compression: Compression) -> Producer {
    let output = KafkaOutput::new(broker.brokers(), vec![TOPIC.to_owned()], compression, BTreeMap::new()).unwrap();
    // So small that several batches of a partition are under way.
    Producer::start(&output, 500).unwrap()
}

fn rows() -> Vec<Vec<u8>> {
    let row = |n: usize| {
        let (mut row, text) = (Vec::new(), n.to_string());
        let header = [(b"h".as_slice(), None)];
        frame::put(&mut row, 0, Some(text.as_bytes()), header.into_iter(), Some(text.as_bytes()));
        row
    };
    (0..MESSAGES).map(row).collect()
}

/// Sends all of them; answers which failed, and what was told meanwhile.
async fn produce(producer: &Producer, rows: &[Vec<u8>]) -> (Vec<(usize, Code)>, String) {
    let said = Mutex::new(String::new());
    let told = |trouble: Trouble<'_>| {
        let (Trouble::Failed(text) | Trouble::Waiting(text)) = trouble else { return };
        said.lock().unwrap().push_str(text);
    };
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let chosen: Vec<usize> = (0..rows.len()).collect();
    let failed = producer.produce(&rows, &chosen, &told).await;
    (failed, said.into_inner().unwrap())
}

/// The messages in the topic, as librdkafka's consumer reads them: by value, how often; and whether those of each partition are in order.
fn stored(broker: &MockBroker, least: usize) -> (BTreeMap<usize, usize>, bool) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("group.id", "reader")
        .set("fetch.wait.max.ms", "10")
        .set("check.crcs", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..mock::PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut stored, mut last, mut in_order) = (BTreeMap::new(), BTreeMap::new(), true);
    let end = Instant::now() + Duration::from_secs(20);
    while stored.values().sum::<usize>() < least && Instant::now() < end {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        assert_eq!(message.key(), message.payload());
        let n: usize = str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap();
        in_order &= last.insert(message.partition(), n).is_none_or(|before| before < n);
        *stored.entry(n).or_default() += 1;
    }
    (stored, in_order)
}

fn assert_all_once(broker: &MockBroker) {
    assert_eq!(stored(broker, MESSAGES), ((0..MESSAGES).map(|n| (n, 1)).collect(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_stored_in_order_with_each_compression() {
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let broker = MockBroker::start(TOPIC).unwrap();
        let producer = producer(&broker, compression);
        assert_eq!(produce(&producer, &rows()).await, (Vec::new(), String::new()));
        assert_eq!(producer.acknowledged(), MESSAGES as u64);
        assert_all_once(&broker);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_pass_are_waited_out_and_blame_nobody() {
    // The mock broker takes batches in any order; that it is kept, the window's own tests show. Not the leader, timed out, network, too few replicas, out of order, epoch, unknown producer.
    for error in [6, 7, 13, 19, 45, 47, 59] {
        let broker = MockBroker::start(TOPIC).unwrap();
        let producer = producer(&broker, Compression::None);
        broker.fail_next(PRODUCE, &[0, error, 0, error, error]);
        assert_eq!(produce(&producer, &rows()).await, (Vec::new(), String::new()), "error {error}");
        assert_eq!(stored(&broker, MESSAGES).0, (0..MESSAGES).map(|n| (n, 1)).collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_batch_is_given_back_and_what_follows_is_stored() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let producer = producer(&broker, Compression::None);
    // Invalid record.
    broker.fail_next(PRODUCE, &[87]);
    let rows = rows();
    let (failed, _) = produce(&producer, &rows).await;
    assert!(!failed.is_empty() && failed.len() < MESSAGES);
    assert!(failed.iter().all(|(_, code)| *code == Code::INVALID_RECORD), "{failed:?}");
    let (mut rest, in_order) = stored(&broker, MESSAGES - failed.len());
    assert!(in_order);
    rest.extend(failed.iter().map(|(row, _)| (*row, 1)));
    assert_eq!(rest, (0..MESSAGES).map(|n| (n, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn permission_to_number_is_needed_and_asked_for_again() {
    let broker = MockBroker::start(TOPIC).unwrap();
    broker.fail_next(INIT_PRODUCER_ID, &[31]);
    let producer = producer(&broker, Compression::None);
    let (mut failed, _) = produce(&producer, &rows()).await;
    assert!(failed.iter().all(|(_, code)| *code == Code::CLUSTER_AUTHORIZATION_FAILED), "{failed:?}");
    // Those that came after the answer were sent already.
    let rows = rows();
    let again: Vec<Vec<u8>> = failed.drain(..).map(|(row, _)| rows[row].clone()).collect();
    assert_eq!(produce(&producer, &again).await, (Vec::new(), String::new()));
    assert_eq!(stored(&broker, MESSAGES).0.len(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_that_is_away_is_told_and_waited_for() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let producer = producer(&broker, Compression::None);
    let rows = rows();
    assert_eq!(produce(&producer, &rows[..100]).await, (Vec::new(), String::new()));
    broker.set_up(false);
    let said = Mutex::new(String::new());
    let told = |trouble: Trouble<'_>| {
        if let Trouble::Waiting(text) = trouble {
            said.lock().unwrap().push_str(text);
            broker.set_up(true);
        }
    };
    let refs: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let chosen: Vec<usize> = (100..MESSAGES).collect();
    assert_eq!(producer.produce(&refs, &chosen, &told).await, []);
    let said = said.into_inner().unwrap();
    assert!(said.contains("the Kafka brokers cannot be reached"), "{said}");
    assert_all_once(&broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_that_move_are_followed() {
    let broker = MockBroker::start_brokers(TOPIC, 2).unwrap();
    let producer = producer(&broker, Compression::None);
    let rows = rows();
    for (turn, part) in rows.chunks(MESSAGES / 4).enumerate() {
        (0..mock::PARTITIONS).for_each(|partition| broker.lead(partition, 1 + turn as i32 % 2));
        assert_eq!(produce(&producer, part).await, (Vec::new(), String::new()), "turn {turn}");
    }
    assert_all_once(&broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_ends_while_nothing_waits_is_nothing_to_tell() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let producer = producer(&broker, Compression::None);
    let rows = rows();
    for part in rows.chunks(MESSAGES / 4) {
        assert_eq!(produce(&producer, part).await, (Vec::new(), String::new()));
        broker.set_up(false);
        broker.set_up(true);
    }
    assert_all_once(&broker);
}

#[tokio::test]
async fn batches_wait_for_room_and_one_that_is_larger_than_all_has_it_alone() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let shared = producer(&broker, Compression::None).shared.clone();
    let soon = Duration::from_millis(20);
    let room = |bytes| tokio::time::timeout(soon, shared.room(bytes));
    let half = room(33 << 20).await.unwrap();
    assert!(room(33 << 20).await.is_err());
    drop(half);
    let all = room(1 << 30).await.unwrap();
    assert!(room(1).await.is_err());
    drop(all);
    assert!(room(1).await.is_ok());
}
