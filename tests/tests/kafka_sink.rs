//! Kafka → plugins → Kafka, through the whole program: what a message has, where it goes, and what a topic does not take.

use std::collections::BTreeSet;

use serde_json::Value;
use wasmill_tests::kafka::read::{Found, read_topic};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{Pipeline, Ran};
use wasmill_tests::services::{self, unique};

/// A topic to read, a topic to write, and a home.
struct Way {
    brokers: String,
    cluster: Cluster,
    input: String,
    output: String,
}

impl Way {
    fn new() -> Option<Self> {
        let brokers = services::kafka()?;
        let cluster = Cluster::at(&brokers).expect("a client");
        let way = Self { input: unique("in"), output: unique("out"), brokers, cluster };
        wait(way.cluster.create(&way.input, 2, &[])).expect("a topic");
        Some(way)
    }

    fn create(&self, topic: &str, settings: &[(&str, &str)]) {
        wait(self.cluster.create(topic, 3, settings)).expect("a topic");
    }

    /// A pipeline whose sink `out` has `kafka` besides its brokers, and `more` besides that.
    fn pipeline(&self, kafka: &str, more: &str) -> Pipeline {
        Pipeline::new(&format!(
            "name: way\n{}plugins: plugins.d\nhome: {{ sqlite: {{ path: home.db }} }}\n\
             sinks: {{ out: {{ kafka: {{ brokers: \"{}\", {kafka} }}{more} }} }}\n",
            source(&self.brokers, &self.input, "earliest"),
            self.brokers
        ))
    }

    fn produce(&self, records: impl IntoIterator<Item = Record>) {
        self.cluster.produce(&self.input, 0, records).expect("they are written");
    }

    fn read(&self, topic: &str) -> Vec<Found> {
        read_topic(&self.brokers, topic).expect("the topic is read")
    }

    /// The origin of the event at this offset of partition 0, but for the ids of cluster and topic.
    fn assert_origin(&self, message: &Found, offset: i64) {
        let origin = message.header("wasmill-origin");
        let parts: Vec<&str> = origin.split('/').collect();
        let [cluster, topic, id, partition, place] = parts[..] else { panic!("{origin}") };
        assert!(!cluster.is_empty() && !id.is_empty(), "{origin}");
        assert_eq!((topic, partition, place), (self.input.as_str(), "0", offset.to_string().as_str()));
    }
}

fn clean(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.report()
}

fn codes(pipeline: &Pipeline) -> Vec<Vec<String>> {
    pipeline.sqlite("home.db", "SELECT code, \"offset\" FROM wasmill_dead_letters ORDER BY id")
}

#[test]
fn message_keeps_key_and_headers_has_its_origin_and_the_payload_after_enrichment_with_each_compression() {
    let Some(way) = Way::new() else { return };
    let headers = vec![
        ("trace".to_owned(), Some(b"1".to_vec())),
        ("trace".to_owned(), Some(vec![0xff, 0])),
        ("null".to_owned(), None),
        ("empty".to_owned(), Some(Vec::new())),
    ];
    let event = |n: usize| format!("{{\"n\":{n},\"text\":\"{}\"}}", "the same again, ".repeat(20));
    way.produce([
        Record { key: Some(b"key".to_vec()), headers: headers.clone(), ..Record::of(event(0)) },
        Record { key: Some(Vec::new()), ..Record::of(event(1)) },
        Record::of(event(2)),
        Record::of("no JSON"),
    ]);
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let output = format!("{}-{compression}", way.output);
        way.create(&output, &[]);
        let pipeline = way.pipeline(&format!("topic: {output}, compression: {compression}"), "");
        let pipeline = pipeline.plugin(20, "enrich-env", "config: { env: test }");
        let ran = pipeline.run(b"");
        clean(&ran);
        let report = ran.assert_sums(&["out"]);
        assert_eq!((&report["delivered"]["out"], &report["dead_letters"]), (&Value::from(3), &Value::from(1)));
        assert_eq!(report["sinks"][0]["guarantee"], "at least once");

        let mut found = way.read(&output);
        found.sort_by_key(Found::text);
        assert_eq!(found.len(), 3, "{compression}");
        for (message, n) in found.iter().zip(0..) {
            way.assert_origin(message, n);
            let value: Value = serde_json::from_slice(message.value.as_deref().expect("a value")).expect("JSON");
            assert_eq!((&value["n"], &value["env"]), (&Value::from(n), &Value::from("test")));
        }
        assert_eq!(found[0].headers[..4], headers);
        assert_eq!(found.iter().map(|one| one.headers.len()).collect::<Vec<_>>(), [5, 1, 1]);
        let keys: Vec<_> = found.iter().map(|one| one.key.as_deref()).collect();
        assert_eq!(keys, [Some(b"key".as_slice()), Some(b""), None]);
    }
}

#[test]
fn key_from_a_field_brings_equal_keys_to_one_partition_and_when_chooses() {
    let Some(way) = Way::new() else { return };
    way.create(&way.output, &[]);
    way.produce((0..100).map(|n| Record::of(format!("{{\"n\":{n},\"service\":{{\"name\":\"s{}\"}}}}", n % 5))));
    let pipeline = way.pipeline(&format!("topic: {}, key: service.name", way.output), ", when: 'n >= 50'");
    let report = clean(&pipeline.run(b""));
    assert_eq!((&report["delivered"]["out"], &report["filtered"]["out"]), (&Value::from(50), &Value::from(50)));
    let found = way.read(&way.output);
    assert_eq!(found.len(), 50);
    let placed: BTreeSet<_> = found.iter().map(|one| (one.key.clone(), one.partition)).collect();
    assert_eq!(placed.len(), 5, "{placed:?}");
}

