//! The function, natively.

use serde_json::{Value, json};
use wasmill_sdk::{Event, Loaded, Lookup};

use super::enrich_rdns;

const NAMES: [(&str, &str); 2] = [("192.0.2.7", "web-7.example"), ("2001:db8::7", "six.example")];

fn plugin(config: Value) -> Loaded<enrich_rdns> {
    Loaded::configure(&config.to_string()).unwrap()
}

fn refused(config: Value) -> String {
    Loaded::<enrich_rdns>::configure(&config.to_string()).map(drop).expect_err("it is refused")
}

/// What is written to an event.
fn written(plugin: &Loaded<enrich_rdns>, payload: &str) -> Value {
    json!(plugin.enrich_json(&[Event::from(payload).with_names(&NAMES)])[0])
}

#[test]
fn names_of_addresses_are_written() {
    let plugin = plugin(json!({}));
    assert_eq!(written(&plugin, r#"{"source":{"ip":"192.0.2.7"}}"#), json!({ "source.host": "web-7.example" }));
    assert_eq!(written(&plugin, r#"{"source":{"ip":"2001:db8::7"}}"#), json!({ "source.host": "six.example" }));
}

#[test]
fn an_address_without_a_name_leaves_its_event_alone() {
    let plugin = plugin(json!({}));
    for source in
        [r#"{"ip":"192.0.2.8"}"#, r#"{"ip":7}"#, r#"{"ip":null}"#, "{}", "7", r#"{"ip":"192.0.2.8","host":"h"}"#]
    {
        assert_eq!(written(&plugin, &format!(r#"{{"source":{source}}}"#)), json!({}), "{source}");
    }
}

#[test]
fn what_an_event_has_stays_unless_the_config_says_otherwise() {
    let events =
        [r#""h""#, "7", r#"{"name":"h"}"#].map(|host| format!(r#"{{"source":{{"ip":"192.0.2.7","host":{host}}}}}"#));
    let (keeps, replaces) = (plugin(json!({})), plugin(json!({ "keep_existing": false })));
    for event in &events {
        assert_eq!(written(&keeps, event), json!({}), "{event}");
        assert_eq!(written(&replaces, event), json!({ "source.host": "web-7.example" }), "{event}");
    }
    let null = r#"{"source":{"ip":"192.0.2.7","host":null}}"#;
    assert_eq!(written(&keeps, null), json!({ "source.host": "web-7.example" }));
}

#[test]
fn several_addresses_have_a_name_each() {
    let plugin = plugin(json!({ "fields": { "a.ip": "a.host", "b.ip": "b.host" } }));
    let event = r#"{"a":{"ip":"192.0.2.7"},"b":{"ip":"2001:db8::7"}}"#;
    assert_eq!(written(&plugin, event), json!({ "a.host": "web-7.example", "b.host": "six.example" }));
    let event = r#"{"a":{"ip":"192.0.2.7","host":"h"},"b":{"ip":"2001:db8::7"}}"#;
    assert_eq!(written(&plugin, event), json!({ "b.host": "six.example" }));
}

#[test]
fn addresses_are_looked_up_and_nothing_else() {
    let plugin = plugin(json!({ "fields": { "a": "b" } }));
    let reads: Vec<_> = plugin.manifest().reads.iter().map(|field| (&*field.path, field.lookup)).collect();
    assert_eq!(reads, [("a", Some(Lookup::ReverseDns)), ("b", None)]);
}

#[test]
fn a_wrong_config_is_refused_with_a_sentence() {
    let many: serde_json::Map<String, Value> = (0..9).map(|n| (format!("ip{n}"), json!(format!("host{n}")))).collect();
    for (config, expected) in [
        (json!({ "fields": {} }), "`fields` is empty"),
        (json!({ "fields": many }), "at most 8 are allowed"),
        (json!({ "fields": { "ip": "ip" } }), "cannot be written to `ip`"),
        (json!({ "fields": { "ip": "ip.host" } }), "cannot be written to `ip.host`"),
        (json!({ "fields": { "a.ip": "a" } }), "cannot be written to `a`"),
        (json!({ "fields": { "a": "b", "b": "c" } }), "cannot be written to `b`"),
        (json!({ "fields": { "a": "b..c" } }), "the path `b..c` has an empty key"),
        (json!({ "field": {} }), "write `fields`"),
        (json!({ "keep_existing": 1 }), "`keep_existing`"),
    ] {
        let why = refused(config.clone());
        assert!(why.contains(expected), "{config}: {why}");
    }
}
