//! The checks, natively. Times of records are 2026-11-21T08:45:00Z unless a test says otherwise.

use serde_json::{Value, json};
use wasmill_sdk::{Loaded, Verdict};

use crate::validate_event;

const NOW_NS: i64 = 1_795_250_700_000_000_000;

fn load(config: &Value) -> Loaded<validate_event> {
    Loaded::configure(&config.to_string()).unwrap()
}

fn refused(config: &Value) -> String {
    Loaded::<validate_event>::configure(&config.to_string()).unwrap_err()
}

/// The verdict on one event under a config with this one field.
fn verdict(path: &str, field: Value, event: &Value) -> Verdict {
    let plugin = load(&json!({ "fields": { path: field } }));
    plugin.validate_json(&[(event.to_string().as_str(), NOW_NS)]).remove(0)
}

fn code(verdict: &Verdict) -> &str {
    verdict.rejection().map_or("pass", |rejection| &rejection.code)
}

fn reason(verdict: &Verdict) -> &str {
    &verdict.rejection().unwrap().reason
}

#[test]
fn a_required_field_is_there_and_not_null() {
    let of = |event: Value| verdict("a.b", json!({ "required": true }), &event);
    assert_eq!(code(&of(json!({ "a": { "b": 1 } }))), "pass");
    assert_eq!(code(&of(json!({ "a": { "b": {} } }))), "pass");
    assert_eq!(code(&of(json!({ "a": { "b": null } }))), "missing_field");
    assert_eq!(code(&of(json!({ "a": 1 }))), "missing_field");
}

#[test]
fn a_field_that_is_not_required_may_be_absent_or_null() {
    for field in [
        json!({ "type": "text" }),
        json!({ "type": "integer" }),
        json!({ "type": "object" }),
        json!({ "one_of": ["x"] }),
        json!({ "timestamp": { "format": "either" } }),
    ] {
        assert!(verdict("a", field.clone(), &json!({})).is_pass(), "{field}");
        assert!(verdict("a", field.clone(), &json!({ "a": null })).is_pass(), "{field}");
    }
}

#[test]
fn a_field_has_its_type() {
    let values = [json!("x"), json!(1), json!(1.5), json!(true), json!({}), json!([])];
    for (ty, fits) in [
        ("text", [true, false, false, false, false, false]),
        ("integer", [false, true, false, false, false, false]),
        ("number", [false, true, true, false, false, false]),
        ("boolean", [false, false, false, true, false, false]),
        ("object", [false, false, false, false, true, false]),
        ("array", [false, false, false, false, false, true]),
    ] {
        for (value, fits) in values.iter().zip(fits) {
            let verdict = verdict("a", json!({ "type": ty }), &json!({ "a": value }));
            assert_eq!(code(&verdict), if fits { "pass" } else { "wrong_type" }, "{ty} {value}");
        }
    }
    let verdict = verdict("a", json!({ "type": "integer" }), &json!({ "a": "x" }));
    assert_eq!(reason(&verdict), "the field `a` is not an integer");
}

#[test]
fn text_is_one_of_a_set() {
    let set = json!({ "one_of": ["INFO", "ERROR"] });
    assert!(verdict("severity", set.clone(), &json!({ "severity": "INFO" })).is_pass());
    let wrong = verdict("severity", set.clone(), &json!({ "severity": "info\n" }));
    assert_eq!(code(&wrong), "bad_severity");
    assert_eq!(reason(&wrong), r"the field `severity` is `info\n`, which is not one of `INFO`, `ERROR`");
    assert_eq!(code(&verdict("level", set, &json!({ "level": "x" }))), "not_allowed");
    let any_case = json!({ "one_of": ["INFO"], "ignore_case": true });
    assert!(verdict("severity", any_case, &json!({ "severity": "Info" })).is_pass());
}

#[test]
fn a_large_set_is_searched() {
    let words: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
    let set = json!({ "one_of": words });
    assert!(words.iter().all(|word| verdict("a", set.clone(), &json!({ "a": word })).is_pass()));
    let wrong = verdict("a", set, &json!({ "a": "w100" }));
    assert!(reason(&wrong).ends_with("and 90 more"), "{}", reason(&wrong));
}

#[test]
fn text_length_is_bounded_at_the_limit_and_not_before() {
    let of = |field: Value, text: &str| code(&verdict("a", field, &json!({ "a": text }))).to_owned();
    assert_eq!(of(json!({ "max_chars": 3 }), "äöü"), "pass");
    assert_eq!(of(json!({ "max_chars": 3 }), "äöüx"), "too_long");
    assert_eq!(of(json!({ "max_bytes": 6 }), "äöü"), "pass");
    assert_eq!(of(json!({ "max_bytes": 5 }), "äöü"), "too_long");
    assert_eq!(of(json!({ "min_chars": 3 }), "äöü"), "pass");
    assert_eq!(of(json!({ "min_chars": 4 }), "äöü"), "too_short");
    assert_eq!(of(json!({ "min_chars": 1 }), ""), "too_short");
}

