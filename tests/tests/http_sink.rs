//! Webhooks through the whole program: what a request has, that repeats can be told, and what the answers of a receiver come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wasmill_tests::pipeline::{Pipeline, Ran};
use wasmill_tests::receiver::{Receiver, Reply, Request};

const KEY: &str = "a key of the tests, 32 bytes long";
const RETRY: &str = "retry: { initial: 10ms, max: 50ms }";
const ROWS: &str = "rows: { sqlite: { path: out.db, table: events, columns: { n: { from: n, type: bigint } } } }";

/// Standard input to a table and to a webhook with these settings.
fn pipeline(http: &str) -> Pipeline {
    Pipeline::new(&format!(
        "name: hooks\nsource: {{ stdin: {{}} }}\n{RETRY}\nsinks:\n  {ROWS}\n  hook: {{ http: {{ {http} }} }}\n"
    ))
}

fn events(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect()
}

fn numbers(requests: &[Request]) -> Vec<Value> {
    let of = |request: &Request| match request.json() {
        Value::Array(events) => events,
        event => vec![event],
    };
    requests.iter().flat_map(of).map(|event| event["n"].clone()).collect()
}

/// Asserts a clean end with each of `count` events in the table once.
fn assert_stored(pipeline: &Pipeline, ran: &Ran, count: usize) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows", "hook"]);
    let stored = pipeline.sqlite("out.db", "SELECT count(*), count(DISTINCT n) FROM events");
    assert_eq!(stored, [[count.to_string(), count.to_string()]]);
}

#[test]
fn event_is_a_signed_request_with_its_origin_and_comes_again_with_the_same_id() {
    let receiver = Receiver::willing();
    let yaml = format!(
        "name: hooks\nsource: {{ file: {{ path: in.jsonl }} }}\nsinks:\n  hook: {{ when: n != 1, http: {{ url: \"{}/in?a=b\", \
         headers: {{ X-Team: \"${{TEAM}}\" }}, secret: \"${{HOOK_SECRET}}\" }} }}\n",
        receiver.url()
    );
    let pipeline = Pipeline::new(&yaml).env("HOOK_SECRET", KEY).env("TEAM", "blue");
    std::fs::write(pipeline.path("in.jsonl"), "{\"n\":0}\n{\"n\":1}\n{\r\"n\": 2}\n").expect("a file");
    let report = pipeline.run(b"").assert_sums(&["hook"]);
    assert_eq!((&report["delivered"]["hook"], &report["filtered"]["hook"]), (&json!(2), &json!(1)));
    let first = receiver.taken();
    assert_eq!(numbers(&first), [json!(0), json!(2)]);
    for (request, offset) in first.iter().zip(["0", "16"]) {
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.header("user-agent").starts_with("wasmill/"), "{request:?}");
        assert_eq!(request.header("x-team"), "blue");
        assert!(request.header("wasmill-origin").ends_with(&format!("in.jsonl/{}/0/{offset}", topic_id(request))));
        assert!(request.is_signed_with(KEY.as_bytes()), "{request:?}");
        assert!(!request.is_signed_with(b"another key of the same length..."), "the signature depends on the key");
        let changed = Request { body: b"{\"n\":3}".to_vec(), ..request.clone() };
        assert!(!changed.is_signed_with(KEY.as_bytes()), "the signature depends on the body");
    }
    // Without a home a file is read from its beginning at each start.
    assert_eq!(pipeline.run(b"").code, Some(0));
    let ids = |requests: &[Request]| requests.iter().map(|one| one.header("webhook-id").to_owned()).collect::<Vec<_>>();
    let all = ids(&receiver.taken());
    assert_eq!(all[..2], all[2..], "a repeat has the same id");
    assert_ne!(all[0], all[1]);
}

/// The part of the origin that names the file beside its path.
fn topic_id(request: &Request) -> &str {
    request.header("wasmill-origin").rsplit('/').nth(2).unwrap_or_default()
}

#[test]
fn several_events_go_in_one_request_as_an_array_or_as_lines() {
    for (format, content_type) in [("array", "application/json"), ("lines", "application/x-ndjson")] {
        let receiver = Receiver::willing();
        let pipeline = pipeline(&format!("url: \"{}\", format: {format}, batch_events_max: 40", receiver.url()));
        let ran = pipeline.run(&events(100));
        assert_stored(&pipeline, &ran, 100);
        let taken = receiver.taken();
        let counts: Vec<usize> = taken
            .iter()
            .map(|one| match format {
                "array" => one.json().as_array().expect("an array").len(),
                _ => one.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(),
            })
            .collect();
        assert!(counts.iter().all(|count| *count <= 40) && counts.iter().sum::<usize>() == 100, "{counts:?}");
        assert!(taken.iter().all(|one| one.header("content-type") == content_type));
        assert!(taken[0].header("wasmill-origins").contains("/0/0,8,16"), "{:?}", taken[0].headers);
    }
}

