//! `wasmill plugin inspect`: what a plugin is and asks for, before it gets it.

use std::time::Duration;

use serde_json::{Value, json};
use wasmill_tests::pipeline::{Pipeline, Ran};

const PATIENCE: Duration = Duration::from_secs(60);

fn inspect(pipeline: &Pipeline, file: &str, more: &[&str]) -> Ran {
    pipeline.start_with(&[&["plugin", "inspect", file], more].concat(), b"").wait(PATIENCE)
}

fn told(pipeline: &Pipeline, file: &str) -> Value {
    let ran = inspect(pipeline, file, &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// What is told of one grant.
fn grant<'a>(told: &'a Value, name: &str) -> &'a Value {
    told["grants"].as_array().expect("a list").iter().find(|one| one["grant"] == name).expect("every grant is told")
}

#[test]
fn inspect_tells_each_grant_and_import_before_anything_is_granted() {
    let pipeline = Pipeline::new("").plugin(20, "enrich-rdns", "config: { fields: { source.ip: source.name } }");
    let file = "plugins.d/20-enrich-rdns.wasm";
    let before = told(&pipeline, file);
    assert_eq!(
        (&before["name"], &before["kinds"], &before["interface"]),
        (&json!("enrich-rdns"), &json!("enricher"), &json!("0.1.0"))
    );
    let bytes = std::fs::read(pipeline.path(file)).expect("the plugin");
    assert_eq!(
        (&before["bytes"], &before["digest"]),
        (&json!(bytes.len()), &json!(wasmill_core::Digest::of(&bytes).to_string()))
    );
    let lookup = json!({ "path": "source.ip", "kind": "text", "required": false, "lookup": "reverse-dns" });
    assert!(before["reads"].as_array().expect("a list").contains(&lookup), "{before}");
    assert!(
        before["writes"].as_array().expect("a list").contains(&json!({ "path": "source.name", "kind": "text" })),
        "{before}"
    );
    let reverse_dns = grant(&before, "reverse-dns");
    assert_eq!((&reverse_dns["is_needed"], &reverse_dns["is_granted"]), (&json!(true), &json!(false)));
    assert_eq!(grant(&before, "state")["is_needed"], json!(false));
    assert!(before["imports"].as_array().expect("a list").iter().all(|import| import["gives"].is_string()));

    let granted = "config: { fields: { source.ip: source.name } }\ngrants: [reverse-dns]\n";
    std::fs::write(pipeline.path("plugins.d/20-enrich-rdns.yaml"), granted).expect("a file");
    assert_eq!(grant(&told(&pipeline, file), "reverse-dns")["is_granted"], json!(true));
}

#[test]
fn inspect_tells_people_in_lines() {
    let pipeline = Pipeline::new("").plugin(10, "counter", "{}");
    let ran = inspect(&pipeline, "plugins.d/10-counter.wasm", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for line in [
        "plugin     counter 0.1.0, alerter",
        "interface  wasmill:plugin@0.1.0",
        "reads      key: text",
        "state      of version 1",
        "           state: needed, NOT granted (bytes by key",
        "import     wasmill:plugin/types@0.1.0: types alone",
        "wasmill:plugin/log@0.1.0: lines of the log, limited by limits.log_lines",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}

#[test]
fn inspect_of_what_is_refused_or_no_plugin_says_why() {
    let pipeline =
        Pipeline::new("").plugin(10, "adversary", "config: { configure: loop }\nlimits: { fuel_configure: 1000000 }");
    std::fs::write(pipeline.path("plugins.d/bad.wasm"), b"no plugin").expect("a file");
    for (file, reason) in [
        ("plugins.d/10-adversary.wasm", "its configure failed (fuel)"),
        ("plugins.d/bad.wasm", "it is no WebAssembly component"),
        ("plugins.d/10-adversary.yaml", "a plugin's file ends in .wasm"),
        ("plugins.d/absent.wasm", "cannot read the plugin"),
    ] {
        let ran = inspect(&pipeline, file, &[]);
        assert_eq!(ran.code, Some(78), "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{reason}: {}", ran.stderr);
    }
    // Settings on the command line go before those beside it.
    let ran = inspect(&pipeline, "plugins.d/10-adversary.wasm", &["--config", "{}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
