//! Dead letters to Kafka: what a letter has, that each comes at least once and none twice without a crash, and that a topic that is
//! away holds up nothing else.

use std::collections::BTreeSet;

use wasmill_tests::admin::Admin;
use wasmill_tests::kafka::read::{Found, read_topic};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services::{self, unique};

const HOME: &str = "sinks: { rows: { sqlite: { path: out.db, table: events, create: true, columns: { n: { from: n, type: bigint } } } } }";
const HOMELESS: &str = "sinks: { nowhere: { discard: {} } }";

/// A stream from the shared Kafka whose dead letters go to a topic of `to`.
struct Letters {
    from: Cluster,
    to: String,
    input: String,
    topic: String,
    pipeline: Pipeline,
}

impl Letters {
    fn new(to: &str, sinks: &str, settings: &[(&str, &str)], also: &str) -> Option<Self> {
        let brokers = services::kafka()?;
        let (input, topic) = (unique("in"), unique("dead"));
        let from = Cluster::at(&brokers).expect("a client");
        wait(from.create(&input, 1, &[])).expect("a topic");
        wait(Cluster::at(to).expect("a client").create(&topic, 2, settings)).expect("a topic");
        let pipeline = Pipeline::new(&format!(
            "name: letters\n{}{sinks}\ndead_letters: {{ kafka: {{ brokers: \"{to}\", topic: {topic} }}{also} }}\n",
            source(&brokers, &input, "earliest")
        ));
        Some(Self { from, to: to.to_owned(), input, topic, pipeline })
    }

    fn produce(&self, records: impl IntoIterator<Item = Record>) {
        self.from.produce(&self.input, 0, records).expect("they are written");
    }

