use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::config::{Compression, KafkaOutput};
use crate::kafka::mock::MockBroker;

const TOPIC: &str = "out";
const MESSAGES: usize = 1_000;

/// A sink, without asking the broker for rights and limits, which the mock does not know.
fn sink(broker: &MockBroker) -> KafkaSink {
    let topics = vec![TOPIC.to_owned()];
    let output = KafkaOutput::new(broker.brokers(), topics.clone(), Compression::None, BTreeMap::new()).unwrap();
    let limits = vec![1_000_000];
    let producer = Producer::start(&output, connect::batch_bytes(&limits)).unwrap();
    let retry = RetryConfig { initial: Duration::from_millis(1), max: Duration::from_millis(10) };
    KafkaSink { topics, limits, retry, producer }
}

fn messages() -> Vec<Vec<u8>> {
    let message = |n: usize| {
        let mut row = Vec::new();
        frame::put(&mut row, 0, Some(n.to_string().as_bytes()), std::iter::empty(), Some(b"{}"));
        row
    };
    (0..MESSAGES).map(message).collect()
}

/// Writes them all; answers who was refused and what was told meanwhile.
async fn write(sink: &KafkaSink, messages: &[Vec<u8>]) -> (Vec<Refused>, String) {
    let said = Mutex::new(String::new());
    let told = |trouble: Trouble<'_>| {
        let (Trouble::Failed(text) | Trouble::Waiting(text)) = trouble else { return };
        said.lock().unwrap().push_str(text);
    };
    let rows: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let refused = sink.write(&rows, &told).await;
    (refused, said.into_inner().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_is_suspected_is_sent_alone_before_it_is_blamed() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let sink = sink(&broker);
    // An invalid record among those of a batch; which one, the broker does not say.
    broker.fail_next(0, &[87]);
    assert_eq!(write(&sink, &messages()).await, (Vec::new(), String::new()));
    assert_eq!(sink.producer.acknowledged(), MESSAGES as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_messages_fault_is_told_and_tried_again() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let sink = sink(&broker);
    // Not allowed to write; a policy.
    broker.fail_next(0, &[29, 44]);
    let (refused, said) = write(&sink, &messages()).await;
    assert_eq!(refused, []);
    assert!(said.contains("give this user the Write permission") || said.contains("POLICY_VIOLATION (44)"), "{said}");
    assert_eq!(sink.producer.acknowledged(), MESSAGES as u64);
}
