//! The component in the engine of production: every check with its allowed and its forbidden twin, hostile events, refused
//! configurations, and the same verdicts however batches are cut and as the function gives natively.

use serde_json::{Value, json};
use validate_event::validate_event;
use wasmill_harness::{EventOutcome, Events, Harness, Native, Random, Run};

/// 2026-11-21T08:45:00Z, the time of records.
const NOW_MS: i64 = 1_795_250_700_000;

fn plugin(config: &Value) -> Harness {
    Harness::this_plugin().config(config.clone())
}

/// What becomes of these events, all in one batch.
fn run(config: &Value, events: &[&str]) -> Run {
    let mut running = plugin(config).start().expect("the configuration is right");
    running.run_at(NOW_MS, events).expect("the plugin is not broken")
}

/// Asserts what becomes of each event.
fn assert_words(config: &Value, cases: &[(&str, &str)]) -> Run {
    let events: Vec<&str> = cases.iter().map(|(event, _)| *event).collect();
    let run = run(config, &events);
    for ((event, expected), outcome) in cases.iter().zip(&run.events) {
        let shown: String = event.chars().take(80).collect();
        assert_eq!(outcome.word(), *expected, "{shown}: {outcome:?}");
    }
    assert_eq!(run.events.len(), cases.len());
    run
}

/// One field for each kind of check.
fn every_check() -> Value {
    json!({
        "fields": {
            "must": { "required": true },
            "text": { "type": "text" }, "integer": { "type": "integer" }, "number": { "type": "number" },
            "boolean": { "type": "boolean" }, "object": { "type": "object" }, "array": { "type": "array" },
            "severity": { "one_of": ["INFO", "ERROR"] },
            "level": { "one_of": ["info", "error"], "ignore_case": true },
            "min": { "min_chars": 2 }, "chars": { "max_chars": 3 }, "bytes": { "max_bytes": 4 },
            "clean": { "control_characters": "reject" }, "lines": { "control_characters": "allow_whitespace" },
            "rfc": { "timestamp": { "format": "rfc3339", "earliest_year": 1970, "latest_year": 2099 } },
            "ms": { "timestamp": { "format": "epoch_ms", "max_past": "1h", "max_future": "5m" } },
            "time": { "timestamp": { "format": "either" } },
            "source.ip": { "max_chars": 15 },
        },
        "drop": [{ "field": "kind", "equals": "heartbeat" }, { "field": "n", "one_of": [7, 0.5, true, "x"] }],
    })
}

