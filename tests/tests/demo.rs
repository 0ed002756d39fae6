//! The demo: one seed gives one result, whatever the machine does meanwhile.

use serde_json::Value;
use wasmill_tests::pipeline::{PATIENCE, Pipeline};

const EVENTS: u64 = 20_000;

/// Everything that may not differ: what depends on the clock or on chance is left out.
const RESULTS: [&str; 3] = [
    "SELECT * FROM events ORDER BY kafka_partition, kafka_offset",
    "SELECT * FROM alerts ORDER BY kafka_partition, kafka_offset, rule",
    "SELECT pipeline, topic, partition, \"offset\", timestamp_ns, stage, plugin, plugin_version, plugin_digest, sink, code, \
     reason, hex(key), hex(payload), headers FROM wasmill_dead_letters ORDER BY partition, \"offset\"",
];

/// The rows of each of [`RESULTS`].
type Results = Vec<Vec<Vec<String>>>;

fn demo(seed: &str) -> (Value, Results) {
    let plugin = wasmill_harness::plugin_file("validate-event").expect("`cargo xtask plugins` builds it");
    let plugins = plugin.parent().expect("a file has a folder").to_str().expect("a path that is text");
    let folder = Pipeline::new("").env("WASMILL_PLUGINS", plugins);
    let events = EVENTS.to_string();
    let arguments = ["demo", "--events", &events, "--seed", seed, "--format", "json", "--keep", "kept"];
    let ran = folder.start_with(&arguments, b"").wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["events"]);
    (report, RESULTS.iter().map(|sql| folder.sqlite("kept/demo.db", sql)).collect())
}

#[test]
fn one_seed_gives_the_same_rows_alerts_and_dead_letters_twice_and_another_seed_others() {
    let (report, results) = demo("7");
    let count = |value: &Value| value.as_u64().expect("a count");
    assert_eq!(count(&report["received"]), EVENTS);
    assert!(count(&report["rejected"]) > 0 && count(&report["alerts"]) > 0, "{report}");
    let counted = [&report["delivered"]["events"], &report["alerts"], &report["dead_letters"]].map(count);
    let stored: Vec<u64> = results.iter().map(|rows| rows.len() as u64).collect();
    assert_eq!(stored, counted, "the report counts what is stored");

    let rates = results[1].iter().filter(|alert| alert[1] == "denied-too-often").count();
    assert!(rates > 0, "{report}");

    let (_, again) = demo("7");
    for ((sql, first), second) in RESULTS.iter().zip(&results).zip(&again) {
        let differs = first.iter().zip(second).find(|(one, other)| one != other);
        assert_eq!(differs, None, "{sql}");
        assert_eq!(first.len(), second.len(), "{sql}");
    }
    assert_ne!(demo("8").1, results);
}
