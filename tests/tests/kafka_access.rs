//! A password or a permission that the Kafka brokers refuse: at the start the program ends with what to change, later it waits.

use wasmill_tests::kafka::Cluster;
use wasmill_tests::kafka::door::Door;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::eventually;
use wasmill_tests::services;
use xtask::services::Kafka;

/// A pipeline that comes by the door with this password; its topic is written by the broker's own listener.
fn through(door: &Door, brokers: &str, password: &str) -> KafkaPipeline {
    let rows = KafkaPipeline::at(brokers);
    rows.replace(brokers, &door.brokers());
    rows.set_options(&Door::options(password));
    rows
}

#[test]
fn wrong_password_and_missing_permission_end_the_start_with_what_to_change() {
    let Some(mut kafka) = services::own_kafka() else { return };
    let door = Door::to(&kafka).expect("a door");
    door.set(&mut kafka, "right", false).expect("the broker starts");
    for (password, remedy) in [("hunter2", "check `sasl.mechanism`"), ("right", "give this user the Read permission")] {
        let rows = through(&door, &kafka.brokers(), password);
        rows.create(1);
        let ran = rows.pipeline.run(b"");
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains(remedy) && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

/// How often the broker has refused a password, by its log.
fn refusals(kafka: &Kafka) -> usize {
    let log = std::fs::read_to_string(kafka.folder().join("log")).expect("the broker's log");
    log.matches("Failed authentication").count()
}

/// A run that has stored ten events, to which `ann` is then let in no more by `shut`; the reason that it tells, and it goes on once
/// she is let in again.
fn waits(remedy: &str, shut: (&str, bool), tried_on: impl Fn(&Kafka)) {
    let Some(mut kafka) = services::own_kafka() else { return };
    let door = Door::to(&kafka).expect("a door");
    door.set(&mut kafka, "right", true).expect("the broker starts");
    let rows = through(&door, &kafka.brokers(), "right");
    rows.create(1);
    rows.produce(0, 0..10);
    let (running, admin) = rows.start();
    admin.wait_until_received(10);
    let (password, may_read) = shut;
    door.set(&mut kafka, password, may_read).expect("the broker starts");
    admin.wait_until_red("source", remedy);
    tried_on(&kafka);
    let told = admin.red("source").expect("nothing has changed");
    assert!(told.contains(remedy), "the cause, whatever follows from it: {told}");
    door.set(&mut kafka, "right", true).expect("the broker starts");
    let anew = Cluster::at(&kafka.brokers()).expect("a client that does not wait for its next attempt");
    let rows = KafkaPipeline { cluster: anew, ..rows };
    rows.produce(0, 10..20);
    admin.wait_until_received(20);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 0..20);
}

#[test]
fn password_that_is_changed_while_running_is_told_as_the_cause_and_waited_for() {
    waits("check the `sasl.*` options", ("another", true), |kafka| {
        let before = refusals(kafka);
        eventually("it is tried on", || refusals(kafka) > before + 3);
    });
}

#[test]
fn permission_that_is_taken_while_running_is_told_and_waited_for() {
    waits("Read", ("right", false), |_| {});
}
