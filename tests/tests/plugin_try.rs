//! `wasmill plugin run`, `bench`, `list` and `inspect --wit`: plugins are tried out and looked at.

use serde_json::{Value, json};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran};

const ENRICH: &str = "config: { env: test, lookup: { field: service, table: { a: { team: red } } } }";

fn run(pipeline: &Pipeline, arguments: &[&str], stdin: &str) -> Ran {
    pipeline.start_with(&[&["plugin"], arguments].concat(), stdin.as_bytes()).wait(PATIENCE)
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn run_tells_what_becomes_of_each_event() {
    let rules = "config: { fields: { text: { required: true } }, drop: [{ field: kind, equals: beat }] }";
    let pipeline = Pipeline::new("").plugin(10, "validate-event", rules);
    let events = "{\"text\":\"a\"}\r\n{\"kind\":\"beat\",\"text\":\"b\"}\n{}\nnonsense";
    let ran = run(&pipeline, &["run", "plugins.d/10-validate-event.wasm", "--format", "json"], events);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = lines(&ran);
    assert_eq!(told[0], json!({ "event": 1, "outcome": "passed", "payload": { "text": "a" }, "alerts": [] }));
    assert_eq!(told[1], json!({ "event": 2, "outcome": "dropped", "alerts": [] }));
    assert_eq!((&told[2]["outcome"], &told[2]["code"]), (&json!("rejected"), &json!("missing_field")));
    assert_eq!(told[3]["code"], json!("not_json"));
    let ran = run(&pipeline, &["run", "plugins.d/10-validate-event.wasm"], events);
    assert!(ran.stdout.starts_with("passed    {\"text\":\"a\"}\ndropped   {\"kind\""), "{}", ran.stdout);
    assert!(ran.stdout.contains("rejected  missing_field: the field \"text\" is required"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "no colours for what is no terminal");
    assert!(ran.stderr.contains("4 events: 1 passed, 1 dropped, 2 rejected, 0 alerts"), "{}", ran.stderr);
}

#[test]
fn run_shows_differences_names_and_alerts() {
    let pipeline = Pipeline::new("")
        .plugin(20, "enrich-env", ENRICH)
        .plugin(25, "enrich-rdns", "config: { fields: { ip: name } }")
        .plugin(30, "alert-rules", "config: { rules: [{ name: r, when: n > 1, severity: info, summary: \"{n}\" }] }");
    let ran = run(&pipeline, &["run", "plugins.d/20-enrich-env.wasm", "--diff"], "{\"service\":\"a\"}\n");
    assert!(ran.stdout.contains("passed    {\"service\":\"a\"}\n          + env: \"test\"\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("          + team: \"red\"\n"), "{}", ran.stdout);
    let names =
        ["run", "plugins.d/25-enrich-rdns.wasm", "--format", "json", "--reverse-dns", r#"{"192.0.2.1":"web-1"}"#];
    let ran = run(&pipeline, &names, "{\"ip\":\"192.0.2.1\"}\n");
    assert_eq!(lines(&ran)[0]["payload"]["name"], json!("web-1"), "{}", ran.stderr);
    let alerts = ["run", "plugins.d/30-alert-rules.wasm", "--format", "json"];
    let event = "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"n\":2}\n";
    let told = lines(&run(&pipeline, &alerts, event));
    assert_eq!(
        (&told[0]["alerts"][0]["summary"], &told[0]["alerts"][0]["at"]),
        (&json!("2"), &json!("2026-01-01T00:00:00Z"))
    );
}

#[test]
fn run_of_a_plugin_that_breaks_fails_with_its_words() {
    let pipeline = Pipeline::new("").plugin(10, "adversary", "config: { absent: trap }");
    let ran = run(&pipeline, &["run", "plugins.d/10-adversary.wasm"], &"{}\n".repeat(900));
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.contains("is taken to be broken"), "{}", ran.stderr);
}

#[test]
fn bench_measures_beside_a_plugin_that_does_nothing() {
    let pipeline = Pipeline::new("")
        .plugin(10, "validate-event", "config: { fields: { text: { required: true } } }")
        .plugin(20, "enrich-env", ENRICH)
        .plugin(30, "alert-rules", "config: { rules: [{ name: r, when: n > 1, severity: info, summary: x }] }");
    for file in ["10-validate-event", "20-enrich-env", "30-alert-rules"] {
        let file = format!("plugins.d/{file}.wasm");
        let ran = run(&pipeline, &["bench", &file, "--format", "json"], "");
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
        let told = &lines(&ran)[0];
        for figure in ["ns_per_event", "fuel_per_event", "memory_bytes", "bytes_in_per_event"] {
            let of = |plugin: &str| told[plugin][figure].as_f64().expect("a number");
            assert!(of("plugin") > 0.0 && of("idle") > 0.0, "{file}: {told}");
        }
        assert_eq!((&told["plugin"]["failed_calls"], &told["idle"]["failed_calls"]), (&json!(0), &json!(0)), "{told}");
        assert!(told["plugin"]["fuel_per_event"].as_f64() > told["idle"]["fuel_per_event"].as_f64(), "{file}: {told}");
        // It is handed the same.
        assert_eq!(told["plugin"]["bytes_in_per_event"], told["idle"]["bytes_in_per_event"], "{file}: {told}");
    }
    let ran = run(&pipeline, &["bench", "plugins.d/20-enrich-env.wasm"], "");
    assert!(
        ran.stdout.contains("one that does nothing") && ran.stdout.contains("limits.fuel_per_event"),
        "{}",
        ran.stdout
    );
}

#[test]
fn bench_tells_the_share_of_each_function_of_the_host() {
    let rule = "{ name: r, when: n >= 0, severity: info, summary: x, rate: { more_than: 5, within: 1m } }";
    let pipeline = Pipeline::new("").plugin(10, "alert-rules", &format!("config: {{ rules: [{rule}] }}")).plugin(
        20,
        "enrich-env",
        ENRICH,
    );
    let ran = run(&pipeline, &["bench", "plugins.d/10-alert-rules.wasm", "--format", "json"], "");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let calls = lines(&ran)[0]["host_calls"].clone();
    let named = |name: &str| calls.as_array().unwrap().iter().find(|call| call["function"] == name).cloned();
    for name in ["state.clocks", "state.fetch", "state.store"] {
        let call = named(name).unwrap_or_else(|| panic!("no {name}: {calls}"));
        assert!(call["share"].as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{call}");
        assert!(
            call["calls_per_event"].as_f64().is_some_and(|calls| calls > 0.0 && calls < 1.0),
            "once a batch: {call}"
        );
    }
    assert!(named("state.store").is_some_and(|store| store["bytes_in_per_event"].as_f64() > Some(0.0)), "{calls}");
    let ran = run(&pipeline, &["bench", "plugins.d/10-alert-rules.wasm"], "");
    assert!(ran.stdout.contains("functions of the host") && ran.stdout.contains("state.fetch"), "{}", ran.stdout);
    let ran = run(&pipeline, &["bench", "plugins.d/20-enrich-env.wasm"], "");
    assert!(ran.stdout.contains("it calls no function of the host"), "{}", ran.stdout);
}

#[test]
fn list_tells_what_the_directory_would_serve_and_what_home_says_serves() {
    let yaml = "name: p\nsource: { file: { path: events.jsonl } }\nplugins: plugins.d\n\
                sinks: { rows: { sqlite: { path: p.db, table: rows, create: true, columns: { body: $payload } } } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "enrich-env", ENRICH).plugin(
        20,
        "validate-event",
        "config: { fields: { text: { required: true } } }",
    );
    std::fs::write(pipeline.path("events.jsonl"), "{\"text\":\"a\"}\n").expect("a file");
    let list = |more: &[&str]| {
        let ran = run(&pipeline, &[&["list", "--config", "pipeline.yaml", "--format", "json"], more].concat(), "");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        lines(&ran)[0].as_array().expect("a list").clone()
    };
    let before = list(&[]);
    let files: Vec<&Value> = before.iter().map(|one| &one["file"]).collect();
    assert_eq!(files, ["20-validate-event.wasm", "10-enrich-env.wasm"], "validators run first");
    assert_eq!(before[0]["serves"], Value::Null);
    assert_eq!(pipeline.run(b"").code, Some(0));
    std::fs::write(pipeline.path("plugins.d/10-enrich-env.yaml"), "config: { env: other }").expect("a file");
    let after = list(&["--served"]);
    let told: Vec<_> =
        after.iter().map(|one| (one["name"].as_str(), one["serves"].as_bool(), one["is_there"].as_bool())).collect();
    assert_eq!(
        told,
        [
            (Some("validate-event"), Some(true), Some(true)),
            (Some("enrich-env"), Some(false), Some(true)),
            (Some("enrich-env"), Some(true), Some(false)),
        ]
    );
    std::fs::write(pipeline.path("plugins.d/30-bad.wasm"), "no plugin").expect("a file");
    let bad = run(&pipeline, &["list", "--config", "pipeline.yaml"], "");
    assert_eq!(bad.code, Some(78), "{}", bad.stdout);
    assert!(bad.stderr.contains("it is no WebAssembly component"), "{}", bad.stderr);
}

#[test]
fn inspect_tells_the_interface_and_the_largest_functions() {
    let pipeline = Pipeline::new("").plugin(10, "counter", "{}");
    let wit = run(&pipeline, &["inspect", "plugins.d/10-counter.wasm", "--wit"], "");
    assert_eq!(wit.code, Some(0), "{}", wit.stderr);
    for line in
        ["export wasmill:plugin/alerter@0.1.0;", "import wasmill:plugin/state@0.1.0;", "evaluate: func(batch: batch)"]
    {
        assert!(wit.stdout.contains(line), "{line}: {}", wit.stdout);
    }
    let told = lines(&run(&pipeline, &["inspect", "plugins.d/10-counter.wasm", "--format", "json"], ""));
    let largest = told[0]["size"]["largest"].as_array().expect("a list");
    let sizes: Vec<_> = largest.iter().map(|function| function["bytes"].as_u64()).collect();
    assert!(largest.len() == 15 && sizes.is_sorted_by(|one, other| one >= other), "{largest:?}");
    assert!(largest.iter().any(|function| function["name"] == "wasmill:plugin/alerter@0.1.0#evaluate"), "{largest:?}");
    std::fs::write(pipeline.path("bad.wasm"), "no plugin").expect("a file");
    let bad = run(&pipeline, &["inspect", "bad.wasm", "--wit"], "");
    assert_eq!(bad.code, Some(78), "{}", bad.stdout);
}
