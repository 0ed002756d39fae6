//! The component in the engine of production: everything that it writes, hostile events, refused configurations, and the same
//! bytes however batches are cut and as the function gives natively.

use enrich_env::enrich_env;
use serde_json::{Value, json};
use wasmill_harness::{Events, Harness, Native, Random, Run};

/// 2026-11-21T08:45:00.250Z, the time of records.
const NOW_MS: i64 = 1_795_250_700_250;

fn plugin(config: &Value) -> Harness {
    Harness::this_plugin().config(config.clone())
}

fn run(config: &Value, events: &[&str]) -> Run {
    let mut running = plugin(config).start().expect("the configuration is right");
    running.run_at(NOW_MS, events).expect("the plugin is not broken")
}

/// Without `metadata`, which has tests of its own.
fn quiet(config: Value) -> Value {
    let mut config = config;
    config["enriched_at"] = false.into();
    config["enrichment_version"] = Value::Null;
    config
}

/// Every key of the configuration.
fn everything() -> Value {
    json!({
        "env": "prod",
        "constants": {
            "cluster": "c1", "origin.site.floor": 3, "ratio": 0.5, "on": true, "gone": null, "tags": ["a", "b"],
            r"dotted\.key": "quote \" and \u{7}" },
        "lookup": {
            "field": "host.name",
            "table": { "web-1": { "region": "eu", "weight": 1 }, "db-1": { "region": "us", "weight": "heavy", "cluster": "c2" } },
            "default": { "region": "unknown" } },
        "enrichment_version": "7",
    })
}

