//! Dead letters that no home keeps: taken from their file or topic into a ledger, and replayed from there.

use std::fs;

use wasmill_tests::kafka::read::{Found, read_topic};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::letters::{all, counts, dlq, listed, objects, replay};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};
use wasmill_tests::services::{self, unique};

const STRICT: &str = "config: { fields: { severity: { required: true, one_of: [INFO] } } }\n";
const FIXED: &str = "config: { fields: { severity: { required: true, one_of: [INFO, ODD] } } }\n";
const VALIDATOR: &str = "plugins.d/10-validate-event.yaml";

fn fix(pipeline: &Pipeline) {
    fs::write(pipeline.path(VALIDATOR), FIXED).expect("a file");
}

/// Events of which each third is rejected until the plugin is fixed.
fn events(count: usize) -> impl Iterator<Item = String> {
    let severity = |n: usize| if n.is_multiple_of(3) { "ODD" } else { "INFO" };
    (0..count).map(move |n| format!("{{\"id\":\"e{n}\",\"severity\":\"{}\"}}", severity(n)))
}

/// A pipeline from a file to a file that has run over so many events, the last of which is no JSON.
fn from_file_to_file(count: usize) -> Pipeline {
    let yaml = "name: letters\nsource: { file: { path: in.jsonl } }\nplugins: plugins.d\ndead_letters: { file: { path: dead.jsonl } }\n\
                sinks: { lines: { file: { path: out.jsonl } } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "validate-event", STRICT);
    let input: String = events(count).map(|event| format!("{event}\n")).collect();
    fs::write(pipeline.path("in.jsonl"), input + "no \u{1} JSON\n").expect("a file");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    pipeline
}

