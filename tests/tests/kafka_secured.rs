//! A Kafka sink over TLS: by every mechanism and form of its own certificate, and not to a broker that it should not trust.

use std::collections::BTreeSet;
use std::fs;

use wasmill_tests::kafka::Cluster;
use wasmill_tests::kafka::door::{Door, MECHANISMS};
use wasmill_tests::kafka::read::read_topic;
use wasmill_tests::kafka_pipeline::wait;
use wasmill_tests::pipeline::{Pipeline, Ran};
use wasmill_tests::services::{self, unique};

const PASSWORD: &str = "hunter,2=";

fn run(door: &Door, topic: &str, mechanism: &str, password: &str, tls: &str) -> Ran {
    let pipeline = Pipeline::new(&format!(
        "name: secured\nsource: {{ stdin: {{}} }}\n\
         sinks: {{ out: {{ kafka: {{ brokers: \"{}\", topic: {topic}, options: {{ security.protocol: sasl_ssl, \
         sasl.mechanism: {mechanism}, sasl.username: ann, sasl.password: \"{password}\", {tls} }} }} }} }}\n",
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
    let papers = door.secure(&mut kafka, PASSWORD).expect("the broker starts");
    let trusted = format!("ssl.ca.location: \"{}\"", papers.trusted.display());
    let inline = |file| format!("{:?}", fs::read_to_string(file).expect("it is there"));
    let shown = [
        format!(
            "ssl.certificate.location: \"{}\", ssl.key.location: \"{}\", ssl.key.password: \"{PASSWORD}\"",
            papers.certificate.display(),
            papers.key.display()
        ),
        format!(
            "ssl.certificate.pem: {}, ssl.key.pem: {}, ssl.key.password: \"{PASSWORD}\"",
            inline(&papers.certificate),
            inline(&papers.key)
        ),
        format!("ssl.keystore.location: \"{}\", ssl.keystore.password: \"{PASSWORD}\"", papers.keystore.display()),
    ];
    for (mechanism, shown) in MECHANISMS.iter().zip(&shown) {
        let ran = run(&door, &topic, mechanism, PASSWORD, &format!("{trusted}, {shown}"));
        assert_eq!(ran.code, Some(0), "{mechanism}: {}", ran.stderr);
    }
    let found: BTreeSet<String> =
        read_topic(&kafka.brokers(), &topic).expect("the topic is read").iter().map(|message| message.text()).collect();
    assert_eq!(found, MECHANISMS.map(|mechanism| format!("{{\"by\":\"{mechanism}\"}}")).into());

    let wrong = [
        ("PLAIN", PASSWORD, shown[0].clone(), "ssl.ca.location"),
        ("PLAIN", PASSWORD, trusted.clone(), "ssl.certificate.location"),
        ("SCRAM-SHA-512", "wrong", format!("{trusted}, {}", shown[0]), "check `sasl.mechanism`"),
    ];
    for (mechanism, password, tls, told) in wrong {
        let ran = run(&door, &topic, mechanism, password, &tls);
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}
