//! What a plugin answers: the guest `rogue` says the input as its answer, `adversary` calls the state as the input says.

use serde_json::json;
use wasmill_tests::fuzz::fuzz;

use crate::engine::{load, run};

/// Fuzzes the answers of one of `rogue`'s kinds, by its letter.
fn answers(name: &str, kind: char) {
    let plugin = load("rogue", json!({}));
    fuzz(name, |input| {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        run(&plugin, &[json!({ "n": 7, "do": format!("{kind}:parrot:{hex}") }), json!({ "n": 8 })])
    });
}

#[test]
fn verdicts() {
    answers("verdicts", 'v');
}

#[test]
fn columns() {
    answers("columns", 'e');
}

#[test]
fn alerts() {
    answers("alerts", 'a');
}

#[test]
fn state() {
    let plugin = load("adversary", json!({ "state": true }));
    fuzz("state", |input| {
        let calls = format!("state:{}", String::from_utf8_lossy(input));
        run(&plugin, &[json!({ "do": calls }), json!({ "do": "state:f97/1;s0/0/7/1/9/9/1" })])
    });
}
