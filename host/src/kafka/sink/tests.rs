use std::collections::BTreeMap;

use super::*;
use crate::config::{Compression, KafkaOutput};
use crate::kafka::mock::MockBroker;

const TOPIC: &str = "out";
const MESSAGES: usize = 1_000;

/// A sink, without asking the broker for rights and limits, which the mock does not know.
fn sink(broker: &MockBroker) -> KafkaSink {
    let output = KafkaOutput {
        brokers: broker.brokers(),
        topics: vec![TOPIC.to_owned()],
        compression: Compression::None,
        options: BTreeMap::new(),
    };
    let limits = vec![1_000_000];
    let settings = connect::settings(&output, &limits);
    let client = Client::new(&settings, &output.topics).unwrap();
    let retry = RetryConfig { initial: Duration::from_millis(1), max: Duration::from_millis(10) };
    KafkaSink { settings, topics: output.topics, limits, retry, client: Mutex::new(Arc::new(client)) }
}

fn messages() -> Vec<Vec<u8>> {
    let message = |n: usize| {
        let mut row = Vec::new();
        frame::begin(&mut row, 0, Some(n.to_string().as_bytes()), 0, std::iter::empty());
        frame::begin_value(&mut row, true);
        row.extend_from_slice(b"{}");
        row
    };
    (0..MESSAGES).map(message).collect()
}

/// Writes them all; answers what was told meanwhile.
async fn write(sink: &KafkaSink, messages: &[Vec<u8>]) -> String {
    let said = Mutex::new(String::new());
    let told = |trouble: Trouble<'_>| {
        let (Trouble::Failed(text) | Trouble::Waiting(text)) = trouble else { return };
        said.lock().unwrap().push_str(text);
    };
    let rows: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let refused = sink.write(&rows, &told).await;
    assert!(refused.is_empty(), "nobody is to blame: {refused:?}");
    said.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_failed_for_good_is_made_anew_and_every_message_is_sent() {
    let broker = MockBroker::start(TOPIC).unwrap();
    let sink = sink(&broker);
    let messages = messages();
    assert_eq!(write(&sink, &messages).await, "");
    let broken = sink.client();
    broken.fail_for_good();
    let said = write(&sink, &messages).await;
    assert!(said.contains("failed for good and is made anew"), "{said}");
    let renewed = sink.client();
    assert!(!Arc::ptr_eq(&broken, &renewed));
    assert_eq!((broken.context().acknowledged(), renewed.context().acknowledged()), (1_000, 1_000));
}
