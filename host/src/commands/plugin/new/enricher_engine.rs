//! The component in the engine of production. `wasmill plugin test` builds it and runs them.

use serde_json::json;
use wasmill_harness::Harness;

#[test]
fn example_events_fare_as_they_should_however_they_are_batched() {
    let events: Vec<&str> = include_str!("../events.jsonl").lines().collect();
    let run = Harness::this_plugin().assert_cut_invariant(&events);
    assert_eq!(run.events[0].json()["source"]["zone"], json!("inside"));
    assert_eq!(run.events[1].json()["source"]["zone"], json!("outside"));
}

#[test]
fn event_without_address_stays_as_it_is() {
    let run = Harness::this_plugin().run(&[r#"{"source":{}}"#]).unwrap();
    assert_eq!(run.events[0].json(), json!({ "source": {} }));
}
