//! The component in the engine of production. `wasmill plugin test` builds it and runs them.

use serde_json::json;
use wasmill_harness::Harness;

#[test]
fn example_events_fare_as_they_should_however_they_are_batched() {
    let events: Vec<&str> = include_str!("../events.jsonl").lines().collect();
    let run = Harness::this_plugin().assert_cut_invariant(&events);
    assert!(run.events.iter().all(|event| event.passed()));
    assert_eq!(run.alerts.len(), 2);
    assert_eq!(run.alerts[0]["key"], json!("root"));
}

#[test]
fn other_events_raise_nothing() {
    let run = Harness::this_plugin()
        .run(&[r#"{"message":7}"#, "{}"])
        .unwrap();
    assert!(run.alerts.is_empty());
}
