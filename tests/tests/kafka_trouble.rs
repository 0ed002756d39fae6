//! What goes wrong with Kafka, through the whole program: the lane or the source says what to do, `/health/ready` answers 503,
//! and once it is mended everything goes on with nothing lost and nothing doubled.

use wasmill_tests::kafka::rig::spoil;
use wasmill_tests::kafka_pipeline::{KafkaPipeline, wait};
use wasmill_tests::pipeline::eventually;
use wasmill_tests::services;

/// Reads `read` events, stops, produces up to `end`, and then has the broker forget all before `kept`.
fn lose(rows: &KafkaPipeline, read: usize, end: usize, kept: i64) {
    rows.create(1);
    rows.produce(0, 0..read);
    let (running, admin) = rows.start();
    admin.wait_until_received(read as u64);
    assert_eq!(running.stop().code, Some(0));
    rows.produce(0, read..end);
    wait(rows.cluster.delete_records(&rows.topic, 0, kept)).expect("the records are deleted");
}

#[test]
fn offset_out_of_range_pauses_the_lane_with_the_numbers_until_the_gap_is_accepted() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    lose(&rows, 100, 200, 150);
    let (running, admin) = rows.start();
    let lane = format!("lane {}[0]", rows.topic);
    let numbers = "offset 100 is not there; the broker holds 150 to 200 (exclusive)";
    let reason = admin.wait_until_red(&lane, numbers);
    assert!(reason.contains("wasmill offsets accept-gap"), "{reason}");
    // The lane is tried again and again, and that alone makes it neither ready nor told twice.
    let epoch = "SELECT epoch FROM wasmill_ledger";
    let first = rows.pipeline.count("out.db", epoch);
    eventually("the lane is tried again", || {
        assert!(admin.red(&lane).is_some(), "nothing has changed");
        rows.pipeline.count("out.db", epoch) > first
    });
    admin.wait_until_red(&lane, numbers);
    assert_eq!(running.log().matches(numbers).count(), 1, "{}", running.log());
    assert_eq!(admin.received(), 0);

    let accepted = rows.offsets("accept-gap", &[]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert!(accepted.stdout.contains("offsets 100 to 150 (exclusive) are recorded as lost"), "{}", accepted.stdout);
    admin.wait_until_received(50);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, (0..100).chain(150..200));
    let gaps = rows.pipeline.sqlite("out.db", "SELECT topic, first_offset, next_offset FROM wasmill_gaps");
    assert_eq!(gaps, [[rows.topic.as_str(), "100", "150"]]);
}

#[test]
fn gap_up_to_the_end_of_a_quiet_partition_is_ready_once_it_is_accepted() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    lose(&rows, 10, 20, 20);
    let (_running, admin) = rows.start();
    admin.wait_until_red(&format!("lane {}[0]", rows.topic), "the broker holds 20 to 20 (exclusive)");
    assert_eq!(rows.offsets("accept-gap", &[]).code, Some(0));
    admin.wait_until_ready();
    assert_eq!(admin.received(), 0);
}

#[test]
fn record_batch_that_cannot_be_decompressed_pauses_its_lane_with_the_offset_and_can_be_passed() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let rows = KafkaPipeline::at(&kafka.brokers());
    rows.create(2);
    for first in [0, 100, 200] {
        rows.produce(0, first..first + 100);
    }
    kafka.stop().expect("the broker stops");
    let log = kafka.folder().join(format!("data/{}-0/00000000000000000000.log", rows.topic));
    spoil(&log, 100, true).expect("the log has the batch");
    kafka.restart().expect("the broker starts");

    let (running, admin) = rows.start();
    let reason =
        admin.wait_until_red(&format!("lane {}[0]", rows.topic), "the record batch at offset 100 cannot be read");
    assert!(reason.contains("wasmill offsets set"), "{reason}");
    admin.wait_until_received(100);
    // The other lane goes on.
    rows.produce(1, 0..10);
    admin.wait_until_received(110);
    let set = rows.offsets("set", &["--offset", "200"]);
    assert_eq!((set.code, set.stdout.contains("100 -> 200")), (Some(0), true), "{} {}", set.stdout, set.stderr);
    admin.wait_until_received(210);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, (0..100).chain(200..300));
    rows.assert_rows(1, 0..10);
}

