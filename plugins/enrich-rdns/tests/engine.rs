//! The component in the engine of production.

use serde_json::{Value, json};
use wasmill_harness::{Harness, Run};
use wasmill_sdk::{Event, Loaded};

use enrich_rdns::enrich_rdns;

const NAMES: [(&str, &str); 3] = [
    ("192.0.2.7", "web-7.example"),
    ("192.0.2.200", "a-rather-long-name.of.a.machine.example"),
    ("2001:db8::7", "six.example"),
];
/// The largest that the component may be.
const BYTES_MAX: u64 = 200_000;

fn plugin(config: &Value) -> Harness {
    let harness = Harness::this_plugin("enrich-rdns").expect("`cargo xtask plugins` builds it");
    harness.config(config.clone()).reverse_dns(&NAMES)
}

fn run(config: &Value, events: &[&str]) -> Run {
    plugin(config).run_cut(events, events.len()).expect("the plugin is not broken")
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
        let wasmill_harness::EventOutcome::Passed { payload } = outcome else { panic!("{event}: {outcome:?}") };
        assert_eq!(payload, *expected);
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
    let harness = Harness::this_plugin("enrich-rdns").expect("`cargo xtask plugins` builds it");
    let why = harness.start().expect_err("it is not granted").to_string();
    assert!(why.contains("asks for \"reverse-dns\"") && why.contains("write `grants: [reverse-dns]`"), "{why}");
}

/// Events with addresses with and without names, and with names already.
fn any_events(count: usize, seed: u64) -> Vec<String> {
    const ADDRESSES: [&str; 7] =
        [r#""192.0.2.7""#, r#""192.0.2.200""#, r#""2001:db8::7""#, r#""192.0.2.9""#, r#""x""#, "7", "null"];
    const HOSTS: [&str; 5] = [r#","host":"h""#, r#","host":null"#, r#","host":7"#, "", ""];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut event = || {
        let (address, host) = (ADDRESSES[random.usize(..ADDRESSES.len())], HOSTS[random.usize(..HOSTS.len())]);
        format!(r#"{{"source":{{"ip":{address}{host}}},"n":{}}}"#, random.u32(..))
    };
    (0..count).map(|_| event()).collect()
}

#[test]
fn bytes_do_not_depend_on_where_batches_are_cut() {
    let events = any_events(1_500, 12);
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    plugin(&json!({})).assert_cut_invariant(&events);
}

#[test]
fn the_component_writes_what_the_function_does_natively() {
    let seed = fastrand::u64(..);
    let events = any_events(3_000, seed);
    for config in [json!({}), json!({ "keep_existing": false })] {
        let native = Loaded::<enrich_rdns>::configure(&config.to_string()).expect("the configuration is right");
        let named: Vec<Event<'_>> = events.iter().map(|event| Event::from(event).with_names(&NAMES)).collect();
        let written = native.enrich_json(&named);
        let payloads: Vec<&str> = events.iter().map(String::as_str).collect();
        for ((event, written), outcome) in events.iter().zip(written).zip(run(&config, &payloads).events) {
            let mut expected: Value = serde_json::from_str(event).expect("the events are JSON");
            if let Some(name) = written.get("source.host") {
                expected["source"]["host"] = name.clone();
            }
            assert_eq!(outcome.json(), expected, "seed {seed}, {event}");
        }
    }
}

#[test]
fn the_component_is_small() {
    let file = wasmill_harness::plugin_file("enrich-rdns").expect("`cargo xtask plugins` builds it");
    let bytes = std::fs::metadata(file).expect("it is there").len();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
