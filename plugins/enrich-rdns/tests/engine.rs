//! The component in the engine of production.

use std::time::Duration;

use enrich_rdns::enrich_rdns;
use serde_json::{Value, json};
use wasmill_harness::{Events, Harness, Names, Native, Random, Run};

const NAMES: [(&str, &str); 3] = [
    ("192.0.2.7", "web-7.example"),
    ("192.0.2.200", "a-rather-long-name.of.a.machine.example"),
    ("2001:db8::7", "six.example"),
];
/// The largest that the component may be.
const BYTES_MAX: u64 = 200_000;

fn plugin(config: &Value) -> Harness {
    Harness::this_plugin().config(config.clone()).reverse_dns(&NAMES)
}

fn run(config: &Value, events: &[&str]) -> Run {
    plugin(config).run(events).expect("the plugin is not broken")
}

#[test]
fn names_are_written_to_payloads_and_all_else_is_left_byte_for_byte() {
    let cases = [
        (r#"{"source":{"ip":"192.0.2.7"}}"#, r#"{"source":{"ip":"192.0.2.7","host":"web-7.example"}}"#),
        (r#"{"source":{"ip":"2001:db8::7"},"n":1}"#, r#"{"source":{"ip":"2001:db8::7","host":"six.example"},"n":1}"#),
        // The same address, written in another way.
        (r#"{"source":{"ip":"2001:0DB8:0::0007"}}"#, r#"{"source":{"ip":"2001:0DB8:0::0007","host":"six.example"}}"#),
        (r#"{"source":{"ip":"::ffff:192.0.2.7"}}"#, r#"{"source":{"ip":"::ffff:192.0.2.7","host":"web-7.example"}}"#),
        (r#"{"source":{"ip":"192.0.2.8"} }"#, r#"{"source":{"ip":"192.0.2.8"} }"#),
        (r#"{"source":{"ip":"192.0.2.7","host":"h"}}"#, r#"{"source":{"ip":"192.0.2.7","host":"h"}}"#),
    ];
    let events = cases.map(|(event, _)| event);
    for ((event, expected), outcome) in cases.iter().zip(run(&json!({}), &events).events) {
        assert_eq!(outcome.payload(), Some(*expected), "{event}");
    }
}

#[test]
fn hostile_addresses_have_no_name_and_their_neighbours_have() {
    let long = format!(r#"{{"source":{{"ip":"{}"}}}}"#, "1".repeat(900_000));
    let cases = [
        ("not JSON", Some("not_json")),
        (r#"{"source":{"ip":"\ud800"}}"#, Some("lone_surrogate")),
        (r#"{"source":{"ip":""}}"#, None),
        (r#"{"source":{"ip":"192.0.2.7 "}}"#, None),
        (r#"{"source":{"ip":"192.0.2.07"}}"#, None),
        (r#"{"source":{"ip":"192.0.2.7\u0000"}}"#, None),
        (r#"{"source":{"ip":"999.0.2.7"}}"#, None),
        (r#"{"source":{"ip":"fe80::1%eth0"}}"#, None),
        (r#"{"source":{"ip":["192.0.2.7"]}}"#, None),
        (r#"{"source":{"ip":3221225991}}"#, None),
        (r#"{"source":"192.0.2.7"}"#, None),
        (long.as_str(), None),
    ];
    let good = r#"{"source":{"ip":"192.0.2.7"}}"#;
    let events: Vec<&str> = cases.iter().flat_map(|(event, _)| [*event, good]).collect();
    let run = run(&json!({}), &events);
    for (n, (event, code)) in cases.iter().enumerate() {
        let shown: String = event.chars().take(60).collect();
        assert_eq!(run.events[2 * n].code(), *code, "{shown}");
        assert_eq!(run.events[2 * n].json()["source"].get("host"), None, "{shown}");
        assert_eq!(run.events[2 * n + 1].json()["source"]["host"], "web-7.example", "the neighbour of {shown}");
    }
}

#[test]
fn without_the_grant_it_is_refused_with_what_to_write() {
    let why = Harness::this_plugin().start().expect_err("it is not granted").to_string();
    assert!(why.contains("asks for \"reverse-dns\"") && why.contains("write `grants: [reverse-dns]`"), "{why}");
}

#[test]
fn a_name_that_comes_too_late_is_there_for_the_next_batch_and_one_that_never_comes_is_missing() {
    let names = Names::new()
        .name("192.0.2.1", "at-once.example")
        .delayed("192.0.2.2", "late.example", Duration::from_secs(1))
        .fails("192.0.2.3")
        .no_name("192.0.2.4");
    let events = [1, 2, 3, 4].map(|last| format!(r#"{{"source":{{"ip":"192.0.2.{last}"}}}}"#));
    let mut running = Harness::this_plugin().lookups(names).start().expect("it is granted");
    let first = running.run(&events).expect("the plugin is not broken");
    first.event(0).assert_field("source.host", "at-once.example");
    for n in 1..4 {
        first.event(n).assert_unchanged();
    }
    let next = running.run(&events).expect("the plugin is not broken");
    next.event(1).assert_field("source.host", "late.example");
    for n in 2..4 {
        next.event(n).assert_unchanged();
    }
}

/// An event whose address has a name or not, with a name already or not.
fn any_event(random: &mut Random) -> String {
    const ADDRESSES: [&str; 7] =
        [r#""192.0.2.7""#, r#""192.0.2.200""#, r#""2001:db8::7""#, r#""192.0.2.9""#, r#""x""#, "7", "null"];
    const HOSTS: [&str; 5] = [r#","host":"h""#, r#","host":null"#, r#","host":7"#, "", ""];
    let (address, host) = (ADDRESSES[random.usize(..ADDRESSES.len())], HOSTS[random.usize(..HOSTS.len())]);
    format!(r#"{{"source":{{"ip":{address}{host}}},"n":{}}}"#, random.u32(..))
}

#[test]
fn bytes_do_not_depend_on_where_batches_are_cut_nor_on_the_process() {
    let events = Events::any(1_500, any_event);
    plugin(&json!({})).assert_cut_invariant(&events);
    plugin(&json!({})).assert_deterministic(&events);
}

#[test]
fn the_component_writes_what_the_function_does_natively() {
    let events = Events::any(3_000, any_event);
    for config in [json!({}), json!({ "keep_existing": false })] {
        plugin(&config).assert_native_equals_wasm(&Native::enricher::<enrich_rdns>(), &events);
    }
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    plugin(&json!({})).torture_like(&json!({ "source": { "ip": "192.0.2.7" } }));
    plugin(&json!({ "keep_existing": false })).torture();
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&json!({})).assert_golden("names");
}

#[test]
fn the_component_is_small() {
    let file = wasmill_harness::plugin_file("enrich-rdns").expect("`cargo xtask plugins` builds it");
    let bytes = std::fs::metadata(file).expect("it is there").len();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
