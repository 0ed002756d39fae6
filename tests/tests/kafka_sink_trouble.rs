//! What goes wrong with a Kafka sink while it runs: the lanes wait, health says why, and once it is mended everything has arrived.

use std::collections::{BTreeMap, BTreeSet};

use wasmill_tests::admin::Admin;
use wasmill_tests::kafka::door::Door;
use wasmill_tests::kafka::read::read_topic;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{Pipeline, Running, eventually};
use wasmill_tests::services::{self, unique};

/// A stream from the shared Kafka to a topic of `to`.
struct Stream {
    from: Cluster,
    to: String,
    input: String,
    output: String,
    pipeline: Pipeline,
    written: usize,
}

impl Stream {
    /// `door` is where the sink goes, with its options; the topic is at `to`, where `settings` are the topic's.
    fn new(to: &str, door: &str, options: &[(&str, &str)], settings: &[(&str, &str)]) -> Option<Self> {
        let brokers = services::kafka()?;
        let from = Cluster::at(&brokers).expect("a client");
        let (input, output) = (unique("in"), unique("out"));
        wait(from.create(&input, 4, &[])).expect("a topic");
        wait(Cluster::at(to).expect("a client").create(&output, 2, settings)).expect("a topic");
        let options: String = options.iter().map(|(name, value)| format!(", {name}: {value}")).collect();
        let pipeline = Pipeline::new(&format!(
            "name: stream\n{}home: {{ sqlite: {{ path: home.db }} }}\n\
             sinks: {{ out: {{ kafka: {{ brokers: \"{door}\", topic: {output}, compression: none, \
             options: {{ topic.metadata.refresh.interval.ms: 500{options} }} }} }} }}\n",
            source(&brokers, &input, "earliest"),
        ));
        Some(Self { from, to: to.to_owned(), input, output, pipeline, written: 0 })
    }

    fn start(&self) -> (Running, Admin) {
        let mut running = self.pipeline.start();
        let admin = Admin::of(&mut running);
        (running, admin)
    }

    fn write(&mut self, count: usize) {
        for n in self.written..self.written + count {
            let record = Record::of(format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(100)));
            self.from.send(&self.input, (n % 4) as i32, &record).expect("it is taken");
        }
        self.from.flush().expect("they are written");
        self.written += count;
    }

    fn wait_until_written(&self, admin: &Admin) {
        admin.wait_until_received(self.written as u64);
        admin.wait_until_ready();
    }

    /// How often each event is in the topic. Those of one origin are the same, and no two events are of one.
    fn found(&self) -> BTreeMap<String, usize> {
        let (mut times, mut texts) = (BTreeMap::new(), BTreeMap::new());
        for message in read_topic(&self.to, &self.output).expect("the topic is read") {
            let origin = message.header("wasmill-origin");
            *times.entry(origin.clone()).or_default() += 1;
            let text = texts.entry(origin).or_insert_with(|| message.text());
            assert_eq!(*text, message.text());
        }
        let different: BTreeSet<_> = texts.values().collect();
        assert_eq!(different.len(), texts.len());
        times
    }

    /// Asserts that every event has arrived, and nothing else.
    fn assert_all(&self) {
        assert_eq!(self.found().len(), self.written);
    }

    /// Asserts that every event has arrived once.
    fn assert_once(&self) {
        let found = self.found();
        assert_eq!(found.len(), self.written);
        assert!(found.values().all(|times| *times == 1), "repeats without a crash");
    }
}

#[test]
fn killed_worker_repeats_messages_and_loses_none() {
    let Some(brokers) = services::kafka() else { return };
    let Some(mut stream) = Stream::new(&brokers, &brokers, &[], &[]) else { return };
    stream.write(20_000);
    let (mut running, _) = stream.start();
    for round in 1..=3 {
        eventually("some are in the topic", || {
            assert!(running.is_running(), "{}", running.log());
            stream.found().len() >= round * 3_000
        });
        running.kill();
        (running, _) = stream.start();
        stream.write(5_000);
    }
    let admin = Admin::of(&mut running);
    eventually("everything is committed", || {
        let committed = "SELECT coalesce(sum(next_offset), 0) FROM wasmill_ledger";
        stream.pipeline.count("home.db", committed) == stream.written as i64
    });
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    stream.assert_all();
}

#[test]
fn broker_that_is_killed_under_load_is_told_and_waited_for() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let to = kafka.brokers();
    let Some(mut stream) = Stream::new(&to, &to, &[], &[]) else { return };
    let (running, admin) = stream.start();
    stream.write(10_000);
    eventually("some are committed", || admin.received() > 0);
    kafka.kill().expect("the broker is killed");
    stream.write(10_000);
    let reason = admin.wait_until_red("sink out", "the Kafka brokers cannot be reached");
    assert!(reason.contains("nothing is lost"), "{reason}");
    kafka.restart().expect("the broker starts");
    stream.wait_until_written(&admin);
    assert_eq!(running.stop().code, Some(0));
    stream.assert_once();
}