#[test]
fn control_characters_are_rejected_or_only_whitespace_allowed() {
    let of = |setting: &str, text: &str| verdict("a", json!({ "control_characters": setting }), &json!({ "a": text }));
    for control in ["\0", "\u{1b}", "\u{7f}", "\u{80}", "\u{9f}", "\t"] {
        let text = format!("a fine ä text, {control} and more");
        assert_eq!(code(&of("reject", &text)), "control_character", "{control:?}");
        assert!(of("allow", &text).is_pass());
    }
    assert!(of("allow_whitespace", "a\tb\r\n").is_pass());
    assert_eq!(code(&of("allow_whitespace", "a\tb\u{b}")), "control_character");
    assert!(of("reject", "\u{a0}¿ÿ – 漢字 🎉").is_pass());
    let wrong = of("reject", "ab\u{7}");
    assert_eq!(reason(&wrong), "the field `a` has the control character U+0007 at character 2");
}

#[test]
fn texts_of_every_length_are_judged_as_character_by_character() {
    let mut random = fastrand::Rng::with_seed(1);
    let rare = ["\0", "\u{1f}", "\n", "\t", "\u{7f}", "\u{80}", "\u{9f}", "\u{a0}", "é", "漢", "🎉", "~"];
    for length in 0..100 {
        for _ in 0..20 {
            let mut chars = vec!["a"; length];
            for _ in 0..random.usize(0..3).min(length) {
                chars[random.usize(0..length)] = rare[random.usize(0..rare.len())];
            }
            let text = chars.concat();
            for (setting, whitespace) in [("reject", &[][..]), ("allow_whitespace", &['\t', '\n'][..])] {
                let expected = match text.chars().count() {
                    _ if text.len() > 90 => "too_long",
                    81.. => "too_long",
                    ..3 => "too_short",
                    _ if text.chars().any(|char| char.is_control() && !whitespace.contains(&char)) => {
                        "control_character"
                    }
                    _ => "pass",
                };
                let field = json!({ "min_chars": 3, "max_chars": 80, "max_bytes": 90, "control_characters": setting });
                assert_eq!(code(&verdict("a", field, &json!({ "a": text }))), expected, "{text:?}");
            }
        }
    }
}

#[test]
fn timestamps_are_read_in_their_format() {
    let of = |format: &str, value: Value| {
        code(&verdict("at", json!({ "timestamp": { "format": format } }), &json!({ "at": value }))).to_owned()
    };
    for (format, text, millis) in
        [("rfc3339", "pass", "wrong_type"), ("epoch_ms", "wrong_type", "pass"), ("either", "pass", "pass")]
    {
        assert_eq!(of(format, json!("2026-11-21T09:45:00+01:00")), text, "{format}");
        assert_eq!(of(format, json!(1_795_250_700_000_i64)), millis, "{format}");
        assert_eq!(of(format, json!(true)), "wrong_type", "{format}");
    }
    for bad in ["", "yesterday", "2026-02-29T00:00:00Z", "10000-01-01T00:00:00Z", "2026-11-21T08:45:00"] {
        assert_eq!(of("rfc3339", json!(bad)), "bad_timestamp", "{bad}");
    }
    assert_eq!(of("epoch_ms", json!(i64::MAX)), "bad_timestamp");
    assert_eq!(of("epoch_ms", json!(i64::MIN)), "bad_timestamp");
}

#[test]
fn timestamps_are_bounded_by_the_records_time_at_the_limit_and_not_before() {
    let of = |millis: i64| {
        let bounds = json!({ "timestamp": { "format": "epoch_ms", "max_past": "1h", "max_future": "5m" } });
        verdict("at", bounds, &json!({ "at": NOW_NS / 1_000_000 + millis }))
    };
    assert!(of(0).is_pass() && of(300_000).is_pass() && of(-3_600_000).is_pass());
    assert_eq!(code(&of(300_001)), "in_the_future");
    assert_eq!(code(&of(-3_600_001)), "too_old");
    let old = of(-90_061_000);
    assert!(reason(&old).ends_with("1 d 1 h before the record's time; at most 1 h is allowed"), "{}", reason(&old));
}

#[test]
fn timestamps_are_bounded_by_years() {
    let of = |text: &str| {
        let years = json!({ "timestamp": { "format": "rfc3339", "earliest_year": 1970, "latest_year": 2099 } });
        verdict("at", years, &json!({ "at": text }))
    };
    assert!(of("1970-01-01T00:00:00Z").is_pass() && of("2099-12-31T23:59:59.999999Z").is_pass());
    assert_eq!(
        reason(&of("1969-12-31T23:59:59Z")),
        "the field `at` is `1969-12-31T23:59:59Z`: it is before the year 1970"
    );
    assert_eq!(
        reason(&of("2100-01-01T00:00:00Z")),
        "the field `at` is `2100-01-01T00:00:00Z`: it is after the year 2099"
    );
}

