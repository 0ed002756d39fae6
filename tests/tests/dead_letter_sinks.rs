//! Sinks of dead letters: each destination gets every letter, or those that its condition wants, and a mark of its own.

use std::collections::BTreeSet;

use serde_json::Value;
use wasmill_tests::kafka::Cluster;
use wasmill_tests::kafka::read::read_topic;
use wasmill_tests::kafka_pipeline::wait;
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::receiver::{Receiver, Reply};
use wasmill_tests::services::{self, unique};

const ROWS: &str = "rows: { sqlite: { path: out.db, table: events, columns: { n: { from: n, type: bigint } } } }";
const INPUT: &[u8] = b"{\"n\":1}\nno JSON\n{\"n\":\"one\"}\n[]\n";

fn codes(lines: &str) -> Vec<String> {
    let code = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON")["code"].to_string();
    lines.lines().map(code).collect()
}

#[test]
fn letters_go_to_a_file_standard_output_a_webhook_and_a_topic_as_each_wants_them() {
    let Some(brokers) = services::kafka() else { return };
    let topic = unique("dead");
    wait(Cluster::at(&brokers).expect("a client").create(&topic, 1, &[])).expect("a topic");
    let receiver = Receiver::start(|request| Reply::status(if request.repeats == 0 { 500 } else { 200 }));
    let pipeline = Pipeline::new(&format!(
        "name: letters\nsource: {{ stdin: {{}} }}\nretry: {{ initial: 10ms, max: 50ms }}\nsinks:\n  {ROWS}\n  \
         file: {{ from: dead_letters, file: {{ path: dead.jsonl }} }}\n  \
         out: {{ from: dead_letters, when: 'sink == \"rows\"', stdout: {{}} }}\n  \
         hook: {{ from: dead_letters, when: 'stage == \"parse\" && code != \"not_json\"', http: {{ url: \"{}\" }} }}\n  \
         topic: {{ from: dead_letters, kafka: {{ brokers: \"{brokers}\", topic: {topic} }} }}\n",
        receiver.url()
    ));
    let ran = pipeline.run(INPUT);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows"]);
    let expected = ["\"not_json\"", "\"wrong_type\"", "\"not_an_object\""];
    let file = std::fs::read_to_string(pipeline.path("dead.jsonl")).expect("the file");
    assert_eq!(codes(&file).into_iter().collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
    let (lines, _report) = ran.stdout.trim_end().rsplit_once('\n').expect("lines and the report");
    assert_eq!(codes(lines), ["\"wrong_type\""]);
    let taken = receiver.taken();
    assert_eq!(taken.iter().map(|one| one.json()["code"].clone()).collect::<Vec<_>>(), ["not_an_object"]);
    assert_eq!((receiver.requests().len(), taken[0].header("wasmill-dead-letter-id").len()), (2, 32));
    assert_eq!(read_topic(&brokers, &topic).expect("the topic is read").len(), 3);
    let counted = ["file", "out", "hook", "topic"].map(|sink| report["delivered"][sink].as_u64().expect("a count"));
    assert_eq!((counted, report["filtered"]["out"].as_u64()), ([3, 1, 1, 3], Some(2)));
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM wasmill_relays WHERE last_id = 3"), 4);
    assert_eq!(pipeline.run(b"").code, Some(0));
    assert_eq!(receiver.requests().len(), 2, "the mark is where the last run ended");
}

#[test]
fn letters_without_a_home_are_written_before_the_position() {
    let pipeline = Pipeline::new(
        "name: letters\nsource: { stdin: {} }\nsinks:\n  none: { discard: {} }\n  file: { from: dead_letters, file: { path: dead.jsonl } }\n",
    );
    let ran = pipeline.run(INPUT);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let file = std::fs::read_to_string(pipeline.path("dead.jsonl")).expect("the file");
    assert_eq!(codes(&file), ["\"not_json\"", "\"not_an_object\""]);
}
