//! What is written, natively.

use serde_json::{Value, json};
use wasmill_sdk::{Kind, Loaded};

use crate::enrich_env;

fn load(config: &Value) -> Loaded<enrich_env> {
    Loaded::configure(&config.to_string()).unwrap()
}

fn refused(config: &Value) -> String {
    Loaded::<enrich_env>::configure(&config.to_string()).unwrap_err()
}

/// What is written to one event of time 0, without `metadata`.
fn written(config: &Value, event: &str) -> Value {
    let mut written = load(config).enrich_json(&[event]).remove(0);
    written.retain(|path, _| !path.starts_with("metadata."));
    json!(written)
}

#[test]
fn every_event_gets_the_environment_and_the_constants() {
    let config = json!({ "env": "prod", "constants": {
        "team": "core", "origin.weight": 3, "ratio": 0.5, "on": true, "gone": null, "tags": ["a", "b"] } });
    let expected = json!({
        "env": "prod", "team": "core", "origin.weight": 3, "ratio": 0.5, "on": true, "gone": null, "tags": ["a", "b"] });
    assert_eq!(written(&config, "{}"), expected);
    assert_eq!(written(&config, r#"{"env":"test","team":1}"#), expected);
}

#[test]
fn the_row_of_the_events_source_is_written() {
    let config = json!({ "lookup": {
        "field": "host.name",
        "table": { "web-1": { "region": "eu", "team": "core" }, "db-1": { "region": "us" } },
        "default": { "region": "unknown" } } });
    assert_eq!(written(&config, r#"{"host":{"name":"web-1"}}"#), json!({ "region": "eu", "team": "core" }));
    assert_eq!(written(&config, r#"{"host":{"name":"db-1"}}"#), json!({ "region": "us" }));
    for other in [r#"{"host":{"name":"db-2"}}"#, r#"{"host":{"name":7}}"#, r#"{"host":{"name":null}}"#, "{}"] {
        assert_eq!(written(&config, other), json!({ "region": "unknown" }), "{other}");
    }
}

#[test]
fn a_row_goes_before_a_constant() {
    let config = json!({
        "constants": { "team": "none", "floor": 1 },
        "lookup": { "field": "source", "table": { "a": { "team": "core" }, "b": { "team": null } } } });
    assert_eq!(written(&config, r#"{"source":"a"}"#), json!({ "team": "core", "floor": 1 }));
    assert_eq!(written(&config, r#"{"source":"b"}"#), json!({ "team": null, "floor": 1 }));
    assert_eq!(written(&config, r#"{"source":"c"}"#), json!({ "team": "none", "floor": 1 }));
}

#[test]
fn values_of_several_kinds_in_one_field_keep_theirs() {
    let config =
        json!({ "lookup": { "field": "s", "table": { "a": { "x": 1 }, "b": { "x": "1\n" }, "c": { "x": null } } } });
    assert_eq!(load(&config).manifest().writes[2].kind, Kind::Json);
    for (source, value) in [("a", json!(1)), ("b", json!("1\n")), ("c", json!(null))] {
        assert_eq!(written(&config, &json!({ "s": source }).to_string()), json!({ "x": value }));
    }
}

#[test]
fn metadata_has_the_records_time_and_the_version() {
    let event = ("{}", 1_795_250_700_250_000_000);
    let written = |config: Value| json!(load(&config).enrich_json(&[event]).remove(0));
    assert_eq!(
        written(json!({})),
        json!({ "metadata.enriched_at": "2026-11-21T08:45:00.250Z", "metadata.enrichment_version": "0.1.0" })
    );
    assert_eq!(
        written(json!({ "enriched_at": false, "enrichment_version": "7" })),
        json!({ "metadata.enrichment_version": "7" })
    );
    assert_eq!(
        written(json!({ "enrichment_version": null })),
        json!({ "metadata.enriched_at": "2026-11-21T08:45:00.250Z" })
    );
}

#[test]
fn constants_take_their_bytes_once_in_a_batch() {
    let plugin = load(&json!({
        "env": "production", "enriched_at": false, "enrichment_version": "1",
        "lookup": { "field": "s", "table": { "a": { "region": "eu" }, "b": { "region": "us" } } } }));
    let events: Vec<String> =
        (0..100).map(|number| format!(r#"{{"s":"{}"}}"#, if number % 2 == 0 { "a" } else { "b" })).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(plugin.enrich(&plugin.batch(&events)).text.len(), "1productioneuus".len());
}

#[test]
fn a_wrong_config_is_refused_with_its_fix() {
    for (config, expected) in [
        (json!({ "env": "prod", "constants": { "env": "test" } }), "`env` is set, and is a constant too"),
        (json!({ "env": 1 }), "`env`: expected text, found the number 1"),
        (json!({ "constants": { "a": 1, "a.b": 2 } }), "one is inside of the other"),
        (json!({ "constants": { "metadata": 1 } }), "`metadata` and `metadata.enriched_at` cannot both be written"),
        (json!({ "constants": { "metadata.enriched_at": 1 } }), "is written by the plugin itself"),
        (json!({ "constants": { "a..b": 1 } }), "the path `a..b` has an empty key"),
        (json!({ "lookup": { "field": "a", "table": {} } }), "`lookup.table` is empty"),
        (json!({ "lookup": { "table": {} } }), "`lookup`: `field` is missing"),
        (json!({ "lookup": { "field": "a", "table": { "x": 1 } } }), "`lookup.table.x`: expected an object"),
        (json!({ "enviroment": "prod" }), "`enviroment`: there is no such key; write `env`"),
    ] {
        let why = refused(&config);
        assert!(why.contains(expected), "{config}: {why}");
    }
}
