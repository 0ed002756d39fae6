//! What is taken over of an answer, and that a malformed one is the fault of the event it was about.

use std::collections::BTreeMap;

use wasmill_core::Severity;
use wasmill_engine::Limits;

use crate::support::{codes, decent, events, passes, rejected_for, rogue, run};

#[test]
fn decent_events_pass_are_enriched_and_raise_alerts() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let (outcome, batch) = run(&[plugin.clone()], &events(15, &[])).unwrap();
    assert_eq!(batch.live.len(), 15);
    assert!(outcome.rejections.is_empty() && outcome.dropped.is_empty());
    let payload: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&batch.payload(7)).unwrap();
    assert_eq!(payload["out"], serde_json::json!({ "text": "saw ", "sum": 14 }));
    let alerts: Vec<(u32, &str)> = outcome.alerts.iter().map(|alert| (alert.event, alert.key.as_str())).collect();
    assert_eq!(alerts, [(0, "0"), (7, "7"), (14, "14")]);
    let alert = &outcome.alerts[1];
    assert_eq!((alert.rule.as_str(), alert.severity, alert.time_ns), ("seven", Severity::Warning, 7_000));
    assert_eq!(alert.labels, [("deed".to_owned(), String::new())]);
    assert_eq!(&alert.plugin, plugin.reference());
    let cost = outcome.costs[0];
    assert_eq!((cost.events, cost.calls, cost.faults.total(), cost.rejected), (45, 3, 0, 0));
    assert!(cost.fuel > 0 && cost.nanos > 0);
}

#[test]
fn rejected_and_dropped_events_leave_before_the_next_plugin() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let events = events(4, &[(0, "v:reject:too old"), (2, "v:drop")]);
    let (outcome, batch) = run(&[plugin.clone(), plugin.clone()], &events).unwrap();
    assert_eq!(batch.live, [1, 3]);
    assert_eq!(outcome.dropped, [2]);
    assert_eq!(codes(&outcome), [(0, "refused".into())]);
    assert_eq!(outcome.rejections[0].reason, "too old");
    assert_eq!(outcome.costs[0].events, 4 + 2 + 2);
    assert_eq!(outcome.costs[1].events, 2 + 2 + 2);
    assert_eq!((outcome.costs[0].dropped, outcome.costs[0].rejected), (1, 1));
}

#[test]
fn plugin_without_events_is_not_called() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let (outcome, batch) = run(&[plugin.clone(), plugin], &events(1, &[(0, "v:drop")])).unwrap();
    assert!(batch.live.is_empty());
    assert_eq!((outcome.costs[0].calls, outcome.costs[1].calls), (1, 0));
    assert_eq!(outcome.alerts.len(), 0);
}

#[test]
fn required_field_that_is_absent_or_null_is_rejected_before_the_call() {
    let Some(bytes) = rogue() else { return };
    let config = serde_json::json!({ "required": true });
    let plugin = crate::support::load(&bytes, config, Limits::default()).unwrap();
    let payloads = [r#"{"n":1}"#, "{}", r#"{"n":null}"#, r#"{"n":"text"}"#].map(str::to_owned);
    let (outcome, batch) = run(&[plugin], &payloads).unwrap();
    assert_eq!(batch.live, [0, 3]);
    assert_eq!(codes(&outcome), [(1, "missing_field".into()), (2, "missing_field".into())]);
    assert_eq!(outcome.rejections[0].reason, "the field \"n\" is required and is absent");
    assert_eq!(outcome.rejections[1].reason, "the field \"n\" is required and is null");
    assert_eq!((outcome.costs[0].events, outcome.costs[0].rejected), (4 + 2 * 2, 2));
}

#[test]
fn malformed_verdicts_are_pinned_on_the_event_that_they_are_about() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let deeds = [
        "v:action:3",
        "v:action:255",
        "v:few_actions",
        "v:many_actions",
        "v:entry_without_action",
        "v:entry_twice",
        "v:entry_far",
        "v:action:2",
        "v:reject_code:",
        "v:reject_code:Upper",
        "v:reject_code:two words",
    ];
    for deed in deeds {
        let (code, reason) = rejected_for(&plugin, deed);
        assert_eq!(code, "bad_answer", "{deed}: {reason}");
    }
}

#[test]
fn codes_and_reasons_are_limited() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { reason_bytes: 10, ..Limits::default() });
    let code = "c".repeat(64);
    assert_eq!(rejected_for(&plugin, &format!("v:reject_code:{code}")).0, code);
    assert_eq!(rejected_for(&plugin, &format!("v:reject_code:{code}c")).0, "bad_answer");
    assert_eq!(rejected_for(&plugin, "v:reject_long:10").1, "r".repeat(10));
    assert_eq!(rejected_for(&plugin, "v:reject_long:11").1, format!("{}…", "r".repeat(10)));
    assert_eq!(rejected_for(&plugin, "v:reject:a\u{1}b").1, "a\u{fffd}b");
}

#[test]
fn malformed_columns_are_pinned_on_the_event_that_they_are_about() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    for deed in ["e:far_slot", "e:bad_utf8", "e:state3", "e:many_slots", "e:few_slots"] {
        let (code, reason) = rejected_for(&plugin, deed);
        assert_eq!(code, "bad_answer", "{deed}: {reason}");
    }
}

#[test]
fn payload_that_cannot_take_the_field_is_a_conflict_and_no_fault() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let payloads = [r#"{"n":1}"#, r#"{"n":2,"out":"text"}"#].map(str::to_owned);
    let (outcome, batch) = run(&[plugin.clone()], &payloads).unwrap();
    assert_eq!(batch.live, [0]);
    assert_eq!(codes(&outcome), [(1, "enrich_conflict".into())]);
    assert_eq!(outcome.rejections[0].plugin.as_ref(), Some(plugin.reference()));
    assert_eq!(outcome.costs[0].faults.total(), 0);
}

#[test]
fn malformed_alerts_are_pinned_on_the_event_that_they_are_about() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    for deed in ["a:far", "a:twice", "a:no_rule", "a:backwards"] {
        let (code, reason) = rejected_for(&plugin, deed);
        assert_eq!(code, "bad_answer", "{deed}: {reason}");
    }
}

#[test]
fn alerts_are_limited_in_number_labels_and_length() {
    let Some(bytes) = rogue() else { return };
    let limits = Limits { alerts_per_event: 3, labels_per_alert: 2, field_bytes: 100, ..Limits::default() };
    let plugin = decent(&bytes, limits);
    for (at, above) in [("a:many:3", "a:many:4"), ("a:labels:2", "a:labels:3"), ("a:long_key:100", "a:long_key:101")] {
        assert!(passes(&plugin, at), "{at}");
        assert_eq!(rejected_for(&plugin, above).0, "output_too_large");
    }
}

#[test]
fn alert_texts_have_no_control_characters() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let (outcome, _) = run(&[plugin], &events(2, &[(1, "a:labels:1")])).unwrap();
    let alert = outcome.alerts.iter().find(|alert| alert.rule == "labels").unwrap();
    assert_eq!(alert.labels[0].1, "\u{fffd}");
}

#[test]
fn written_values_are_limited_in_length() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { field_bytes: 1000, ..Limits::default() });
    assert!(passes(&plugin, "e:long:1000"));
    assert_eq!(rejected_for(&plugin, "e:long:1001").0, "output_too_large");
}