#[test]
fn the_event_of_the_readme_becomes_what_it_says() {
    let config = json!({
        "env": "prod",
        "constants": { "cluster": "c1", "site.floor": 3 },
        "lookup": {
            "field": "source",
            "table": { "web-1": { "region": "eu", "team": "core" }, "db-1": { "region": "us", "team": "storage" } },
            "default": { "region": "unknown" } },
        "enrichment_version": "7",
    });
    let run = run(&config, &[r#"{"source":"web-1"}"#]);
    let expected = json!({
        "source": "web-1", "env": "prod", "cluster": "c1", "site": { "floor": 3 }, "region": "eu", "team": "core",
        "metadata": { "enriched_at": "2026-11-21T08:45:00.250Z", "enrichment_version": "7" } });
    assert_eq!(run.events[0].json(), expected);
}

#[test]
fn every_kind_of_value_is_written_and_the_bytes_of_the_event_are_kept() {
    let config = quiet(json!({ "constants": {
        "text": "a\u{0}b\"ä", "int": -7, "big": 9_007_199_254_740_993_i64, "half": 0.5, "on": true, "gone": null,
        "list": [1, { "a": [] }], "object": { "k": "v" } } }));
    let event = r#"{ "n" : 1.0e+2 , "s":"\u00e4\/" }"#;
    let run = run(&config, &[event]);
    let written = run.events[0].payload().expect("it goes on");
    assert!(written.starts_with(event.trim_end_matches(" }")), "nothing is parsed and printed again: {written}");
    let mut expected = config["constants"].clone();
    expected["n"] = 100.0.into();
    expected["s"] = "ä/".into();
    assert_eq!(run.events[0].json(), expected);
}

#[test]
fn a_row_goes_before_a_constant_and_the_default_is_for_all_others() {
    let rows = [
        (r#"{"host":{"name":"web-1"}}"#, json!({ "region": "eu", "weight": 1, "cluster": "c1" })),
        (r#"{"host":{"name":"db-1"}}"#, json!({ "region": "us", "weight": "heavy", "cluster": "c2" })),
        (r#"{"host":{"name":"d\u0062-1"}}"#, json!({ "region": "us", "weight": "heavy", "cluster": "c2" })),
        (r#"{"host":{"name":"db-2"}}"#, json!({ "region": "unknown", "cluster": "c1" })),
        (r#"{"host":{"name":1}}"#, json!({ "region": "unknown", "cluster": "c1" })),
        (r#"{"host":{"name":null}}"#, json!({ "region": "unknown", "cluster": "c1" })),
        (r#"{"host":"web-1"}"#, json!({ "region": "unknown", "cluster": "c1" })),
        ("{}", json!({ "region": "unknown", "cluster": "c1" })),
    ];
    let events: Vec<&str> = rows.iter().map(|(event, _)| *event).collect();
    for ((event, expected), outcome) in rows.iter().zip(run(&everything(), &events).events) {
        let found = outcome.json();
        for field in ["region", "weight", "cluster"] {
            assert_eq!(found.get(field), expected.get(field), "{field} of {event}");
        }
    }
}

#[test]
fn what_is_written_replaces_what_the_event_had() {
    let config = quiet(json!({ "env": "prod", "constants": { "a.b": 1 } }));
    let replaced = [
        (r#"{"env":"test"}"#, json!({ "env": "prod", "a": { "b": 1 } })),
        (r#"{"env":{"x":[1]},"env":null}"#, json!({ "env": "prod", "a": { "b": 1 } })),
        (r#"{"a":{"b":[2],"c":3}}"#, json!({ "env": "prod", "a": { "b": 1, "c": 3 } })),
        (r#"{"a":{}}"#, json!({ "env": "prod", "a": { "b": 1 } })),
    ];
    let events: Vec<&str> = replaced.iter().map(|(event, _)| *event).collect();
    for ((event, expected), outcome) in replaced.iter().zip(run(&config, &events).events) {
        assert_eq!(outcome.json(), *expected, "{event}");
    }
}

#[test]
fn metadata_is_written_unless_it_is_switched_off() {
    let of = |config: Value| run(&config, &["{}"]).events[0].json();
    let at = "2026-11-21T08:45:00.250Z";
    assert_eq!(of(json!({})), json!({ "metadata": { "enriched_at": at, "enrichment_version": "0.1.0" } }));
    assert_eq!(of(json!({ "enriched_at": false })), json!({ "metadata": { "enrichment_version": "0.1.0" } }));
    assert_eq!(of(json!({ "enrichment_version": null })), json!({ "metadata": { "enriched_at": at } }));
    assert_eq!(of(quiet(json!({}))), json!({}));
}

#[test]
fn hostile_events_are_rejected_alone_and_their_neighbours_go_on() {
    let huge = format!(r#"{{"host":{{"name":"{}"}}}}"#, "x".repeat(900_000));
    let cases = [
        ("not JSON", Some("not_json")),
        (r#"{"host":{"name":"web-1"}"#, Some("truncated")),
        (r#"{"host":{"name":"\ud800"}}"#, Some("lone_surrogate")),
        (r#"{"host":{"name":"web-1\u0000"}}"#, None),
        (r#"{"host":{"name":"\u001b[2J"}}"#, None),
        (r#"{"host":["web-1"]}"#, None),
        (huge.as_str(), None),
        (r#"{"metadata":"a text"}"#, Some("enrich_conflict")),
        (r#"{"metadata":[]}"#, Some("enrich_conflict")),
        (r#"{"origin":{"site":7}}"#, Some("enrich_conflict")),
        (r#"{"origin":{"site":{}}}"#, None),
    ];
    let events: Vec<&str> = cases.iter().flat_map(|(event, _)| [*event, r#"{"host":{"name":"web-1"}}"#]).collect();
    let run = run(&everything(), &events);
    for (((event, code), outcome), neighbour) in
        cases.iter().zip(run.events.iter().step_by(2)).zip(run.events.iter().skip(1).step_by(2))
    {
        let shown: String = event.chars().take(80).collect();
        assert_eq!(outcome.code(), *code, "{shown}");
        if code.is_none() {
            assert_eq!(outcome.json()["region"], "unknown", "{shown}");
        }
        assert_eq!(neighbour.json()["region"], "eu", "the neighbour of {shown}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_sentence() {
    for (config, expected) in [
        (json!({ "enviroment": "prod" }), "`enviroment`: there is no such key; write `env`"),
        (json!({ "env": 1 }), "`env`: expected text, found the number 1"),
        (json!({ "env": "prod", "constants": { "env": "test" } }), "`env` is set, and is a constant too"),
        (json!({ "constants": { "a": 1, "a.b": 2 } }), "one is inside of the other"),
        (json!({ "constants": { "metadata": 1 } }), "cannot both be written"),
        (json!({ "constants": { "metadata.enriched_at": 1 } }), "is written by the plugin itself"),
        (json!({ "constants": { "a..b": 1 } }), "the path `a..b` has an empty key"),
        (json!({ "lookup": { "field": "a", "table": {} } }), "`lookup.table` is empty"),
        (json!({ "lookup": { "field": "a", "table": { "x": 1 } } }), "`lookup.table.x`: expected an object"),
        (json!({ "enriched_at": "yes" }), "`enriched_at`"),
    ] {
        let why = plugin(&config).start().expect_err("it is refused").to_string();
        assert!(why.contains(expected), "{config}: {why}");
    }
}

/// A payload with or without what is looked up and written, and not in conflict with it.
fn any_event(random: &mut Random) -> String {
    const HOSTS: [&str; 9] = [
        r#"{"name":"web-1"}"#,
        r#"{"name":"db-1"}"#,
        r#"{"name":"db-2"}"#,
        r#"{"name":""}"#,
        r#"{"name":7}"#,
        r#"{"name":null}"#,
        "{}",
        "[]",
        r#""web-1""#,
    ];
    const OTHERS: [&str; 8] = [
        r#""env":"test""#,
        r#""cluster":[1,2]"#,
        r#""origin":{}"#,
        r#""origin":{"site":{"floor":"x","room":1}}"#,
        r#""metadata":{"enriched_at":null,"kept":"ä\u0000"}"#,
        r#""tags":null"#,
        r#""message":"{\"env\":1}""#,
        r#""dotted.key":1"#,
    ];
    let mut fields: Vec<String> =
        OTHERS.iter().filter(|_| random.u8(..) < 60).map(|field| (*field).to_owned()).collect();
    // The last duplicate counts, and only one can be expected.
    fields.dedup_by_key(|field| field[..6].to_owned());
    if random.bool() {
        fields.push(format!(r#""host":{}"#, HOSTS[random.usize(..HOSTS.len())]));
    }
    random.shuffle(&mut fields);
    format!("{{{}}}", fields.join(","))
}

#[test]
fn bytes_do_not_depend_on_where_batches_are_cut_nor_on_the_process() {
    let events = Events::any(1_500, any_event);
    plugin(&everything()).assert_cut_invariant(&events);
    plugin(&everything()).assert_deterministic(&events);
}

#[test]
fn the_component_writes_what_the_function_does_natively() {
    let events = Events::any(3_000, any_event).at_ms(NOW_MS);
    plugin(&everything()).assert_native_equals_wasm(&Native::enricher::<enrich_env>(), events);
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    plugin(&everything()).torture();
    plugin(&everything())
        .torture_like(&json!({ "host": { "name": "web-1" }, "metadata": {}, "origin": { "site": {} } }));
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&everything()).assert_golden("everything");
}