fn lines(pipeline: &Pipeline, file: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        fs::read_to_string(pipeline.path(file)).expect("the file").lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn letters_of_a_file_heal_once_and_their_file_stays_as_it_is() {
    let pipeline = from_file_to_file(30);
    let dead = lines(&pipeline, "dead.jsonl");
    assert_eq!((lines(&pipeline, "out.jsonl").len(), dead.len()), (20, 11));
    assert_eq!(objects(&pipeline, "list", &["--summary"]).len(), 2);
    fix(&pipeline);
    assert_eq!(replay(&pipeline, &["--all"]), [10, 1, 0, 0]);
    let mut expected: Vec<String> = events(30).collect();
    expected.sort_unstable();
    assert_eq!(lines(&pipeline, "out.jsonl"), expected);
    assert_eq!(replay(&pipeline, &["--all", "--max-attempts", "3"]), [0, 0, 1, 0]);
    assert_eq!((lines(&pipeline, "out.jsonl"), lines(&pipeline, "dead.jsonl")), (expected.clone(), dead));
    let parked = &listed(&pipeline, &[], &["id", "state", "attempts"])[0];
    assert_eq!(parked[1..], ["parked", "3"]);
    let discarded = dlq(&pipeline, "discard", &[&parked[0], "--reason", "it was never JSON"]);
    assert_eq!((discarded.code, discarded.stdout.as_str()), (Some(0), "1 discarded\n"));
    assert!(listed(&pipeline, &[], &["id"]).is_empty());

    // A crash wrote a letter twice: it is replayed once.
    let twice = fs::read_to_string(pipeline.path("dead.jsonl")).expect("the file");
    let first = twice.lines().find(|line| line.contains("bad_severity")).expect("a letter");
    fs::write(pipeline.path("dead.jsonl"), format!("{twice}{first}\n")).expect("a file");
    assert_eq!(listed(&pipeline, &[], &["code", "state"]), [["bad_severity", "waiting"]]);
    assert_eq!(replay(&pipeline, &["--all"]), [1, 0, 0, 0]);
    assert_eq!(lines(&pipeline, "out.jsonl"), expected);
    assert!(pipeline.path("dead.jsonl.ledger.db").is_file());
}

#[test]
fn two_replays_at_once_write_each_line_once_and_a_kill_writes_none_anew_that_is_noted() {
    const EVENTS: usize = 3_000;
    let pipeline = from_file_to_file(EVENTS);
    fix(&pipeline);
    let before = lines(&pipeline, "out.jsonl").len();
    let arguments = all("replay", &["--code", "bad_severity", "--format", "json"]);
    let mut running = pipeline.start_with(&arguments, b"");
    eventually("some letters are replayed", || {
        lines(&pipeline, "out.jsonl").len() > before + 20 || !running.is_running()
    });
    running.kill();
    let both = [(); 2].map(|()| pipeline.start_with(&arguments, b"")).map(|one| one.wait(PATIENCE));
    let replayed: u64 = both.iter().map(|ran| counts(ran)[0]).sum();
    assert!(replayed > 0 && both.iter().all(|ran| ran.code == Some(0)), "{both:?}");
    let mut found = lines(&pipeline, "out.jsonl");
    let written = found.len();
    found.dedup();
    let mut expected: Vec<String> = events(EVENTS).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(written <= EVENTS + 1, "at most the line that was in flight comes twice: {written}");
}

/// From Kafka to Kafka, with letters in a topic.
struct Topics {
    pipeline: Pipeline,
    cluster: Cluster,
    brokers: String,
    input: String,
    output: String,
    dead: String,
}

impl Topics {
    fn new(settings: &[(&str, &str)], also: &str) -> Option<Self> {
        let brokers = services::kafka()?;
        let cluster = Cluster::at(&brokers).expect("a client");
        let [input, output, dead] = ["in", "out", "dead"].map(unique);
        wait(cluster.create(&input, 1, &[])).expect("a topic");
        wait(cluster.create(&output, 2, &[])).expect("a topic");
        wait(cluster.create(&dead, 2, settings)).expect("a topic");
        let yaml = format!(
            "name: letters\n{}plugins: plugins.d\nsinks: {{ out: {{ kafka: {{ brokers: \"{brokers}\", topic: {output} }} }} }}\n\
             dead_letters: {{ kafka: {{ brokers: \"{brokers}\", topic: {dead} }}{also} }}\n",
            source(&brokers, &input, "earliest")
        );
        let pipeline = Pipeline::new(&yaml).plugin(10, "validate-event", STRICT);
        Some(Self { pipeline, cluster, brokers, input, output, dead })
    }

    fn run(&self, records: impl IntoIterator<Item = Record>) {
        self.cluster.produce(&self.input, 0, records).expect("they are written");
        let ran = self.pipeline.run(b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }

    fn found(&self) -> Vec<Found> {
        read_topic(&self.brokers, &self.output).expect("the topic is read")
    }
}

#[test]
fn letters_of_a_topic_heal_once_with_their_own_origin_key_and_headers() {
    let Some(topics) = Topics::new(&[], "") else { return };
    let headers =
        vec![("trace".to_owned(), Some(b"1".to_vec())), ("wasmill-code".to_owned(), Some(b"forged".to_vec()))];
    let odd = |n: usize| Record {
        key: Some(format!("k{n}").into_bytes()),
        headers: headers.clone(),
        ..Record::of(format!("{{\"id\":\"e{n}\",\"severity\":\"ODD\"}}"))
    };
    topics.run((0..5).map(odd).chain([Record::of("{\"severity\":\"INFO\"}")]));
    let named = dlq(&topics.pipeline, "list", &[]);
    assert_eq!(named.code, Some(1));
    assert!(named.stderr.contains("name one that stays, by --ledger"), "{}", named.stderr);

    let ledger = ["--ledger", "letters.db"];
    let with = |more: &[&'static str]| [&ledger[..], more].concat();
    assert_eq!(listed(&topics.pipeline, &with(&[]), &["code"]), [["bad_severity"]; 5]);
    fix(&topics.pipeline);
    assert_eq!(replay(&topics.pipeline, &with(&["--all"])), [5, 0, 0, 0]);
    assert_eq!(replay(&topics.pipeline, &with(&["--all", "--state", "all"])), [0, 0, 0, 5]);
    let found = topics.found();
    assert_eq!(found.len(), 6);
    let first = found.iter().find(|message| message.text().contains("\"e0\"")).expect("it is there");
    assert_eq!((first.key.as_deref(), first.header("trace").as_str()), (Some(b"k0".as_slice()), "1"));
    let origin = first.header("wasmill-origin");
    assert!(origin.contains(&format!("/{}/", topics.input)) && origin.ends_with("/0/0"), "{origin}");

    topics.run([odd(9)]);
    fs::write(topics.pipeline.path(VALIDATOR), STRICT).expect("a file");
    topics.run([odd(10)]);
    assert_eq!(listed(&topics.pipeline, &with(&[]), &["code"]), [["bad_severity"]], "only what is new is taken in");
    let dead = read_topic(&topics.brokers, &topics.dead).expect("the topic is read");
    assert_eq!(dead.len(), 6, "the topic of letters stays as it is");
}

#[test]
fn letter_without_its_value_is_left_as_it_is_and_places_are_named() {
    let Some(topics) = Topics::new(&[("max.message.bytes", "2000")], ", file: { path: dead.jsonl }") else { return };
    let large = format!("{{\"severity\":\"ODD\",\"text\":\"{}\"}}", "x".repeat(3_000));
    topics.run([Record::of(large), Record::of("{\"severity\":\"ODD\"}")]);
    fix(&topics.pipeline);
    let several = dlq(&topics.pipeline, "list", &[]);
    assert!(several.stderr.contains("choose one by --from: file, kafka"), "{}", several.stderr);
    let kafka = ["--from", "kafka", "--ledger", "letters.db", "--all"];
    let ran = dlq(&topics.pipeline, "replay", &kafka);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("its value was left out") && ran.stdout.contains("1 replayed"), "{}", ran.stdout);
    assert_eq!(topics.found().len(), 1);
    let file = listed(&topics.pipeline, &["--from", "file"], &["code"]);
    assert_eq!(file.len(), 2, "the file has both whole");
}
