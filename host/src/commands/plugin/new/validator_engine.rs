//! The component in the engine of production. `wasmill plugin test` builds it and runs them.

use wasmill_harness::Harness;

#[test]
fn example_events_fare_as_they_should_however_they_are_batched() {
    let events: Vec<&str> = include_str!("../events.jsonl").lines().collect();
    let run = Harness::this_plugin().assert_cut_invariant(&events);
    assert!(run.events[0].passed());
    assert_eq!(run.events[2].code(), Some("unknown_severity"));
}

#[test]
fn event_without_severity_is_rejected() {
    let run = Harness::this_plugin()
        .run(&[r#"{"message":"disk is full"}"#])
        .unwrap();
    assert_eq!(run.events[0].code(), Some("missing_field"));
}
