//! Topics by a pattern: those that are there, those that come later, those that go.

use wasmill_tests::kafka_pipeline::{KafkaPipeline, wait};
use wasmill_tests::pipeline::eventually;
use wasmill_tests::services;

/// The pipeline with the pattern of all topics that begin with its own one's name, and these topics.
fn reading(brokers: &str, topics: &[&str]) -> KafkaPipeline {
    let rows = KafkaPipeline::at(brokers);
    rows.replace(&format!("topics: [{}]", rows.topic), &format!("topics: [\"^{}-[a-z]+$\"]", rows.topic));
    rows.replace("part: $partition", "part: $topic");
    for topic in topics {
        create(&rows, topic);
    }
    rows
}

fn create(rows: &KafkaPipeline, name: &str) {
    let topic = format!("{}-{name}", rows.topic);
    wait(rows.cluster.create(&topic, 1, &[])).expect("the topic can be made");
    let records = (0..10).map(|n| wasmill_tests::kafka::Record::of(format!("{{\"id\":\"{name}-{n}\"}}")));
    rows.cluster.produce(&topic, 0, records).expect("the events are written");
}

/// How many rows there are of each topic, by the end of its name.
fn counts(rows: &KafkaPipeline) -> Vec<(String, String)> {
    let found =
        rows.pipeline.sqlite("out.db", "SELECT part, count(DISTINCT id) FROM events GROUP BY part ORDER BY part");
    let last = |topic: &str| topic.rsplit('-').next().unwrap_or_default().to_owned();
    found.into_iter().map(|row| (last(&row[0]), row[1].clone())).collect()
}

fn tens(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), "10".to_owned())).collect()
}

#[test]
fn topics_that_match_are_read_from_their_first_event_whenever_they_come() {
    let Some(brokers) = services::kafka() else { return };
    let rows = reading(&brokers, &["one", "two", "3"]);
    let (running, admin) = rows.start();
    admin.wait_until_received(20);
    create(&rows, "later");
    create(&rows, "4");
    admin.wait_until_received(30);
    wait(rows.cluster.delete(&format!("{}-one", rows.topic))).expect("the topic is deleted");
    create(&rows, "last");
    admin.wait_until_received(40);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(counts(&rows), tens(&["last", "later", "one", "two"]));
}

#[test]
fn pattern_that_matches_nothing_yet_waits_and_says_so() {
    let Some(brokers) = services::kafka() else { return };
    let rows = reading(&brokers, &[]);
    let (mut running, admin) = rows.start();
    running.wait_for_log("no topic matches");
    create(&rows, "first");
    admin.wait_until_received(10);
    eventually("the rows are there", || counts(&rows) == tens(&["first"]));
    assert_eq!(running.stop().code, Some(0));
}
