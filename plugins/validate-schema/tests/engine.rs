//! The component in the engine of production: the limits of its stack and fuel, hostile events, refused configurations, and the
//! same verdicts however batches are cut and as the function gives natively.

use serde_json::{Value, json};
use validate_schema::validate_schema;
use wasmill_harness::{EventOutcome, Events, Harness, Native, Random};

fn plugin(config: &Value) -> Harness {
    Harness::this_plugin().config(config.clone())
}

fn assert_words(schema: &Value, cases: &[(&str, &str)]) {
    let events: Vec<&str> = cases.iter().map(|(event, _)| *event).collect();
    let run = plugin(&json!({ "schema": schema })).run(&events).expect("the configuration is right");
    assert_eq!(run.events.len(), cases.len());
    for ((event, expected), outcome) in cases.iter().zip(&run.events) {
        let shown: String = event.chars().take(80).collect();
        assert_eq!(outcome.word(), *expected, "{shown}: {outcome:?}");
        if let EventOutcome::Rejected { reason, .. } = outcome {
            assert!(reason.len() < 1_000 && !reason.chars().any(char::is_control), "{reason:?}");
        }
    }
}

/// One property for each kind of keyword.
fn every_keyword() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": { "type": ["integer", "string"] },
            "word": { "enum": ["a", "b", null, 1.5, { "x": [1] }] },
            "only": { "const": [1, { "a": 2, "b": 3 }] },
            "number": { "minimum": -1, "exclusiveMaximum": 1e3, "multipleOf": 0.5 },
            "text": { "minLength": 2, "maxLength": 5, "pattern": r"^\p{L}+$" },
            "list": { "prefixItems": [{ "type": "string" }], "items": { "type": "number" }, "maxItems": 4, "uniqueItems": true },
            "some": { "contains": { "type": "null" }, "minContains": 2 },
            "choice": { "oneOf": [{ "type": "number" }, { "maximum": 3, "minimum": 1 }], "not": { "const": 0 } },
            "branch": { "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "maxProperties": 1 } },
            "tree": { "$ref": "#/$defs/tree" },
            "exact": { "anyOf": [{ "properties": { "a": true } }, { "required": ["b"] }], "unevaluatedProperties": false },
        },
        "patternProperties": { "^x-": { "type": "string" } },
        "propertyNames": { "maxLength": 8 },
        "dependentRequired": { "word": ["text"] },
        "$defs": {
            "tree": { "$dynamicAnchor": "node", "properties": { "sub": { "items": { "$dynamicRef": "#node" } } },
                      "additionalProperties": false }
        },
    })
}

