//! `wasmill offsets`: positions are shown and changed, with a sentence for each thing that cannot be done.

use serde_json::Value;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::{PATIENCE, Pipeline};
use wasmill_tests::services;

/// A pipeline that has stored events 0 to 9 of its one partition.
fn stored(brokers: &str) -> KafkaPipeline {
    let rows = KafkaPipeline::at(brokers);
    rows.create(1);
    rows.produce(0, 0..10);
    let ran = rows.pipeline.run(b"");
    assert_eq!((ran.code, &ran.report()["received"]), (Some(0), &Value::from(10)), "{}", ran.stderr);
    rows
}

fn shown(rows: &KafkaPipeline, format: &str) -> String {
    let arguments = ["offsets", "show", "pipeline.yaml", "--format", format];
    let shown = rows.pipeline.start_with(&arguments, b"").wait(PATIENCE);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    shown.stdout
}

#[test]
fn positions_are_shown_for_people_and_for_programs() {
    let Some(brokers) = services::kafka() else { return };
    let rows = stored(&brokers);
    let line = format!("{}[0]  next offset 10  topic id ", rows.topic);
    assert!(shown(&rows, "text").starts_with(&line), "{}", shown(&rows, "text"));
    let json: Value = serde_json::from_str(&shown(&rows, "json")).expect("one object a line");
    assert_eq!((&json["next_offset"], &json["partition"]["topic"]), (&10.into(), &rows.topic.as_str().into()));
    assert_eq!(json["partition"]["source"], "kafka");
}

#[test]
fn position_that_is_set_back_stores_events_again_and_one_set_forward_leaves_some_out() {
    let Some(brokers) = services::kafka() else { return };
    let rows = stored(&brokers);
    let set = rows.offsets("set", &["--offset", "8"]);
    assert_eq!((set.code, set.stdout.trim_end()), (Some(0), format!("{}[0]: 10 -> 8", rows.topic).as_str()));
    rows.produce(0, 10..12);
    assert_eq!(rows.pipeline.run(b"").report()["received"], 4);
    rows.assert_rows(0, (0..8).chain([8, 8, 9, 9, 10, 11]));
    rows.produce(0, 12..15);
    assert_eq!(rows.offsets("set", &["--offset", "14"]).code, Some(0));
    assert_eq!(rows.pipeline.run(b"").report()["received"], 1);
    rows.assert_rows(0, (0..8).chain([8, 8, 9, 9, 10, 11, 14]));
}

#[test]
fn lane_whose_position_is_set_under_it_commits_nothing_more_from_the_old_one_and_goes_on_from_the_new_one() {
    let Some(brokers) = services::kafka() else { return };
    let rows = stored(&brokers);
    let (running, admin) = rows.start();
    rows.produce(0, 10..11);
    admin.wait_until_received(1);
    assert_eq!(rows.offsets("set", &["--offset", "5"]).code, Some(0));
    // One event only: the lane notices by its commit, and no second one wakes it.
    rows.produce(0, 11..12);
    admin.wait_until_received(1 + 7);
    admin.wait_until_ready();
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, (0..5).chain([5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11]));
}

#[test]
fn what_cannot_be_done_is_a_sentence_and_exit_code_1() {
    let Some(brokers) = services::kafka() else { return };
    let rows = stored(&brokers);
    let none = rows.offsets("accept-gap", &[]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.stderr.contains("has no gap: the ledger is at 10, and the broker has events from 0 on"),
        "{}",
        none.stderr
    );
    let other = ["offsets", "set", "pipeline.yaml", "--topic", "other", "--partition", "3", "--offset", "1"];
    let unknown = rows.pipeline.start_with(&other, b"").wait(PATIENCE);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("the ledger does not know partition 3 of other"), "{}", unknown.stderr);
    assert!(shown(&rows, "text").contains("next offset 10"), "nothing was changed");
}

#[test]
fn pipeline_without_a_home_says_where_its_position_is() {
    let yaml = "name: homeless\nsource: { stdin: {} }\nsinks: { out: { discard: {} } }\n";
    let shown = Pipeline::new(yaml).start_with(&["offsets", "show", "pipeline.yaml"], b"").wait(PATIENCE);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("no home with a ledger"), "{}", shown.stderr);
}