    fn run(&self, received: u64, dead_letters: u64) {
        let ran = self.pipeline.run(b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let report = ran.report();
        let counted = (report["received"].as_u64(), report["dead_letters"].as_u64());
        assert_eq!(counted, (Some(received), Some(dead_letters)), "{report}\n{}", ran.stderr);
    }

    /// What is in the topic, by origin's offset.
    fn found(&self) -> Vec<Found> {
        let mut found = read_topic(&self.to, &self.topic).expect("the topic is read");
        found.sort_by_key(offset);
        found
    }
}

fn offset(letter: &Found) -> u64 {
    let origin = letter.header("wasmill-origin");
    origin.rsplit('/').next().and_then(|offset| offset.parse().ok()).unwrap_or_else(|| panic!("no origin: {origin}"))
}

fn ids(letters: &[Found]) -> BTreeSet<String> {
    letters.iter().map(|letter| letter.header("wasmill-dead-letter-id")).collect()
}

/// One for each way that an event leaves: before the plugins, and at a sink.
fn records() -> [Record; 4] {
    let headers = vec![("trace".to_owned(), Some(b"1".to_vec())), ("null".to_owned(), None)];
    [
        Record { key: Some(b"key".to_vec()), headers, ..Record::of(b"no \xff JSON".to_vec()) },
        Record { key: Some(b"gone".to_vec()), ..Record::default() },
        Record::of(r#"{"n":1}"#),
        Record::of(r#"{"n":"one"}"#),
    ]
}

fn assert_first_two(found: &[Found]) {
    let [bad, tombstone, ..] = found else { panic!("{found:?}") };
    assert_eq!((bad.key.as_deref(), bad.value.as_deref()), (Some(b"key".as_slice()), Some(b"no \xff JSON".as_slice())));
    assert_eq!(bad.headers[..2], [("trace".to_owned(), Some(b"1".to_vec())), ("null".to_owned(), None)]);
    assert_eq!((bad.header("wasmill-code").as_str(), bad.header("wasmill-stage").as_str()), ("bad_utf8", "parse"));
    assert!(bad.header("wasmill-reason").contains("UTF-8") && !bad.header("wasmill-rejected-at").is_empty());
    assert_eq!((tombstone.key.as_deref(), tombstone.value.as_deref()), (Some(b"gone".as_slice()), None));
    assert_eq!(tombstone.header("wasmill-code"), "tombstone");
}

#[test]
fn letter_has_the_events_parts_and_what_happened_and_comes_once_beside_the_file() {
    let Some(brokers) = services::kafka() else { return };
    let Some(letters) = Letters::new(&brokers, HOME, &[], ", file: { path: dead.jsonl }") else { return };
    letters.produce(records());
    letters.run(4, 3);
    let found = letters.found();
    assert_first_two(&found);
    assert_eq!((found.len(), ids(&found).len()), (3, 3));
    assert_eq!(
        (found[2].header("wasmill-code").as_str(), found[2].header("wasmill-sink").as_str()),
        ("wrong_type", "rows")
    );
    assert_eq!((offset(&found[2]), found[2].text().as_str()), (3, r#"{"n":"one"}"#));

    letters.produce([Record::of("the next one")]);
    letters.run(1, 1);
    let found = letters.found();
    assert_eq!((found.len(), offset(&found[3])), (4, 4), "the mark is where the last run ended");
    let lines = std::fs::read_to_string(letters.pipeline.path("dead.jsonl")).expect("the file is there too");
    assert_eq!(lines.lines().count(), 4);
    let marks = letters.pipeline.sqlite("out.db", "SELECT destination, last_id FROM wasmill_relays ORDER BY 1");
    assert_eq!(marks, [["file", "4"], ["kafka", "4"]]);
}

#[test]
fn letter_without_a_home_is_written_before_its_position() {
    let Some(brokers) = services::kafka() else { return };
    let Some(letters) = Letters::new(&brokers, HOMELESS, &[], "") else { return };
    letters.produce(records());
    letters.run(4, 2);
    let found = letters.found();
    assert_first_two(&found);
    assert_eq!(found.len(), 2);
}

#[test]
fn letter_that_is_larger_than_its_topic_takes_comes_without_its_value() {
    let Some(brokers) = services::kafka() else { return };
    let Some(letters) = Letters::new(&brokers, HOME, &[("max.message.bytes", "2000")], "") else { return };
    letters.produce([Record { key: Some(b"key".to_vec()), ..Record::of("x".repeat(3_000)) }, Record::of("y")]);
    letters.run(2, 2);
    let [large, small] = &letters.found()[..] else { panic!("two letters") };
    assert_eq!((large.key.as_deref(), large.value.as_deref()), (Some(b"key".as_slice()), None));
    assert_eq!((large.header("wasmill-omitted").as_str(), small.header("wasmill-omitted").as_str()), ("value", ""));
    assert_eq!(small.text(), "y");
    let whole = "SELECT length(payload) FROM wasmill_dead_letters ORDER BY id";
    assert_eq!(letters.pipeline.sqlite("out.db", whole), [["3000"], ["1"]], "home has the whole letter");
}

#[test]
fn topic_of_letters_that_is_away_holds_up_no_event_and_has_every_letter_after_kills() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let Some(letters) = Letters::new(&kafka.brokers(), HOME, &[], "") else { return };
    let bad = |count: usize| (0..count).map(|n| Record::of(format!("no JSON {n}")));
    let mut running = letters.pipeline.start();
    let mut admin = Admin::of(&mut running);
    letters.produce(bad(2_000));
    eventually("some letters are there", || !letters.found().is_empty());
    running.kill();
    running = letters.pipeline.start();
    admin = {
        drop(admin);
        Admin::of(&mut running)
    };
    kafka.kill().expect("the broker is killed");
    letters.produce(bad(2_000));
    eventually("every event is committed", || {
        letters.pipeline.count("out.db", "SELECT count(*) FROM wasmill_dead_letters") == 4_000
    });
    eventually("it is told", || {
        let (code, ready) = admin.json("/health/ready");
        let part = &ready["parts"]["dead letters to kafka"];
        assert_eq!(code, 200, "events go on: {ready}");
        part["state"] == "yellow" && part["reason"].as_str().is_some_and(|reason| reason.contains("cannot be reached"))
    });
    running.kill();
    kafka.restart().expect("the broker starts");
    letters.run(0, 0);
    let found = letters.found();
    assert_eq!(ids(&found).len(), 4_000);
    assert!(found.len() < 4_000 + 3 * 500, "{}: at most a round again for each kill", found.len());
}