#[test]
fn broker_that_is_away_at_the_start_is_waited_for() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let to = kafka.brokers();
    let Some(mut stream) = Stream::new(&to, &to, &[], &[]) else { return };
    stream.write(10);
    kafka.kill().expect("the broker is killed");
    let mut running = stream.pipeline.start();
    running.wait_for_log("waiting for Kafka");
    kafka.restart().expect("the broker starts");
    let admin = Admin::of(&mut running);
    stream.wait_until_written(&admin);
    assert_eq!(running.stop().code, Some(0));
    stream.assert_once();
}

#[test]
fn permission_to_write_is_needed_at_the_start_and_waited_for_when_it_is_taken_later() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let door = Door::to(&kafka).expect("a door");
    door.set(&mut kafka, "right", false).expect("the broker starts");
    let options = Door::options("right");
    let Some(mut stream) = Stream::new(&kafka.brokers(), &door.brokers(), &options, &[]) else { return };
    let permit = |operation: &str, allowed| {
        Door::permit(&kafka, operation, &stream.output, allowed).expect("the permission is changed");
    };
    let assert_refused = || {
        let ran = stream.pipeline.run(b"");
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains("give this user the Write permission"), "{}", ran.stderr);
    };
    assert_refused();
    permit("Describe", true);
    assert_refused();

    permit("Write", true);
    let (running, admin) = stream.start();
    let output = stream.output.clone();
    stream.write(100);
    stream.wait_until_written(&admin);
    assert!(running.log().contains("max.message.bytes"), "the limit may not be asked: {}", running.log());
    let permit = |allowed| Door::permit(&kafka, "Write", &output, allowed).expect("the permission is changed");
    permit(false);
    stream.write(100);
    admin.wait_until_red("sink out", "give this user the Write permission");
    assert_eq!(admin.received(), 100);
    permit(true);
    stream.wait_until_written(&admin);
    assert_eq!(running.stop().code, Some(0));
    stream.assert_all();
}

#[test]
fn topic_that_is_deleted_while_running_is_told_and_written_again_once_it_is_back() {
    let Some(brokers) = services::kafka() else { return };
    let Some(mut stream) = Stream::new(&brokers, &brokers, &[], &[]) else { return };
    let (running, admin) = stream.start();
    stream.write(100);
    stream.wait_until_written(&admin);
    wait(stream.from.delete(&stream.output)).expect("the topic is deleted");
    stream.write(100);
    let reason = admin.wait_until_red("sink out", "is not there");
    assert!(reason.contains("create it again"), "{reason}");
    let anew = Cluster::at(&brokers).expect("a client that knows nothing of the old topic");
    wait(anew.create(&stream.output, 2, &[])).expect("a topic");
    stream.wait_until_written(&admin);
    assert_eq!(running.stop().code, Some(0));
    let origins = stream.found();
    assert!(origins.len() >= 100, "{} of the second hundred", origins.len());
}

#[test]
fn limit_that_is_lowered_while_running_costs_the_large_message_alone() {
    let Some(brokers) = services::kafka() else { return };
    let Some(mut stream) = Stream::new(&brokers, &brokers, &[], &[]) else { return };
    let (running, admin) = stream.start();
    stream.write(100);
    stream.wait_until_written(&admin);
    wait(stream.from.set(&stream.output, "max.message.bytes", "3000")).expect("the topic is changed");
    let large = Record::of(format!("{{\"n\":\"large\",\"text\":\"{}\"}}", "x".repeat(4_000)));
    let small = |n: usize| Record::of(format!("{{\"n\":\"{n} beside it\"}}"));
    let around = (0..200).map(|n| if n == 100 { large.clone() } else { small(n) });
    stream.from.produce(&stream.input, 0, around).expect("they are written");
    admin.wait_until_received(300);
    admin.wait_until_ready();
    let ran = running.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["out"]);
    assert_eq!((report["refused"]["out"].as_u64(), report["rejections"]["too_large"].as_u64()), (Some(1), Some(1)));
    let letters = stream.pipeline.sqlite("home.db", "SELECT code, length(payload), reason FROM wasmill_dead_letters");
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter[0].as_str(), letter[1].parse().ok()), ("too_large", Some(4_000 + 23)));
    assert!(letter[2].contains("fewer now than at the start"), "{}", letter[2]);
    assert_eq!(stream.found().len(), 299);
}
