//! The schema through the SDK's native runner: config in, verdicts out.

use serde_json::{Value, json};
use wasmill_sdk::Loaded;

use crate::validate_schema;

fn load(config: &Value) -> Result<Loaded<validate_schema>, String> {
    Loaded::configure(&config.to_string())
}

fn with_schema(schema: Value) -> Loaded<validate_schema> {
    load(&json!({ "schema": schema })).expect("the schema is right")
}

/// `pass`, or the code and reason of the rejection.
fn answer(plugin: &Loaded<validate_schema>, event: &str) -> String {
    let verdict = plugin.validate_json(&[event]).remove(0);
    verdict.rejection().map_or("pass".to_owned(), |rejection| format!("{} {}", rejection.code, rejection.reason))
}

fn refusal(config: Value) -> String {
    load(&config).expect_err("the config is refused")
}

#[test]
fn each_keyword_says_what_is_wrong_and_where() {
    for (schema, event, reason) in [
        (json!({ "type": ["integer", "null"] }), "1.5", "(root): `1.5` is not of the type null or integer"),
        (
            json!({ "properties": { "a": { "type": "string" } } }),
            r#"{"a":{}}"#,
            "/a: the object is not of the type string",
        ),
        (json!({ "const": { "a": 1 } }), "[]", r#"(root): the array is not `{"a":1}`"#),
        (json!({ "enum": ["a", 1] }), r#""b""#, r#"(root): `b` is not one of `"a"`, `1`"#),
        (json!({ "minimum": 0 }), "-1", "(root): `-1` is less than `0`"),
        (json!({ "exclusiveMinimum": 0 }), "0", "(root): `0` is not more than `0`"),
        (json!({ "maximum": 5 }), "5.01", "(root): `5.01` is more than `5`"),
        (json!({ "exclusiveMaximum": 5 }), "5", "(root): `5` is not less than `5`"),
        (json!({ "multipleOf": 0.01 }), "0.075", "(root): `0.075` is not a multiple of 0.01"),
        (json!({ "minLength": 2, "maxLength": 3 }), r#""ä""#, "(root): `ä` has 1 characters, not 2 to 3 characters"),
        (json!({ "maxLength": 3 }), r#""abcd""#, "(root): `abcd` has 4 characters, not 3 characters at most"),
        (json!({ "pattern": "^a+$" }), r#""b\u001b""#, r"(root): `b\u{1b}` does not match the pattern `^a+$`"),
        (json!({ "items": { "minItems": 1 } }), "[[1],[]]", "/1: the array has 0 elements, not 1 elements or more"),
        (
            json!({ "uniqueItems": true }),
            r#"[1,{"a":1,"b":2},{"b":2.0,"a":1e0}]"#,
            "(root): the array has an element that is equal to an earlier one: number 2, counted from 0",
        ),
        (json!({ "maxProperties": 0 }), r#"{"a":1}"#, "(root): the object has 1 members, not 0 members"),
        (json!({ "required": ["a", "b"] }), r#"{"a":1}"#, "(root): the object lacks `b`"),
        (json!({ "dependentRequired": { "a": ["b"] } }), r#"{"a":1}"#, "(root): the object has `a` and lacks `b`"),
        (json!({ "additionalProperties": false }), r#"{"a/b~c":1}"#, "/a~1b~0c: `1` is not allowed here"),
        (
            json!({ "propertyNames": { "maxLength": 1 } }),
            r#"{"ab":1}"#,
            "/ab: the name `ab` has 2 characters, not 1 characters at most",
        ),
        (
            json!({ "contains": { "const": 1 }, "maxContains": 1 }),
            "[1,1]",
            "(root): the array does not have 1 elements that `contains` asks for",
        ),
        (json!({ "anyOf": [{ "type": "null" }, false] }), "1", "(root): `1` fits none of the 2 schemas of `anyOf`"),
        (json!({ "oneOf": [true, true] }), "1", "(root): `1` fits none, or more than one, of the 2 schemas of `oneOf`"),
        (json!({ "not": {} }), "1", "(root): `1` fits the schema of `not`"),
        (
            json!({ "unevaluatedProperties": false, "properties": { "a": true } }),
            r#"{"a":1,"b":2}"#,
            "/b: `2` is not allowed here",
        ),
    ] {
        assert_eq!(answer(&with_schema(schema.clone()), event), format!("schema {reason}"), "{schema}");
    }
}

#[test]
fn large_numbers_are_told_apart_to_the_last_digit() {
    let plugin = with_schema(json!({ "properties": {
        "max": { "maximum": 18446744073709551615_u64 }, "one_of": { "enum": [9007199254740993_i64] }, "whole": { "type": "integer" },
        "unique": { "uniqueItems": true },
    } }));
    for (event, passes) in [
        (r#"{"max":18446744073709551615}"#, true),
        (r#"{"max":18446744073709551615.5}"#, false),
        (r#"{"max":18446744073709551616}"#, false),
        (r#"{"max":1e300}"#, false),
        (r#"{"one_of":9007199254740993.0}"#, true),
        (r#"{"one_of":9007199254740992}"#, false),
        (r#"{"whole":100000000000000000000000000000000000000000.0}"#, true),
        (r#"{"whole":100000000000000000000000000000000000000000.5}"#, false),
        (r#"{"unique":[9007199254740992,9007199254740993]}"#, true),
        (r#"{"unique":[1e2,100.0]}"#, false),
    ] {
        assert_eq!(answer(&plugin, event) == "pass", passes, "{event}");
    }
}

#[test]
fn of_members_with_the_same_key_the_last_one_counts() {
    let plugin = with_schema(json!({ "properties": { "a": { "type": "integer" } }, "maxProperties": 40 }));
    assert_eq!(answer(&plugin, r#"{"a":"x","b":1,"\u0061":1}"#), "pass");
    assert!(answer(&plugin, r#"{"a":1,"b":1,"a":"x"}"#).starts_with("schema /a: "));
    let crowd = |tail: &str| format!("{{{}{tail}}}", (0..40).map(|i| format!(r#""k{i}":{i},"#)).collect::<String>());
    assert_eq!(answer(&plugin, &crowd(r#""k7":0,"k9":1"#)), "pass", "40 keys, two of them twice");
    assert!(answer(&plugin, &crowd(r#""k40":0"#)).contains("has 41 members"));
}

#[test]
fn a_recursive_schema_is_held_against_every_level() {
    let tree = json!({ "type": "object", "properties": { "children": { "items": { "$ref": "#" } } }, "additionalProperties": false });
    let plugin = with_schema(tree);
    let nested =
        |levels: usize, inner: &str| format!("{}{inner}{}", r#"{"children":["#.repeat(levels), "]}".repeat(levels));
    assert_eq!(answer(&plugin, &nested(50, "{}")), "pass");
    let wrong = answer(&plugin, &nested(3, "1"));
    assert_eq!(wrong, "schema /children/0/children/0/children/0: `1` is not of the type object");
}

#[test]
fn a_schema_that_would_never_end_is_refused() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "anyOf": [{ "type": "string" }, { "$ref": "#" }] }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "if": { "$ref": "#/$defs/a" } } } }),
    ] {
        let why = refusal(json!({ "schema": schema }));
        assert!(why.ends_with("this schema leads back to itself about the same value, without end"), "{why}");
    }
}

#[test]
fn what_takes_too_long_is_rejected_for_that_and_not_as_wrong() {
    // Where a dynamic reference leads is known only on the way.
    let dynamic = json!({ "$id": "http://a/b", "$dynamicAnchor": "x", "$ref": "c", "$defs": { "c": {
        "$id": "c", "not": { "$dynamicRef": "#x" }, "$defs": { "x": { "$dynamicAnchor": "x" } } } } });
    assert!(
        answer(&with_schema(dynamic), "{}")
            .starts_with("too_complex (root): the schemas that are asked here are more than 400")
    );
    let level = |i: usize| {
        (
            format!("l{i}"),
            json!({ "not": { "anyOf": [{ "$ref": format!("#/$defs/l{}", i + 1) }, { "$ref": format!("#/$defs/l{}", i + 1) }] } }),
        )
    };
    let mut levels: serde_json::Map<String, Value> = (0..30).map(level).collect();
    levels.insert("l30".to_owned(), json!({ "type": "string" }));
    let wide = json!({ "$ref": "#/$defs/l0", "$defs": levels });
    assert_eq!(
        answer(&with_schema(wide), "{}"),
        "too_complex (root): the answer takes more steps than `steps_max` allows"
    );
}

#[test]
fn an_event_at_a_limit_passes_and_one_over_it_is_rejected() {
    let plugin = |key: &str, value: u32| load(&json!({ "schema": { "items": { "minimum": 0 } }, key: value })).unwrap();
    let numbers = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(answer(&plugin("values_max", 10), &numbers(9)), "pass", "an array and 9 numbers");
    let over = answer(&plugin("values_max", 10), &numbers(10));
    assert_eq!(over, "too_complex (root): there are more than 10 values, keys counted too, or escapes");
    assert_eq!(answer(&plugin("values_max", 10), &format!(r#""{}""#, r"\n".repeat(10))), "pass", "10 escapes");
    assert!(answer(&plugin("values_max", 10), &format!(r#""{}""#, r"\n".repeat(11))).starts_with("too_complex"));
    assert_eq!(answer(&plugin("steps_max", 10), &numbers(9)), "pass", "a step for the array and each number");
    let over = answer(&plugin("steps_max", 10), &numbers(10));
    assert_eq!(over, "too_complex /9: the answer takes more steps than `steps_max` allows");
}

#[test]
fn references_lead_to_given_schemas_and_nowhere_else() {
    let schema = json!({ "properties": { "ip": { "$ref": "https://example.com/types#/$defs/ip" } } });
    let types = json!({ "$defs": { "ip": { "type": "string" } } });
    let plugin = load(&json!({ "schema": schema, "schemas": { "https://example.com/types": types } })).unwrap();
    assert_eq!(answer(&plugin, r#"{"ip":"10.0.0.1"}"#), "pass");
    assert_eq!(answer(&plugin, r#"{"ip":1}"#), "schema /ip: `1` is not of the type string");
    let why = refusal(json!({ "schema": schema }));
    assert_eq!(
        why,
        "`schema`, /properties/ip/$ref: `https://example.com/types#/$defs/ip` leads to `https://example.com/types`, which is not \
         among the given schemas; nothing is fetched: add it under `schemas`"
    );
    let why = refusal(json!({ "schema": { "$ref": "#/$defs/x" } }));
    assert!(why.contains("/$ref: `#/$defs/x` leads to") && why.ends_with("where nothing is"), "{why}");
}

#[test]
fn a_wrong_config_is_refused_with_its_place() {
    let schema = |schema: Value| refusal(json!({ "schema": schema }));
    for (why, expected) in [
        (refusal(json!({})), "`schema` is missing"),
        (schema(json!(1)), "`schema`: expected a schema, which is an object, true or false"),
        (
            schema(json!({ "properties": { "a": { "type": "text" } } })),
            "no schema of 2020-12: /properties/a/type: `text` fits none of",
        ),
        (schema(json!({ "minLength": -1 })), "no schema of 2020-12: /minLength: `-1` is less than `0`"),
        (schema(json!({ "$schema": "http://json-schema.org/draft-07/schema#" })), "written for 2020-12 it would be"),
        (schema(json!({ "pattern": "(" })), "`schema`, /pattern: the pattern `(`: a `(` has no `)`"),
        (schema(json!({ "pattern": "a(?=b)" })), "/pattern: the pattern `a(?=b)`: look-around is left out"),
        (schema(json!({ "patternProperties": { r"(a)\1": true } })), "back-references are left out"),
        (schema(json!({ "pattern": r"\p{Nonsense}" })), "Unicode property"),
        (schema(json!({ "pattern": "(a{1000}){1000}" })), "it is too large"),
        (schema(json!({ "$ref": "#nowhere" })), "leads to the anchor `nowhere`"),
        (
            refusal(json!({ "schema": { "format": "isbn" }, "formats": "assert" })),
            "/format: the format `isbn` cannot be asserted",
        ),
        (refusal(json!({ "schema": true, "formats": "check" })), "`formats`: write `annotate` or `assert`"),
        (refusal(json!({ "schema": true, "field": "a..b" })), "the path `a..b` has an empty key"),
        (refusal(json!({ "schema": true, "schemas": { "http://[": true } })), "is no URI"),
    ] {
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_field_is_held_against_the_schema_in_place_of_the_payload() {
    let plugin =
        load(&json!({ "schema": { "required": ["id"], "type": ["object", "null"] }, "field": "body.detail" })).unwrap();
    for (event, expected) in [
        (r#"{"body":{"detail":{"id":1}}}"#, "pass"),
        (r#"{"body":{"detail":null}}"#, "pass"),
        (r#"{"body":{"detail":{}}}"#, "schema (root): the object lacks `id`"),
        (r#"{"id":1}"#, "missing_field the field `body.detail` is absent"),
    ] {
        assert_eq!(answer(&plugin, event), expected, "{event}");
    }
}

#[test]
fn formats_are_asserted_only_where_the_config_says_so() {
    let config = |formats: &str| json!({ "schema": { "format": "ipv4" }, "formats": formats });
    assert_eq!(answer(&load(&config("annotate")).unwrap(), r#""10.0.0""#), "pass");
    assert_eq!(
        answer(&load(&config("assert")).unwrap(), r#""10.0.0""#),
        "schema (root): `10.0.0` is not of the format `ipv4`"
    );
    assert_eq!(answer(&load(&config("assert")).unwrap(), r#""10.0.0.1""#), "pass");
}

#[test]
fn a_pattern_is_that_of_ecma_262_in_linear_time() {
    for (pattern, matching, other) in [
        ("a+", "xxaayy", "xxAyy"),
        (r"^\d+$", "12", "١٢"),
        (r"^\w$", "_", "ä"),
        (r"^\s$", "\u{feff}", "\u{85}"),
        (r"^.$", "ä", "\u{2028}"),
        (r"^\p{Letter}+$", "äß", "a1"),
        (r"^[^\S\n]$", " ", "\n"),
        (r"^[\w-]+\.[a-z]{2,3}$", "my-host.org", "my host.org"),
        (r"^(?<year>\d{4})\u002d\cI$", "2026-\t", "2026-I"),
        (r"\bcat\b", "a cat!", "concatenate"),
        ("^[]-]$|^{x}$", "{x}", "-"),
        ("^(?:a+)+$", &"a".repeat(50_000), &("a".repeat(50_000) + "b")),
        (r"^\p{L}{1,40}$", &"ä".repeat(40), &"ä".repeat(41)),
    ] {
        let plugin = with_schema(json!({ "pattern": pattern }));
        assert_eq!(answer(&plugin, &json!(matching).to_string()), "pass", "{pattern}");
        assert_ne!(answer(&plugin, &json!(other).to_string()), "pass", "{pattern}");
    }
}

#[test]
fn a_reason_is_bounded_whatever_the_event_holds() {
    let plugin = with_schema(json!({ "additionalProperties": { "maxLength": 1 } }));
    let event = json!({ "\u{1b}k".repeat(50_000): "\u{7}x".repeat(50_000) }).to_string();
    let reason = answer(&plugin, &event);
    assert!(reason.len() < 600 && !reason.chars().any(char::is_control), "{reason:?}");
}