#[test]
fn topic_that_is_absent_at_the_start_is_told_and_read_once_it_is_there() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    let (running, admin) = rows.start();
    let reason = admin.wait_until_red("source", &format!("the topic `{}`", rows.topic));
    assert!(reason.contains("create it"), "{reason}");
    rows.create(1);
    rows.produce(0, 0..10);
    admin.wait_until_received(10);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 0..10);
}

#[test]
fn topic_that_is_deleted_while_it_is_read_is_told_and_the_one_made_anew_is_read_from_its_beginning() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    rows.create(1);
    rows.produce(0, 0..50);
    let (running, admin) = rows.start();
    admin.wait_until_received(50);
    wait(rows.cluster.delete(&rows.topic)).expect("the topic is deleted");
    let reason = admin.wait_until_red("source", &format!("the topic `{}` is not there", rows.topic));
    assert!(reason.contains("create it"), "{reason}");
    let anew = wasmill_tests::kafka::Cluster::at(&brokers).expect("a client that knows nothing of the old topic");
    let rows = KafkaPipeline { cluster: anew, ..rows };
    rows.create(1);
    rows.produce(0, 50..70);
    admin.wait_until_received(70);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    let ledger = rows.pipeline.sqlite("out.db", "SELECT next_offset FROM wasmill_ledger ORDER BY next_offset");
    assert_eq!(ledger, [["20"], ["50"]], "two topics of one name");
    assert_eq!(rows.pipeline.count("out.db", "SELECT count(DISTINCT id) FROM events"), 70);
    assert_eq!(rows.pipeline.count("out.db", "SELECT count(*) FROM events"), 70);
}

#[test]
fn partitions_added_while_running_are_read_from_their_first_event() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::from(&brokers, "latest");
    rows.create(1);
    rows.produce(0, 0..10);
    let (running, admin) = rows.start();
    eventually("the partition has its lane", || admin.json("/stats").1["lanes"][0]["committed"] == 10);
    wait(rows.cluster.enlarge(&rows.topic, 3)).expect("the topic is enlarged");
    rows.produce(2, 0..10);
    admin.wait_until_received(10);
    rows.produce(0, 10..20);
    admin.wait_until_received(20);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 10..20);
    rows.assert_rows(2, 0..10);
}

#[test]
fn partitions_added_while_running_are_read_from_their_first_event_where_no_database_keeps_the_position() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::from(&brokers, "latest");
    rows.replace(
        "sqlite:\n      { path: out.db, table: events, create: true,",
        "file: { path: out.jsonl }\ndead_letters: { file: { path: dead.jsonl } }\n#",
    );
    rows.create(1);
    rows.produce(0, 0..10);
    let (running, admin) = rows.start();
    eventually("the partition has its lane", || admin.json("/stats").1["lanes"][0]["committed"] == 10);
    wait(rows.cluster.enlarge(&rows.topic, 3)).expect("the topic is enlarged");
    rows.produce(2, 0..10);
    admin.wait_until_received(10);
    assert_eq!(running.stop().code, Some(0));
    let written = std::fs::read_to_string(rows.pipeline.path("out.jsonl")).expect("the file");
    assert_eq!(written, (0..10).map(|n| format!("{{\"id\":\"2-{n}\"}}\n")).collect::<String>());
}

#[test]
fn tls_to_a_plain_port_ends_the_start_with_the_remedy() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    rows.set_options(&[("security.protocol", "ssl")]);
    let ran = rows.pipeline.run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("set `security.protocol` to `plaintext`"), "{}", ran.stderr);
}

#[test]
fn broker_that_is_away_at_the_start_or_killed_later_is_waited_for() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let rows = KafkaPipeline::at(&kafka.brokers());
    rows.create(1);
    rows.produce(0, 0..10);
    kafka.stop().expect("the broker stops");
    let (mut running, admin) = rows.start();
    running.wait_for_log("waiting for Kafka");
    admin.wait_until_red("source", "no Kafka broker has answered yet");
    kafka.restart().expect("the broker starts");
    admin.wait_until_received(10);
    admin.wait_until_ready();

    kafka.kill().expect("the broker is killed");
    let reason = admin.wait_until_red("source", "the Kafka brokers");
    assert!(reason.contains("trying again until they"), "{reason}");
    kafka.restart().expect("the broker starts");
    rows.produce(0, 10..20);
    admin.wait_until_received(20);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 0..20);
}
