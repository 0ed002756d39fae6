//! A Kafka sink over TLS: by every mechanism that it knows, and not to a broker that it should not trust.

use std::collections::BTreeSet;
use std::path::Path;

use wasmill_tests::kafka::Cluster;
use wasmill_tests::kafka::door::{Door, MECHANISMS};
use wasmill_tests::kafka::read::read_topic;
use wasmill_tests::kafka_pipeline::wait;
use wasmill_tests::pipeline::{Pipeline, Ran};
use wasmill_tests::services::{self, unique};

const PASSWORD: &str = "hunter,2=";

fn run(door: &Door, topic: &str, mechanism: &str, password: &str, trusted: Option<&Path>) -> Ran {
    let trusted = trusted.map(|file| format!(", ssl.ca.location: \"{}\"", file.display())).unwrap_or_default();
    let pipeline = Pipeline::new(&format!(
        "name: secured\nsource: {{ stdin: {{}} }}\n\
         sinks: {{ out: {{ kafka: {{ brokers: \"{}\", topic: {topic}, options: {{ security.protocol: sasl_ssl, \
         sasl.mechanism: {mechanism}, sasl.username: ann, sasl.password: \"{password}\"{trusted} }} }} }} }}\n",
        door.brokers()
    ));
    pipeline.run(format!("{{\"by\":\"{mechanism}\"}}\n").as_bytes())
}

#[test]
fn sink_logs_in_over_tls_by_every_mechanism_to_a_broker_that_it_trusts() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let topic = unique("secured");
    wait(Cluster::at(&kafka.brokers()).expect("a client").create(&topic, 2, &[])).expect("a topic");
    let door = Door::to(&kafka).expect("a door");
    let trusted = door.secure(&mut kafka, PASSWORD).expect("the broker starts");
    for mechanism in MECHANISMS {
        let ran = run(&door, &topic, mechanism, PASSWORD, Some(&trusted));
        assert_eq!(ran.code, Some(0), "{mechanism}: {}", ran.stderr);
    }
    let found: BTreeSet<String> =
        read_topic(&kafka.brokers(), &topic).expect("the topic is read").iter().map(|message| message.text()).collect();
    assert_eq!(found, MECHANISMS.map(|mechanism| format!("{{\"by\":\"{mechanism}\"}}")).into());

    let stranger = run(&door, &topic, "PLAIN", PASSWORD, None);
    assert_eq!(stranger.code, Some(78), "{}", stranger.stderr);
    assert!(stranger.stderr.contains("ssl.ca.location"), "{}", stranger.stderr);
    let refused = run(&door, &topic, "SCRAM-SHA-512", "wrong", Some(&trusted));
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("check `sasl.mechanism`"), "{}", refused.stderr);
}
