//! The component in the engine of production. `wasmill plugin test` builds it before.

use wasmill_harness::Harness;

#[test]
fn example_events_fare_as_they_should_however_they_are_batched() {
    let events: Vec<&str> = include_str!("../events.jsonl").lines().collect();
    let plugin =
        Harness::this_plugin(env!("CARGO_PKG_NAME")).expect("`wasmill plugin test` builds it");
    let run = plugin.assert_cut_invariant(&events);
    assert!(run.events[0].passed());
    assert_eq!(run.events[2].code(), Some("unknown_severity"));
}

#[test]
fn event_without_severity_is_rejected() {
    let plugin =
        Harness::this_plugin(env!("CARGO_PKG_NAME")).expect("`wasmill plugin test` builds it");
    let run = plugin
        .start()
        .unwrap()
        .run(&[r#"{"message":"disk is full"}"#])
        .unwrap();
    assert_eq!(run.events[0].code(), Some("missing_field"));
}