#[test]
fn every_keyword_lets_what_it_allows_pass_and_rejects_what_it_forbids() {
    let with = |field: &str| format!(r#"{{"id":1,{field}}}"#);
    let twins = [
        (r#""id":"\u0041""#, r#""id":1.5"#),
        (r#""word":{"x":[1.0]},"text":"ab""#, r#""word":"c","text":"ab""#),
        (r#""word":null,"text":"ab""#, r#""word":null"#),
        (r#""only":[1e0,{"b":3,"a":2}]"#, r#""only":[1,{"a":2}]"#),
        (r#""number":999.5"#, r#""number":999.25"#),
        (r#""number":-1"#, r#""number":-1.5"#),
        (r#""number":"none""#, r#""number":1000.0"#),
        (r#""text":"äöüßé""#, r#""text":"äöüßéx""#),
        (r#""text":"ab""#, r#""text":"a1""#),
        (r#""list":["a",1,2,3]"#, r#""list":["a",1,2,1.0]"#),
        (r#""list":[]"#, r#""list":["a","b"]"#),
        (r#""some":[null,1,null]"#, r#""some":[null,1]"#),
        (r#""choice":4"#, r#""choice":2"#),
        (r#""branch":{"a":1,"b":2}"#, r#""branch":{"a":1}"#),
        (r#""branch":{"c":1}"#, r#""branch":{"c":1,"d":2}"#),
        (r#""tree":{"sub":[{"sub":[]}]}"#, r#""tree":{"sub":[{"sub":[{"x":1}]}]}"#),
        (r#""exact":{"a":1}"#, r#""exact":{"a":1,"c":2}"#),
        (r#""x-a":"1""#, r#""x-a":1"#),
        (r#""12345678":1"#, r#""123456789":1"#),
    ];
    let events: Vec<(String, &str)> =
        twins.iter().flat_map(|(allowed, forbidden)| [(with(allowed), "pass"), (with(forbidden), "schema")]).collect();
    let cases: Vec<(&str, &str)> = events.iter().map(|(event, word)| (event.as_str(), *word)).collect();
    assert_words(&every_keyword(), &cases);
}

#[test]
fn hostile_events_are_rejected_alone_and_their_neighbours_go_on() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!(r#"{{"id":{}1{}}}"#, open.repeat(levels), close.repeat(levels))
    };
    let (deep, too_deep) = (nested(r#"{"id":"#, "}", 126), nested("[", "]", 50_000));
    let many: String = (0..4_000).map(|i| format!(r#""k{i}":{i},"#)).collect();
    let many = format!(r#"{{{many}"id":1}}"#);
    let flood: String = (0..60_000).map(|i| format!(r#""k{i}":{i},"#)).collect();
    let flood = format!(r#"{{{flood}"id":1}}"#);
    let long = format!(r#"{{"id":1,"text":"{}"}}"#, "a".repeat(900_000));
    let numbers = format!(r#"{{"id":1,"number":{}}}"#, "9".repeat(100_000));
    let cases = [
        ("not JSON", "not_json"),
        ("[]", "not_an_object"),
        (deep.as_str(), "schema"),
        (too_deep.as_str(), "too_deep"),
        (many.as_str(), "pass"),
        (flood.as_str(), "too_complex"),
        (long.as_str(), "schema"),
        (numbers.as_str(), "schema"),
        (r#"{"id":1,"number":1e-999999999999}"#, "schema"),
        (r#"{"id":1,"id":[]}"#, "schema"),
        (r#"{"id":[],"id":1}"#, "pass"),
    ];
    let good = r#"{"id":1}"#;
    let cases: Vec<(&str, &str)> = cases.iter().flat_map(|case| [*case, (good, "pass")]).collect();
    let schema = json!({ "required": ["id"], "properties": {
        "id": { "type": "integer" }, "text": { "maxLength": 10 }, "number": { "maximum": 5, "multipleOf": 0.5 } } });
    assert_words(&schema, &cases);
}

#[test]
fn the_deepest_event_fits_a_recursive_schema_of_several_steps_a_level() {
    let step = |next: &str| json!({ "allOf": [{ "$ref": next }] });
    let schema = json!({
        "$ref": "#/$defs/level",
        "$defs": {
            "level": { "type": ["object", "integer"], "properties": { "a": step("#/$defs/level") } },
        },
    });
    let nested = |levels: usize, inner: &str| format!("{}{inner}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert_words(&schema, &[(&nested(119, "1"), "pass"), (&nested(119, "null"), "schema")]);
}

#[test]
fn recursion_without_end_and_floods_of_steps_are_rejections_and_never_traps() {
    let endless = json!({ "$id": "http://a/b", "$dynamicAnchor": "x", "$ref": "c", "$defs": { "c": {
        "$id": "c", "allOf": [{ "not": { "oneOf": [{ "if": { "$dynamicRef": "#x" } }] } }], "$defs": { "x": { "$dynamicAnchor": "x" } } } } });
    assert_words(&endless, &[("{}", "too_complex"), (r#"{"a":1}"#, "too_complex")]);
    let both = |i: usize| json!({ "$ref": format!("#/$defs/l{}", i + 1) });
    let level = |i: usize| (format!("l{i}"), json!({ "not": { "anyOf": [both(i), both(i)] } }));
    let mut levels: serde_json::Map<String, Value> = (0..40).map(level).collect();
    levels.insert("l40".to_owned(), json!({ "type": "string" }));
    assert_words(&json!({ "$ref": "#/$defs/l0", "$defs": levels }), &[("{}", "too_complex")]);
    // As much as is read, and all of it asked as often as is allowed.
    let members: String = (0..4_000).map(|i| format!(r#""k{i}":{i},"#)).collect();
    let wide = json!({ "allOf": vec![json!({ "properties": { "x": true }, "additionalProperties": { "maximum": 9000.5 } }); 50] });
    assert_words(&wide, &[(&format!(r#"{{{members}"id":1}}"#), "too_complex")]);
    let (numbers, digits) = (vec!["1.5"; 8_000].join(","), "9".repeat(900_000));
    let list = json!({ "properties": { "a": { "items": { "maximum": 2, "multipleOf": 0.5 }, "uniqueItems": true, "type": ["array", "integer"] } } });
    let key = format!(r#"{{"{}":1}}"#, "~".repeat(900_000));
    let list = json!({ "allOf": [list], "propertyNames": { "maxLength": 800_000 } });
    assert_words(
        &list,
        &[
            (&format!(r#"{{"a":[{numbers}]}}"#), "too_complex"),
            (&format!(r#"{{"a":{digits}}}"#), "too_complex"),
            (&format!(r#"{{"a":[0.{digits}]}}"#), "too_complex"),
            (&key, "schema"),
            (&format!(r#"{{"a":"{}"}}"#, r"\u00e4".repeat(150_000)), "too_complex"),
        ],
    );
}

#[test]
fn a_catastrophic_pattern_takes_time_in_proportion_to_the_text() {
    let schema =
        json!({ "properties": { "a": { "pattern": "^(?:(?:a|aa)+)+$" }, "b": { "pattern": r"^\p{L}{1,40}$" } } });
    let text = |end: &str| format!(r#"{{"a":"{}{end}"}}"#, "a".repeat(120_000));
    let long = format!(r#"{{"a":"{}"}}"#, "a".repeat(900_000));
    let letters = |end: &str| format!(r#"{{"b":"{}{end}"}}"#, "ä".repeat(39));
    assert_words(
        &schema,
        &[
            (&text(""), "pass"),
            (&text("b"), "schema"),
            (&letters("ß"), "pass"),
            (&letters("1"), "schema"),
            (&long, "too_complex"),
        ],
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_a_sentence() {
    let of = |schema: Value| json!({ "schema": schema });
    for (config, expected) in [
        (json!({}), "`schema` is missing"),
        (of(json!({ "type": "text" })), "`schema` is no schema of 2020-12: /type"),
        (
            of(json!({ "$ref": "https://example.com/x" })),
            "`https://example.com/x`, which is not among the given schemas",
        ),
        (of(json!({ "$ref": "#" })), "leads back to itself about the same value"),
        (of(json!({ "pattern": r"(a)\1" })), r"the pattern `(a)\1`: back-references are left out"),
        (of(json!({ "pattern": "(((a{500}){500}){500}){500}" })), "it is too large"),
    ] {
        let why = plugin(&config).start().expect_err("it is refused").to_string();
        assert!(why.contains(expected), "{config}: {why}");
    }
}

#[test]
fn the_component_answers_as_the_function_does_natively_wherever_batches_are_cut() {
    let events = Events::any(2_000, any_event);
    let plugin = plugin(&json!({ "schema": every_keyword() }));
    let run = plugin.assert_native_equals_wasm(&Native::validator::<validate_schema>(), &events);
    let passed = run.events.iter().filter(|outcome| outcome.passed()).count();
    assert!(passed > 100 && passed < 1_900, "{passed} events pass");
    plugin.assert_cut_invariant(&events);
    plugin.assert_deterministic(&events);
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    let plugin = plugin(&json!({ "schema": every_keyword() }));
    plugin.torture();
    plugin.torture_like(&json!({
        "id": 1, "word": "a", "number": 0.5, "text": "ab", "list": ["a", 1], "some": [null, null], "choice": 4,
        "tree": { "sub": [{}] }, "x-a": "1" }));
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&json!({ "schema": every_keyword() })).assert_golden("every_keyword");
}

/// A payload that gives some of the schema's fields values that fit and values that do not.
fn any_event(random: &mut Random) -> String {
    const FIELDS: [&str; 13] =
        ["id", "word", "only", "number", "text", "list", "some", "choice", "branch", "tree", "exact", "x-a", "other"];
    const VALUES: [&str; 24] = [
        "null",
        "true",
        "0",
        "1",
        "2",
        "1.5",
        "-1e0",
        "999.5",
        "1e3",
        r#""a""#,
        r#""ab""#,
        r#""\u00e4\u00f6""#,
        r#""a1""#,
        "[]",
        "[null,null]",
        r#"["a",1]"#,
        "[1,1.0]",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"x":[1]}"#,
        r#"{"sub":[{}]}"#,
        r#"[1,{"a":2,"b":3}]"#,
        "12345678901234567890123",
    ];
    let mut fields = vec![r#""id":1"#.to_owned()];
    for _ in 0..random.usize(..4) {
        fields.push(format!(r#""{}": {}"#, FIELDS[random.usize(..13)], VALUES[random.usize(..24)]));
    }
    format!("{{{}}}", fields.join(", "))
}
