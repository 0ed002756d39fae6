//! `wasmill plugin check`: each mistake that authors make is found, by the check that names its cause; sound plugins have none.

use std::time::Duration;

use serde_json::{Value, json};
use wasmill_tests::pipeline::{Pipeline, Ran};

const PATIENCE: Duration = Duration::from_secs(120);
const EVENTS: &str =
    "{\"text\":\"login failed\",\"n\":7}\n{\"text\":\"request served\",\"n\":8}\n{\"text\":\"disk is full\"}\n";

fn check(pipeline: &Pipeline, file: &str, events: &str) -> (Ran, Value) {
    std::fs::write(pipeline.path("events.jsonl"), events).expect("a file");
    let arguments = ["plugin", "check", file, "--events", "events.jsonl", "--format", "json"];
    let ran = pipeline.start_with(&arguments, b"").wait(PATIENCE);
    let told = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}{}", ran.stdout, ran.stderr));
    (ran, told)
}

/// State and words of one check.
fn state<'a>(told: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = told["checks"].as_array().expect("a list");
    let check = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}: {told:#}"));
    (check["state"].as_str().expect("a word"), check["says"].as_str().expect("a sentence"))
}

fn mistaken(mistake: &str, more: &str) -> Pipeline {
    Pipeline::new("").plugin(10, "mistaken", &format!("config: {{ mistake: {mistake} }}\n{more}"))
}

const FILE: &str = "plugins.d/10-mistaken.wasm";

#[test]
fn each_mistake_is_found_by_the_check_that_names_its_cause() {
    for (mistake, name, words) in [
        ("panics_on_empty", "hostile", "index out of bounds"),
        ("quadratic", "long fields", "grows faster than a field's length"),
        ("leaks", "memory", "for each event of a batch"),
        ("leaks", "leaks", "never gives"),
        ("counts", "other batches", "a result depends on the other events of its batch"),
        ("clock", "imports", "read the event's own time"),
    ] {
        let (ran, told) = check(&mistaken(mistake, ""), FILE, EVENTS);
        let (state, says) = state(&told, name);
        assert_ne!(state, "passed", "{mistake}: {says}");
        assert!(says.contains(words), "{mistake}: {says}");
        assert_eq!((ran.code, &told["passed"]), (Some(1), &json!(false)), "{mistake}");
    }
}

#[test]
fn leak_of_a_plugin_whose_instances_are_reused_fails() {
    let (_, told) = check(&mistaken("leaks", "instance: reuse\n"), FILE, EVENTS);
    assert_eq!(state(&told, "leaks").0, "failed");
    let (_, told) = check(&mistaken("counts", "instance: reuse\n"), FILE, EVENTS);
    assert_eq!(state(&told, "used instance").0, "failed");
}

#[test]
fn field_that_is_not_there_or_of_another_type_is_told_with_what_was_meant() {
    let pipeline = mistaken("none", "");
    let (ran, told) = check(&pipeline, FILE, "{\"test\":\"a\"}\n{\"test\":\"b\"}\n");
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        state(&told, "fields"),
        ("failed", "the field \"text\" is in none of the 2 events; did you mean \"test\"?")
    );
    assert_eq!(state(&told, "examples").0, "failed");
    let (_, told) = check(&pipeline, FILE, "{\"text\":\"a\",\"n\":\"7\"}\n");
    let (state, says) = state(&told, "fields");
    assert_eq!(state, "failed");
    assert!(
        says.contains("\"n\" is read as an integer, and in all 1 events that have it it is text, such as \"7\""),
        "{says}"
    );
}

#[test]
fn plugin_that_is_too_large_or_does_not_load_is_told_at_once() {
    let (ran, told) = check(&mistaken("none", "limits: { component_bytes: 1000 }\n"), FILE, EVENTS);
    assert_eq!(ran.code, Some(1));
    assert_eq!(state(&told, "loads").0, "failed");
    assert!(state(&told, "size").1.contains("limits.component_bytes allows 1000"));
    let (_, told) = check(&mistaken("no_such", ""), FILE, EVENTS);
    assert!(state(&told, "loads").1.contains("it refuses its configuration"));
}

#[test]
fn sound_plugins_pass_with_events_and_without() {
    for (name, yaml, events) in [
        ("enrich-env", "config: { env: test }", Some("{\"service\":\"a\"}\n")),
        ("enrich-clean", "config: { fields: [text] }", Some(EVENTS)),
        ("enrich-rdns", "config: { fields: { source.ip: source.name } }\ngrants: [reverse-dns]", None),
        ("validate-event", "config: { fields: { text: { required: true, max_chars: 100 } } }", Some(EVENTS)),
        (
            "alert-rules",
            "config: { rules: [{ name: r, when: text.contains(\"failed\"), severity: info, summary: \"{text}\" }] }",
            Some(EVENTS),
        ),
    ] {
        let pipeline = Pipeline::new("").plugin(10, name, yaml);
        let file = format!("plugins.d/10-{name}.wasm");
        let ran = match events {
            Some(events) => check(&pipeline, &file, events).0,
            None => pipeline.start_with(&["plugin", "check", &file], b"").wait(PATIENCE),
        };
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains("\u{1b}["), "no colours for what is no terminal");
    }
}

#[test]
fn grant_that_is_missing_is_told() {
    let pipeline = Pipeline::new("").plugin(20, "enrich-rdns", "config: { fields: { source.ip: source.name } }");
    let (ran, told) = check(&pipeline, "plugins.d/20-enrich-rdns.wasm", "{\"source\":{\"ip\":\"192.0.2.1\"}}\n");
    assert_eq!(ran.code, Some(1));
    assert!(state(&told, "grants").1.contains("`grants: [reverse-dns]`"));
}