/// An event with everything that is required and one field more.
fn with(field: &str) -> String {
    format!(r#"{{"must":1,{field}}}"#)
}

#[test]
fn every_check_lets_what_it_allows_pass_and_rejects_what_it_forbids() {
    let cases = [
        (r#""text":"""#, r#""text":1"#, "wrong_type"),
        (r#""integer":-9223372036854775808"#, r#""integer":1.5"#, "wrong_type"),
        (r#""integer":9223372036854775807"#, r#""integer":9223372036854775808"#, "wrong_type"),
        (r#""number":1e3"#, r#""number":"1""#, "wrong_type"),
        (r#""number":7"#, r#""number":[7]"#, "wrong_type"),
        (r#""boolean":false"#, r#""boolean":0"#, "wrong_type"),
        (r#""object":{}"#, r#""object":[]"#, "wrong_type"),
        (r#""array":[{}]"#, r#""array":{"0":1}"#, "wrong_type"),
        (r#""severity":"\u0049NFO""#, r#""severity":"info""#, "bad_severity"),
        (r#""level":"Info""#, r#""level":"warn""#, "not_allowed"),
        (r#""min":"äö""#, r#""min":"ä""#, "too_short"),
        (r#""chars":"äöü""#, r#""chars":"äöüx""#, "too_long"),
        (r#""bytes":"äö""#, r#""bytes":"äöx""#, "too_long"),
        (r#""clean":"fine ä""#, r#""clean":"a\tb""#, "control_character"),
        (r#""lines":"a\tb\r\n""#, r#""lines":"a\u001b""#, "control_character"),
        (r#""rfc":"1970-01-01T00:00:00Z""#, r#""rfc":"1970-01-01T00:00:00+00:01""#, "bad_timestamp"),
        (r#""rfc":"2099-12-31T23:59:59.999999Z""#, r#""rfc":"2100-01-01T00:00:00Z""#, "bad_timestamp"),
        (r#""rfc":"2024-02-29T00:00:00Z""#, r#""rfc":"2026-02-29T00:00:00Z""#, "bad_timestamp"),
        (r#""rfc":"1999-01-01T00:00:00-12:00""#, r#""rfc":1"#, "wrong_type"),
        (r#""ms":1795247100000"#, r#""ms":1795247099999"#, "too_old"),
        (r#""ms":1795251000000"#, r#""ms":1795251000001"#, "in_the_future"),
        (r#""time":0"#, r#""time":9223372036854775807"#, "bad_timestamp"),
        (r#""time":"2026-11-21T08:45:00Z""#, r#""time":"10000-01-01T00:00:00Z""#, "bad_timestamp"),
        (r#""time":null"#, r#""time":true"#, "wrong_type"),
        (r#""source":{"ip":"10.0.0.1"}"#, r#""source":{"ip":"10.0.0.1.10.0.0.1"}"#, "too_long"),
        (r#""must":"the last one counts""#, r#""must":null"#, "missing_field"),
        (r#""kind":"Heartbeat""#, r#""kind":"heartbeat""#, "drop"),
        (r#""n":8"#, r#""n":7"#, "drop"),
        (r#""n":0.25"#, r#""n":0.5"#, "drop"),
        (r#""n":false"#, r#""n":true"#, "drop"),
        (r#""n":"X""#, r#""n":"x""#, "drop"),
    ];
    let (allowed, forbidden): (Vec<String>, Vec<String>) =
        cases.iter().map(|(allowed, forbidden, _)| (with(allowed), with(forbidden))).unzip();
    let twins = allowed.iter().zip(&forbidden).zip(&cases);
    let words: Vec<(&str, &str)> =
        twins.flat_map(|((allowed, forbidden), case)| [(allowed.as_str(), "pass"), (forbidden, case.2)]).collect();
    let run = assert_words(&every_check(), &words);
    for n in (0..run.events.len()).filter(|n| run.events[*n].passed()) {
        run.event(n).assert_unchanged();
    }
}

#[test]
fn a_field_that_is_absent_null_or_below_no_object_fails_only_required() {
    let cases = [
        (r#"{"must":1}"#, "pass"),
        (r#"{"must":1,"source":null,"text":null,"severity":null,"rfc":null,"object":null}"#, "pass"),
        (r#"{"must":1,"source":"10.0.0.1"}"#, "pass"),
        (r#"{"must":1,"source":[{"ip":"10.0.0.1.10.0.0.1"}]}"#, "pass"),
        ("{}", "missing_field"),
        (r#"{"Must":1}"#, "missing_field"),
    ];
    assert_words(&every_check(), &cases);
    let nested = json!({ "fields": { "a.b.c": { "required": true } } });
    let cases = [
        (r#"{"a":{"b":{"c":{}}}}"#, "pass"),
        (r#"{"a":{"b":"c"}}"#, "missing_field"),
        (r#"{"a":[{"b":{"c":1}}]}"#, "missing_field"),
        (r#"{"a.b.c":1}"#, "missing_field"),
    ];
    assert_words(&nested, &cases);
}

#[test]
fn hostile_events_are_rejected_alone_and_their_neighbours_go_on() {
    let good = with(r#""text":"good""#);
    let huge = with(&format!(r#""chars":"{}""#, "x".repeat(900_000)));
    let too_large = with(&format!(r#""text":"{}""#, "x".repeat(1 << 20)));
    let deep = with(&format!(r#""object":{}1{}"#, r#"{"a":"#.repeat(50_000), "}".repeat(50_000)));
    let controls: String = (0..0x20).map(|code| format!("\\u{code:04x}")).collect();
    let controls = with(&format!(r#""clean":"{controls}""#));
    let (nul, first_c1) = (with(r#""clean":"\u0000""#), with("\"clean\":\"\u{80}\""));
    let lone = with(r#""text":"\ud800""#);
    let reversed = with(r#""text":"\udc00\ud800""#);
    let pair = with(r#""chars":"\ud83c\udf89""#);
    let raw_control = with("\"text\":\"a\u{1}b\"");
    let cases = [
        ("not JSON", "not_json"),
        (r#"{"must":1} {"must":2}"#, "not_json"),
        (r#"{"must":1,}"#, "not_json"),
        (r#"{"must":01}"#, "not_json"),
        ("{'must':1}", "not_json"),
        (raw_control.as_str(), "not_json"),
        (r#"{"must":1,"te"#, "truncated"),
        ("", "empty"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        (huge.as_str(), "too_long"),
        (too_large.as_str(), "too_large"),
        (deep.as_str(), "too_deep"),
        (controls.as_str(), "control_character"),
        (nul.as_str(), "control_character"),
        (first_c1.as_str(), "control_character"),
        (lone.as_str(), "lone_surrogate"),
        (reversed.as_str(), "lone_surrogate"),
        (pair.as_str(), "pass"),
        (r#"{"must":1,"rfc":"\n\u0007yesterday"}"#, "bad_timestamp"),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().flat_map(|case| [*case, (good.as_str(), "pass")]).collect();
    let run = assert_words(&every_check(), &cases);
    for outcome in &run.events {
        if let EventOutcome::Rejected { code, reason, .. } = outcome {
            assert!(reason.len() < 300 && !reason.chars().any(char::is_control), "{code}: {reason:?}");
        }
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_sentence() {
    let of_field = |field: Value| json!({ "fields": { "a": field } });
    for (config, expected) in [
        (json!({}), "nothing would be checked: name at least one field"),
        (json!([]), "the config is not an object"),
        (json!({ "fieds": {} }), "`fieds`: there is no such key; write `fields`"),
        (of_field(json!({})), "`fields.a`: it has no check"),
        (of_field(json!({ "type": "uuid" })), "`fields.a.type`: write `any`"),
        (of_field(json!({ "type": "integer", "max_chars": 3 })), "are checks of text"),
        (of_field(json!({ "one_of": [] })), "`one_of` is empty"),
        (of_field(json!({ "ignore_case": true, "required": true })), "`ignore_case` is about `one_of`"),
        (of_field(json!({ "min_chars": 2, "max_bytes": 1 })), "`min_chars` is over the maximum"),
        (of_field(json!({ "max_chars": -1 })), "`fields.a.max_chars`"),
        (of_field(json!({ "timestamp": {} })), "`format` is missing"),
        (of_field(json!({ "timestamp": { "format": "either", "max_past": "1 week" } })), "is no duration"),
        (of_field(json!({ "timestamp": { "format": "either", "latest_year": 10000 } })), "years 1 to 9999"),
        (json!({ "fields": { "a..b": { "required": true } } }), "the path `a..b` has an empty key"),
        (json!({ "drop": [{ "field": "a" }] }), "`drop.0`: write one of `equals: value`"),
        (json!({ "drop": [{ "field": "a", "one_of": [] }] }), "`drop.0`: `one_of` is empty"),
    ] {
        let why = plugin(&config).start().expect_err("it is refused").to_string();
        assert!(why.contains(expected), "{config}: {why}");
    }
}

/// A payload that checks some fields with values that fit and values that do not.
fn any_event(random: &mut Random) -> String {
    const FIELDS: [&str; 17] = [
        "must", "text", "integer", "number", "boolean", "object", "array", "severity", "level", "min", "chars",
        "bytes", "clean", "lines", "rfc", "ms", "time",
    ];
    const VALUES: [&str; 34] = [
        "null",
        "true",
        "false",
        "0",
        "7",
        "-1",
        "0.5",
        "1.25",
        "1795250700000",
        "1795251000001",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "{}",
        r#"{"ip":"10.0.0.1"}"#,
        "[]",
        "[1]",
        r#""""#,
        r#""x""#,
        r#""INFO""#,
        r#""Info""#,
        r#""ERROR""#,
        r#""heartbeat""#,
        r#""äöü""#,
        r#""äöüß""#,
        r#""🎉""#,
        r#""a\tb""#,
        r#""\u0000""#,
        r#""\u001b[2J""#,
        r#""\u0085""#,
        r#""2026-11-21T08:45:00.250Z""#,
        r#""2026-11-21T09:45:00+01:00""#,
        r#""1969-12-31T23:59:59Z""#,
        r#""10000-01-01T00:00:00Z""#,
    ];
    let value = |random: &mut Random| VALUES[random.usize(..VALUES.len())];
    let mut fields = vec![format!(r#""must":{}"#, if random.u8(..) < 240 { "1" } else { "null" })];
    for _ in 0..random.usize(..3) {
        fields.push(format!(r#""{}":{}"#, FIELDS[random.usize(1..FIELDS.len())], value(random)));
    }
    for field in ["source", "kind", "n"] {
        if random.u8(..) < 40 {
            fields.push(format!(r#""{field}":{}"#, value(random)));
        }
    }
    format!("{{{}}}", fields.join(","))
}

#[test]
fn verdicts_do_not_depend_on_where_batches_are_cut_nor_on_the_process() {
    let events = Events::any(1_500, any_event);
    plugin(&every_check()).assert_cut_invariant(&events);
    plugin(&every_check()).assert_deterministic(&events);
}

#[test]
fn the_component_answers_as_the_function_does_natively() {
    let events = Events::any(5_000, any_event).at_ms(NOW_MS);
    let run = plugin(&every_check()).assert_native_equals_wasm(&Native::validator::<validate_event>(), events);
    for word in ["pass", "drop", "missing_field", "wrong_type", "too_long", "control_character", "bad_timestamp"] {
        assert!(run.words().contains(&word), "no event comes to {word}");
    }
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    plugin(&every_check()).torture();
    plugin(&every_check())
        .torture_like(&json!({ "must": 1, "text": "a", "severity": "INFO", "source": { "ip": "10.0.0.1" } }));
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&every_check()).assert_golden("every_check");
}
