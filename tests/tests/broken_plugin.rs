//! A plugin that fails on every event is to blame itself: nobody is dead-lettered, the lane pauses and says so.

use wasmill_tests::exposition::Exposition;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services;

#[test]
fn plugin_that_fails_on_every_event_pauses_the_lane_blames_no_event_and_loses_none() {
    let Some(brokers) = services::kafka() else { return };
    let mut rows = KafkaPipeline::at(&brokers);
    rows.pipeline = rows.pipeline.plugin(10, "adversary", "config: { absent: trap }");
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
    let pipeline = Pipeline::new(yaml).plugin(10, "adversary", "config: { absent: trap }");
    let ran = pipeline.run("{\"id\":\"1\"}\n".repeat(50).as_bytes());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the plugin adversary") && ran.stderr.contains("no event is blamed"), "{}", ran.stderr);
    let stored = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM wasmill_dead_letters)";
    assert_eq!(pipeline.count("out.db", stored), 0);
}

/// A pipeline over lines whose validator has this said about its breaker.
fn lines(on_open: &str) -> Pipeline {
    let yaml = "name: broken\nsource: { stdin: {} }\nplugins: plugins.d\nbatch: { events_max: 500 }\nadmin: 127.0.0.1:0\nsinks:\n  \
                rows: { sqlite: { path: out.db, table: events, create: true, columns: { n: { from: n, type: bigint }, \
                place: $offset, skipped: $skipped } } }\n";
    Pipeline::new(yaml).plugin(10, "adversary", &format!("on_open: {on_open}\n"))
}

/// `good` events, then `bad` ones on which the plugin traps, then `good` ones again.
fn input(good: usize, bad: usize) -> String {
    let event = |n: usize| match (good..good + bad).contains(&n) {
        true => format!("{{\"n\":{n},\"do\":\"trap\"}}\n"),
        false => format!("{{\"n\":{n}}}\n"),
    };
    (0..2 * good + bad).map(event).collect()
}

#[test]
fn events_pass_by_a_broken_plugin_that_may_be_skipped_until_it_is_well_again_and_home_knows_which() {
    let pipeline = lines("skip");
    let ran = pipeline.run(input(3_000, 300).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows"]);
    let report = ran.report();
    // As many as are borne with, at most, and only where they were committed before the plugin was known to be broken.
    let rejected = report["rejected"].as_i64().expect("a number");
    assert!(rejected <= 100, "{report}");
    let rows = 6_300 - rejected;
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), rows);
    // The breaker rests for 2 000 events from the first one that it did not settle, and then it closes.
    let skipped =
        pipeline.sqlite("out.db", "SELECT count(*), min(n), max(n) FROM events WHERE skipped = '[\"adversary\"]'");
    let [count, first, last] = [0, 1, 2].map(|column| skipped[0][column].parse::<i64>().expect("a number"));
    assert_eq!((first, count), (3_000 + rejected, last - first + 1), "{skipped:?}");
    assert!((2_000..3_000).contains(&count), "{skipped:?}");
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events WHERE skipped IS NULL"), rows - count);
    // Home has the offsets of exactly these.
    let kept = "SELECT count(*) FROM events WHERE (skipped IS NULL) = EXISTS (SELECT 1 FROM wasmill_skipped \
                WHERE plugin = 'adversary' AND place >= first_offset AND place < next_offset)";
    assert_eq!(pipeline.count("out.db", kept), 0);
    let plugin = &report["plugins"][0];
    assert_eq!((&plugin["skipped"], &plugin["events"]), (&count.into(), &6_300.into()), "{report}");
    assert_eq!(plugin["passed"], rows - count, "{report}");
    for turn in ["is open since the offset", "events pass it by", "is half-open: one batch is tried", "breaker closes"]
    {
        assert!(ran.stderr.contains(turn), "{turn}: {}", ran.stderr);
    }
}

#[test]
fn events_are_dead_letters_while_a_broken_plugin_may_not_be_passed_by() {
    let pipeline = lines("dead_letter");
    let ran = pipeline.run(input(3_000, 300).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows"]);
    let letters = |code: &str| {
        let sql = format!("SELECT count(*) FROM wasmill_dead_letters WHERE plugin = 'adversary' AND code = '{code}'");
        pipeline.count("out.db", &sql)
    };
    let (blamed, dead) = (letters("trap"), letters("plugin_broken"));
    assert!(blamed <= 100 && (2_000..3_000).contains(&dead), "{blamed} {dead}");
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 6_300 - blamed - dead);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM wasmill_skipped"), 0);
    let rejections = &ran.report()["plugins"][0]["rejections"];
    assert_eq!(rejections["plugin_broken"], dead, "{rejections}");
}

#[test]
fn plugin_that_stays_broken_is_tried_less_and_less_often() {
    let pipeline = lines("skip");
    let ran = pipeline.run(input(0, 20_000).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events WHERE skipped IS NOT NULL"), 20_000);
    // Open from the start, and again after rests of 2 000, 4 000 and 8 000 events.
    assert_eq!(ran.stderr.matches("is open since the offset").count(), 4, "{}", ran.stderr);
    // Each trial costs what halving a batch of 500 down to its first event costs.
    let calls = ran.report()["plugins"][0]["calls"].as_u64().expect("a number");
    assert!(calls < 4 * 60, "{calls} calls");
}