#[test]
fn receiver_that_fails_hangs_breaks_or_never_ends_gets_each_event_and_the_table_has_none_twice() {
    let receiver = Receiver::start(|request| {
        let n = request.json()["n"].as_u64().unwrap_or_default();
        match (n, request.repeats) {
            (1, 0..=3) => Reply::status(500),
            (2, 0) => Reply::With(429, vec![("retry-after", "1".to_owned())], String::new()),
            (3, 0) => Reply::Hang,
            (4, 0) => Reply::Close,
            (5, 0) => Reply::Endless(503),
            (6, 0) => Reply::Endless(200),
            (7, 0) => Reply::Answer(408, "x".repeat(1 << 20)),
            (8, 0) => Reply::status(425),
            _ => Reply::Answer(200, "thanks".to_owned()),
        }
    });
    let pipeline = pipeline(&format!("url: \"{}\", timeout: 500ms", receiver.url()));
    let ran = pipeline.run(&events(20));
    assert_stored(&pipeline, &ran, 20);
    assert_eq!(numbers(&receiver.taken()), (0..20).map(Value::from).collect::<Vec<_>>(), "each once and in order");
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.requests() {
        let id = request.header("webhook-id").to_owned();
        ids.entry(request.json()["n"].to_string()).or_default().insert(id);
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "a repeat has the same id: {ids:?}");
    let told = [
        "cannot take events now (500)",
        "asks for fewer requests (429)",
        "does not answer within 500ms",
        "broke before its answer",
        "cannot take events now (503): xxxx",
    ];
    for words in told {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(ran.report()["sinks"][1]["retries"], 4 + 1 + 1 + 1 + 1 + 1 + 1);
}

#[test]
fn event_that_the_receiver_refuses_is_a_dead_letter_and_its_neighbours_arrive() {
    let refuses = |request: &Request| match String::from_utf8_lossy(&request.body).contains("\"n\":7}") {
        true => Reply::Answer(422, format!("no sevens\x1b[31m, {}", "really ".repeat(100))),
        false => Reply::status(200),
    };
    for format in ["single", "array", "lines"] {
        let receiver = Receiver::start(refuses);
        let pipeline = pipeline(&format!("url: \"{}\", format: {format}", receiver.url()));
        let ran = pipeline.run(&events(20));
        assert_stored(&pipeline, &ran, 20);
        assert_eq!(ran.report()["refused"]["hook"], 1);
        let letters = pipeline.sqlite("out.db", "SELECT code, sink, \"offset\", reason FROM wasmill_dead_letters");
        let [letter] = &letters[..] else { panic!("{letters:?}") };
        assert_eq!(letter[..3], ["refused_by_receiver", "hook", "56"]);
        assert!(letter[3].contains("(422): no sevens [31m, really"), "{}", letter[3]);
        assert!(letter[3].len() < 400, "{}", letter[3]);
        let taken = receiver.taken();
        let bodies: Vec<_> = taken.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
        let arrived = (0..20).filter(|n| bodies.iter().any(|body| body.contains(&format!("\"n\":{n}}}")))).count();
        assert_eq!(arrived, 19);
    }
}

#[test]
fn event_that_is_larger_than_a_request_is_a_dead_letter() {
    let receiver = Receiver::willing();
    let pipeline = pipeline(&format!("url: \"{}\", batch_bytes_max: 1KiB", receiver.url()));
    let of = |bytes: usize| format!("{{\"n\":1,\"text\":\"{}\"}}\n", "x".repeat(bytes - 17));
    let ran = pipeline.run(format!("{}{}", of(1_024), of(1_025)).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let letters = pipeline.sqlite("out.db", "SELECT code, \"offset\" FROM wasmill_dead_letters");
    assert_eq!((letters, receiver.taken().len()), (vec![vec!["too_large".to_owned(), "1025".to_owned()]], 1));
}

#[test]
fn alert_is_a_request_with_its_id() {
    let receiver = Receiver::willing();
    let yaml = format!(
        "name: hooks\nsource: {{ stdin: {{}} }}\nplugins: plugins.d\nsinks:\n  {ROWS}\n  hook: {{ from: alerts, http: {{ url: \"{}\" }} }}\n",
        receiver.url()
    );
    let rules =
        "config: { rules: [{ name: three, when: 'n % 3 == 0', severity: error, key: n, summary: 'n is {n}' }] }";
    let pipeline = Pipeline::new(&yaml).plugin(30, "alert-rules", rules);
    let ran = pipeline.run(&events(7));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let taken = receiver.taken();
    assert_eq!(
        taken.iter().map(|one| one.json()["summary"].clone()).collect::<Vec<_>>(),
        ["n is 0", "n is 3", "n is 6"]
    );
    assert!(taken.iter().all(|one| one.json()["id"] == one.header("wasmill-alert-id")));
}