#[test]
fn extreme_record_times_and_timestamps_do_not_overflow() {
    let plugin = load(&json!({ "fields": { "at": {
        "timestamp": { "format": "either", "max_past": "3660000d", "max_future": "3660000d" } } } }));
    for event in [r#"{"at":"0001-01-01T00:00:00Z"}"#, r#"{"at":"9999-12-31T23:59:59Z"}"#] {
        for time_ns in [i64::MIN, 0, i64::MAX] {
            assert!(plugin.validate_json(&[(event, time_ns)])[0].is_pass());
        }
    }
}

#[test]
fn events_that_nobody_wants_are_dropped_before_they_are_checked() {
    let plugin = load(&json!({
        "fields": { "message": { "max_chars": 1 } },
        "drop": [
            { "field": "severity", "equals": "DEBUG" },
            { "field": "n", "one_of": [1, 2.5, true, "x"] },
        ],
    }));
    let dropped = |event: &str| plugin.validate_json(&[event])[0].is_drop();
    for event in
        [r#"{"severity":"DEBUG","message":"long"}"#, r#"{"n":1}"#, r#"{"n":2.5}"#, r#"{"n":true}"#, r#"{"n":"x"}"#]
    {
        assert!(dropped(event), "{event}");
    }
    for event in [r#"{"severity":"debug"}"#, r#"{"n":2}"#, r#"{"n":false}"#, r#"{"n":"1"}"#, r#"{"n":null}"#, "{}"] {
        assert!(!dropped(event), "{event}");
    }
}

#[test]
fn a_reason_shows_a_shortened_value() {
    let long = "x".repeat(10_000);
    let wrong = verdict("a", json!({ "one_of": ["y"] }), &json!({ "a": long }));
    assert!(reason(&wrong).len() < 120 && reason(&wrong).contains("xxx...`"), "{}", reason(&wrong));
}

#[test]
fn each_field_is_read_once_per_kind() {
    let plugin = load(&json!({
        "fields": { "severity": { "required": true, "one_of": ["INFO"] } },
        "drop": [{ "field": "severity", "equals": "DEBUG" }, { "field": "severity", "equals": "TRACE" }],
    }));
    let reads = &plugin.manifest().reads;
    assert_eq!(reads.len(), 1);
    assert!(reads[0].required && reads[0].path == "severity");
}

#[test]
fn a_wrong_config_is_refused_with_its_place_and_fix() {
    for (config, expected) in [
        (json!({}), "nothing would be checked"),
        (json!({ "fields": { "a": {} } }), "`fields.a`: it has no check"),
        (json!({ "fields": { "a": { "ignore_case": true, "required": true } } }), "`ignore_case` is about `one_of`"),
        (json!({ "fields": { "a": { "type": "integer", "max_chars": 3 } } }), "are checks of text"),
        (json!({ "fields": { "a": { "one_of": [] } } }), "`one_of` is empty"),
        (json!({ "fields": { "a": { "min_chars": 5, "max_chars": 4 } } }), "`min_chars` is over the maximum"),
        (json!({ "fields": { "a": { "type": "uuid" } } }), "`fields.a.type`: write `any` or `text`"),
        (
            json!({ "fields": { "a": { "requird": true } } }),
            "`fields.a.requird`: there is no such key; write `required`",
        ),
        (json!({ "fields": { "a..b": { "required": true } } }), "the path `a..b` has an empty key"),
        (
            json!({ "fields": { "a": { "type": "text", "timestamp": { "format": "either" } } } }),
            "only `required` is set",
        ),
        (
            json!({ "fields": { "a": { "timestamp": { "format": "either", "max_past": "5 minutes" } } } }),
            "`timestamp.max_past`: `5 minutes` is no duration; write 250ms",
        ),
        (
            json!({ "fields": { "a": { "timestamp": { "format": "either", "max_past": "99999999d" } } } }),
            "is no duration of at most",
        ),
        (
            json!({ "fields": { "a": { "timestamp": { "format": "either", "latest_year": 10000 } } } }),
            "10000 is not one of the years 1 to 9999",
        ),
        (
            json!({ "fields": { "a": { "timestamp": { "format": "either", "earliest_year": 2030, "latest_year": 2020 } } } }),
            "no timestamp would pass",
        ),
        (json!({ "drop": [{ "field": "a" }] }), "`drop.0`: write one of"),
        (json!({ "drop": [{ "field": "a", "one_of": [] }] }), "`drop.0`: `one_of` is empty"),
        (json!({ "drop": [{ "field": "a", "equals": [] }] }), "`drop.0.equals`: expected text"),
    ] {
        let why = refused(&config);
        assert!(why.contains(expected), "{config}: {why}");
    }
}
