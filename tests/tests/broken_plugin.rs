//! A plugin that fails on every event is to blame itself: nobody is dead-lettered, the lane pauses and says so.

use wasmill_tests::exposition::Exposition;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services;

#[test]
fn plugin_that_fails_on_every_event_pauses_the_lane_blames_no_event_and_loses_none() {
    let Some(brokers) = services::kafka() else { return };
    let mut rows = KafkaPipeline::at(&brokers);
    rows.pipeline = rows.pipeline.plugin(10, "adversary", "config: { always: trap }");
    rows.create(1);
    rows.produce(0, 0..50);
    let (mut running, admin) = rows.start();
    let lane = format!("lane {}[0]", rows.topic);
    let reason = admin.wait_until_red(&lane, "the plugin adversary");
    assert!(reason.contains("10-adversary.wasm") && reason.contains("no event is blamed"), "{reason}");
    assert!(reason.contains("replace or remove the plugin"), "{reason}");
    let metrics = Exposition::read(&admin.get("/metrics").1).expect("a sound page");
    assert!(metrics.value("wasmill_healthy", &[("part", &lane)]) < 0.5);
    assert_eq!(admin.received(), 0);
    assert!(running.is_running(), "it waits for somebody to act");
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(rows.pipeline.count("out.db", "SELECT count(*) FROM wasmill_dead_letters"), 0);
    assert_eq!(rows.pipeline.count("out.db", "SELECT next_offset FROM wasmill_ledger"), 0);

    // Nothing but another plugin helps, so a run to the end does not try for ever.
    let ran = rows.pipeline.run(b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("replace or remove the plugin"), "{}", ran.stderr);

    let (running, admin) = rows.start();
    admin.wait_until_red(&lane, "the plugin adversary");
    std::fs::write(rows.pipeline.path("plugins.d/10-adversary.yaml"), "{}").expect("the plugin is mended");
    eventually("the lane goes on", || admin.received() == 50);
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 0..50);
}

#[test]
fn run_that_can_only_end_ends_with_the_plugins_name_and_stores_nothing() {
    let yaml = "name: broken\nsource: { stdin: {} }\nplugins: plugins.d\nsinks:\n  \
                rows: { sqlite: { path: out.db, table: events, create: true, columns: { id: id } } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "adversary", "config: { always: trap }");
    let ran = pipeline.run("{\"id\":\"1\"}\n".repeat(50).as_bytes());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the plugin adversary") && ran.stderr.contains("no event is blamed"), "{}", ran.stderr);
    let stored = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM wasmill_dead_letters)";
    assert_eq!(pipeline.count("out.db", stored), 0);
}