#[test]
fn alert_is_a_message_with_its_id_and_its_key() {
    let Some(way) = Way::new() else { return };
    way.create(&way.output, &[]);
    let events = [("a", "ERROR"), ("b", "INFO"), ("c", "ERROR")];
    way.produce(events.map(|(host, severity)| Record {
        key: Some(b"of the event".to_vec()),
        ..Record::of(format!("{{\"host\":\"{host}\",\"severity\":\"{severity}\"}}"))
    }));
    let pipeline = way.pipeline(&format!("topic: {}", way.output), ", from: alerts");
    let rules = "config: { rules: [{ name: bad, when: 'severity == \"ERROR\"', severity: error, key: host, summary: '{host}' }] }";
    let pipeline = pipeline.plugin(30, "alert-rules", rules);
    assert_eq!(clean(&pipeline.run(b""))["delivered"]["out"], 2);
    let mut found = way.read(&way.output);
    found.sort_by_key(|one| one.key.clone());
    for (message, (host, offset)) in found.iter().zip([("a", 0), ("c", 2)]) {
        let alert: Value = serde_json::from_str(&message.text()).expect("JSON");
        assert_eq!((alert["rule"].as_str(), alert["key"].as_str()), (Some("bad"), Some(host)));
        assert_eq!(message.key.as_deref(), Some(host.as_bytes()));
        assert_eq!(alert["id"].as_str(), Some(message.header("wasmill-alert-id").as_str()));
        way.assert_origin(message, offset);
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn template_brings_events_to_the_listed_topics_and_others_become_dead_letters() {
    let Some(way) = Way::new() else { return };
    for env in ["prod", "7"] {
        way.create(&format!("{}-{env}", way.output), &[]);
    }
    let values = ["\"prod\"", "7", "\"test\"", "\"../prod\"", "true", "null", "\"prod\""];
    way.produce(values.map(|value| Record::of(format!("{{\"env\":{value}}}"))));
    let kafka = format!("topic: \"{0}-{{env}}\", topics: [{0}-prod, {0}-7]", way.output);
    let pipeline = way.pipeline(&kafka, "");
    let ran = pipeline.run(b"");
    clean(&ran);
    ran.assert_sums(&["out"]);
    assert_eq!(way.read(&format!("{}-prod", way.output)).len(), 2);
    assert_eq!(way.read(&format!("{}-7", way.output)).len(), 1);
    assert_eq!(codes(&pipeline), [["bad_topic", "2"], ["bad_topic", "3"], ["bad_topic", "4"], ["bad_topic", "5"]]);
}

#[test]
fn message_over_its_topics_limit_is_a_dead_letter_with_both_numbers_and_its_neighbours_arrive() {
    let Some(way) = Way::new() else { return };
    way.create(&way.output, &[("max.message.bytes", "5000")]);
    let event =
        |n: usize| Record::of(format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(if n == 500 { 5_000 } else { 100 })));
    way.produce((0..1_000).map(event));
    let pipeline = way.pipeline(&format!("topic: {}, compression: none", way.output), "");
    let ran = pipeline.run(b"");
    clean(&ran);
    ran.assert_sums(&["out"]);
    assert_eq!(codes(&pipeline), [["too_large", "500"]]);
    let reason = &pipeline.sqlite("home.db", "SELECT reason FROM wasmill_dead_letters")[0][0];
    assert!(reason.contains("takes 5000") && reason.contains("bytes"), "{reason}");
    assert_eq!(way.read(&way.output).len(), 999);
}

#[test]
fn compacted_topic_refuses_the_message_without_a_key_alone() {
    let Some(way) = Way::new() else { return };
    way.create(&way.output, &[("cleanup.policy", "compact")]);
    let record = |n: usize| {
        let key = (n != 50).then(|| n.to_string().into_bytes());
        Record { key, ..Record::of(format!("{{\"n\":{n}}}")) }
    };
    way.produce((0..100).map(record));
    let pipeline = way.pipeline(&format!("topic: {}", way.output), "");
    let ran = pipeline.run(b"");
    clean(&ran);
    ran.assert_sums(&["out"]);
    assert_eq!(codes(&pipeline), [["refused_by_broker", "50"]]);
    let origins: BTreeSet<_> = way.read(&way.output).iter().map(|one| one.header("wasmill-origin")).collect();
    assert_eq!(origins.len(), 99);
}

#[test]
fn unknown_topic_ends_the_start_with_how_to_create_it() {
    let Some(way) = Way::new() else { return };
    let ran = way.pipeline(&format!("topic: {}", way.output), "").run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    let told = format!(
        "sink out: the topic `{0}` does not exist: create it (`kafka-topics.sh --bootstrap-server BROKERS --create --topic {0}`)",
        way.output
    );
    assert!(ran.stderr.contains(&told), "{}", ran.stderr);
}
