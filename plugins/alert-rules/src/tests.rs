//! The rules through the SDK's native runner: config in, alerts out.

mod cuts;
mod rates;
mod reference;

use crate::rules::{
    COLUMNS_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, NAME_BYTES_MAX, RULES_MAX, SUMMARY_BYTES_MAX,
};
use crate::template::{PLACEHOLDERS_MAX, TEMPLATE_BYTES_MAX};
use crate::*;
use serde_json::{Value, json};
use wasmill_sdk::{Alert, Loaded, Severity};

fn load(rules: Value) -> Result<Loaded<raise_alerts>, String> {
    Loaded::configure(&json!({ "rules": rules }).to_string())
}

fn rule(name: &str, when: &str) -> Value {
    json!({ "name": name, "when": when, "severity": "warning", "summary": "it happened" })
}

/// A rule that always matches, changed by `set`.
fn with(set: Value) -> Value {
    let mut rule = rule("a", "true");
    rule.as_object_mut().expect("an object").extend(set.as_object().expect("an object").clone());
    rule
}

fn alerts(rules: Value, events: &[&str]) -> Vec<(u32, Alert)> {
    load(rules).expect("the rules are valid").evaluate_json(events)
}

fn alert(rule: Value, event: &str) -> Alert {
    let mut alerts = alerts(json!([rule]), &[event]);
    assert_eq!(alerts.len(), 1, "one alert for {event}");
    alerts.remove(0).1
}

fn refusal(rules: Value) -> String {
    load(rules).expect_err("the rules are refused")
}

#[test]
fn every_rule_that_matches_raises_an_alert_in_the_order_of_the_rules() {
    let rules = json!([
        rule("errors", "severity in ['ERROR', 'CRITICAL']"),
        rule("inside", "source.ip.startsWith('10.') && severity != 'DEBUG'"),
    ]);
    let events = [
        r#"{"severity": "ERROR", "source": {"ip": "10.0.0.1"}}"#,
        r#"{"severity": "INFO", "source": {"ip": "192.168.0.1"}}"#,
        r#"{"severity": "INFO", "source": {"ip": "10.0.0.2"}}"#,
    ];
    let raised: Vec<_> = alerts(rules, &events).into_iter().map(|(event, alert)| (event, alert.rule)).collect();
    assert_eq!(raised, [(0, "errors".to_owned()), (0, "inside".to_owned()), (2, "inside".to_owned())]);
}

#[test]
fn a_rule_looks_at_the_beginning_of_what_is_long_and_does_not_match_when_only_the_rest_could_tell() {
    let whens = [
        "s.contains('b')",
        "!s.contains('b')",
        "s.matches('b')",
        "!s.matches('b')",
        "s.matches('^b')",
        "!s.matches('^b')",
    ];
    let matched = |length: usize| {
        let event = json!({ "s": format!("{}b", "a".repeat(length - 1)) }).to_string();
        let raised = alerts(whens.map(|when| rule(when, when)).into_iter().collect(), &[&event]);
        raised.into_iter().map(|(_, alert)| alert.rule).collect::<Vec<_>>()
    };
    let limit = 16 * 1024;
    assert_eq!(matched(limit), [whens[0], whens[2], whens[5]]);
    assert_eq!(matched(limit + 1), [whens[5]], "what cannot match any more is told");
    let list = |items: usize| format!(r#"{{"l":[{}0]}}"#, "0,".repeat(items - 1));
    let size = || json!([rule("long", "size(l) > 1"), rule("not long", "!(size(l) > 1)")]);
    assert_eq!(alerts(size(), &[&list(limit / 2 - 1)]).len(), 1);
    assert_eq!(alerts(size(), &[&list(limit / 2)]).len(), 0, "it has a byte more than is looked at");
}

#[test]
fn an_alert_is_filled_from_the_event() {
    let rule = json!({
        "name": "failed-login", "when": "outcome == 'failure'", "severity": "critical", "key": "source.ip",
        "summary": "{user.name} failed {count} times from {source.ip}: {{{outcome}}}",
        "labels": {"team": "secops", "port": "{source.port}", "tags": "{tags}"},
    });
    let event = r#"{"outcome": "failure", "user": {"name": "Zo\u00eb"}, "count": 3, "source": {"ip": "10.0.0.1", "port": null}, "tags": ["a"]}"#;
    let expected =
        Alert::new("failed-login", "10.0.0.1", Severity::Critical, "Zoë failed 3 times from 10.0.0.1: {failure}")
            .label("port", "-")
            .label("tags", r#"["a"]"#)
            .label("team", "secops");
    assert_eq!(alert(rule, event), expected);
}

#[test]
fn each_severity_has_its_name() {
    let severities = [
        ("info", Severity::Info),
        ("warning", Severity::Warning),
        ("error", Severity::Error),
        ("critical", Severity::Critical),
    ];
    for (name, severity) in severities {
        assert_eq!(alert(with(json!({"severity": name})), "{}").severity, severity);
    }
    assert!(refusal(json!([with(json!({"severity": "Fatal"}))])).contains("`rules.0.severity`: write `info`"));
}

#[test]
fn a_key_is_a_path_a_template_or_nothing() {
    let event = r#"{"user": "eve", "source": {"ip": "10.0.0.1", "a.b": 7}}"#;
    assert_eq!(alert(with(json!({"key": "source.ip"})), event).key, "10.0.0.1");
    assert_eq!(alert(with(json!({"key": r"source.a\.b"})), event).key, "7");
    assert_eq!(alert(with(json!({"key": "{user}@{source.ip}"})), event).key, "eve@10.0.0.1");
    assert_eq!(alert(with(json!({"key": "missing"})), event).key, "-");
    assert_eq!(alert(with(json!({})), event).key, "");
}

#[test]
fn an_event_that_a_rule_cannot_be_asked_about_does_not_match() {
    for when in
        ["missing == 'x'", "missing != 'x'", "count.contains('5')", "count < 'x'", "count / zero == 1", "null_ > 0"]
    {
        let raised = alerts(json!([rule("a", when)]), &[r#"{"count": 5, "zero": 0, "null_": null}"#]);
        assert_eq!(raised, [], "{when}");
    }
    assert_eq!(alerts(json!([rule("a", "missing == 'x' || count == 5")]), &[r#"{"count": 5}"#]).len(), 1);
}

#[test]
fn rules_share_the_columns_that_they_read() {
    let plugin = load(json!([
        with(json!({"name": "a", "when": "s == 'x' && n > 1", "key": "s"})),
        with(json!({"name": "b", "when": "n > 2 && s == 'y'", "summary": "{s} {s}"})),
    ]))
    .expect("the rules are valid");
    let reads: Vec<_> = plugin.manifest().reads.iter().map(|field| (&*field.path, field.kind)).collect();
    assert_eq!(
        reads,
        [("s", wasmill_sdk::Kind::Text), ("n", wasmill_sdk::Kind::Float), ("s", wasmill_sdk::Kind::Json)]
    );
    let raised = plugin.evaluate_json(&[r#"{"s": "x", "n": 2}"#, r#"{"s": "y", "n": 3}"#]);
    let raised: Vec<_> = raised.iter().map(|(event, alert)| (*event, &*alert.key, &*alert.summary)).collect();
    assert_eq!(raised, [(0, "x", "it happened"), (1, "", "y y")]);
}

#[test]
fn control_characters_of_an_event_do_not_reach_an_alert() {
    let alert = alert(with(json!({"summary": "{s}", "key": "s"})), r#"{"s": "a\u001b[31m\r\nb\u007fc\u0085"}"#);
    assert_eq!(alert.summary, "a [31m  b c ");
    assert_eq!(alert.key, "a [31m  b c ");
}

#[test]
fn long_texts_are_cut_between_characters() {
    let event = |length: usize| json!({ "s": "é".repeat(length / 2) + &"x".repeat(length % 2) }).to_string();
    let rule = with(json!({"summary": "{s}", "key": "s", "labels": {"l": "{s}"}}));
    for (max, length) in [(SUMMARY_BYTES_MAX, 0), (KEY_BYTES_MAX, 1), (LABEL_BYTES_MAX, 2)] {
        let of = |alert: Alert| [alert.summary.len(), alert.key.len(), alert.labels[0].1.len()][length];
        assert_eq!(of(alert(rule.clone(), &event(max))), max);
        assert_eq!(of(alert(rule.clone(), &event(max + 1))), max);
        let odd = json!({ "s": format!("x{}", "é".repeat(max / 2)) }).to_string();
        assert_eq!(of(alert(rule.clone(), &odd)), max - 1, "the last character does not fit");
    }
}

#[test]
fn a_bad_condition_is_refused_with_rule_and_place() {
    let why = refusal(json!([rule("good", "true"), rule("bad", "severity = 'x'")]));
    assert_eq!(
        why,
        "rule `bad`: `when`, line 1, column 10: `=` is no operator here; write `==` to compare\n  severity = 'x'\n           ^"
    );
}

#[test]
fn a_bad_template_is_refused_with_rule_and_place() {
    let cases = [
        (json!({"summary": "é {a"}), "rule `a`: its `summary` is wrong at column 3: a brace is alone"),
        (json!({"summary": "a } b"}), "rule `a`: its `summary` is wrong at column 3: a brace is alone"),
        (json!({"summary": "x {}"}), "rule `a`: its `summary` is wrong at column 3: the path `` has an empty key"),
        (
            json!({"summary": "{a..b}"}),
            "rule `a`: its `summary` is wrong at column 1: the path `a..b` has an empty key",
        ),
        (json!({"key": ""}), "rule `a`: its `key` is wrong at column 1: the path `` has an empty key"),
        (json!({"key": "{a"}), "rule `a`: its `key` is wrong at column 1: a brace is alone"),
        (
            json!({"labels": {"l": "{a\\b}"}}),
            "rule `a`: its label `l` is wrong at column 1: the path `a\\b` has a backslash",
        ),
    ];
    for (set, expected) in cases {
        let why = refusal(json!([with(set)]));
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_config_without_meaning_is_refused() {
    assert!(refusal(json!([])).starts_with("`rules` is empty"));
    let twice = refusal(json!([rule("a", "true"), rule("a", "false")]));
    assert_eq!(twice, "rule `a` has the name of another one; give each its own");
    assert_eq!(refusal(json!([rule("", "true")])), "a rule's name `` is empty");
    assert!(refusal(json!([rule("a\nb", "true")])).contains("has a control character"));
    assert_eq!(refusal(json!([with(json!({"labels": {"": "x"}}))])), "rule `a`: its label `` is empty");
    assert!(refusal(json!([with(json!({"sumary": "x"}))])).contains("there is no such key"));
    assert!(refusal(json!([with(json!({"labels": ["x"]}))])).contains("expected an object of texts, found an array"));
    assert!(refusal(json!([with(json!({"labels": {"l": 1}}))])).contains("`rules.0.labels.l`: expected text"));
    assert!(Loaded::<raise_alerts>::configure("{}").is_err_and(|why| why.contains("`rules` is missing")));
}

#[test]
fn rules_are_counted() {
    let rules = |count: usize| (0..count).map(|index| rule(&index.to_string(), "true")).collect::<Value>();
    assert!(load(rules(RULES_MAX)).is_ok());
    assert!(refusal(rules(RULES_MAX + 1)).starts_with("more than 256 rules"));
}

#[test]
fn labels_are_counted() {
    let labels = |count: usize| {
        let labels: serde_json::Map<_, _> = (0..count).map(|index| (index.to_string(), json!("x"))).collect();
        json!([with(json!({ "labels": labels }))])
    };
    assert!(load(labels(LABELS_MAX)).is_ok());
    assert!(refusal(labels(LABELS_MAX + 1)).contains("more than 32 labels"));
}

#[test]
fn names_are_limited() {
    let named = |length: usize| json!([rule(&"n".repeat(length), "true")]);
    assert!(load(named(NAME_BYTES_MAX)).is_ok());
    assert!(refusal(named(NAME_BYTES_MAX + 1)).contains("has more than 128 bytes"));
}

#[test]
fn columns_are_counted_over_all_rules() {
    let rules = |columns: usize| {
        let rule = |index: usize| rule(&index.to_string(), &format!("a{index} || b{index}"));
        (0..columns / 2).map(rule).collect::<Value>()
    };
    assert!(load(rules(COLUMNS_MAX)).is_ok());
    let mut beyond = rules(COLUMNS_MAX);
    beyond[0]["key"] = json!("one.more");
    assert!(refusal(beyond).contains("more than 512 fields"));
}

#[test]
fn templates_are_limited_in_length_and_placeholders() {
    let summary = |text: String| json!([with(json!({ "summary": text }))]);
    assert!(load(summary("x".repeat(TEMPLATE_BYTES_MAX))).is_ok());
    assert!(refusal(summary("x".repeat(TEMPLATE_BYTES_MAX + 1))).contains("`summary` has more than 4096 bytes"));
    assert!(load(summary("{a}".repeat(PLACEHOLDERS_MAX))).is_ok());
    assert!(refusal(summary("{a}".repeat(PLACEHOLDERS_MAX + 1))).contains("more than 64 placeholders"));
    assert!(
        refusal(json!([with(json!({"key": "k".repeat(TEMPLATE_BYTES_MAX + 1)}))]))
            .contains("`key` has more than 4096 bytes")
    );
}

#[test]
fn the_example_of_the_readme_is_true() {
    let rules = json!([
        {"name": "critical", "when": "severity in [\"ERROR\", \"CRITICAL\"] && !(has(test) && test)", "severity": "error",
         "key": "service", "summary": "{service}: {message}"},
        {"name": "failed-login", "when": "outcome == \"failure\" && source.ip.startsWith(\"10.\")", "severity": "warning",
         "key": "{user.name}@{source.ip}",
         "summary": "{user.name} failed to log in from {source.ip} {{{attempt}. attempt}}",
         "labels": {"host": "{host.name}", "team": "secops"}},
    ]);
    let event = r#"{"outcome":"failure","source":{"ip":"10.0.0.1"},"user":{"name":"eve"},"attempt":3}"#;
    let summary = "eve failed to log in from 10.0.0.1 {3. attempt}";
    let expected = Alert::new("failed-login", "eve@10.0.0.1", Severity::Warning, summary)
        .label("host", "-")
        .label("team", "secops");
    assert_eq!(alerts(rules, &[event]), [(0, expected)]);
}

#[test]
fn labels_keep_their_order() {
    let config = r#"{"rules": [{"name": "a", "when": "true", "severity": "info", "summary": "", "labels": {"z": "1", "a": "2"}}]}"#;
    let alerts = Loaded::<raise_alerts>::configure(config).expect("the rules are valid").evaluate_json(&["{}"]);
    assert_eq!(alerts[0].1.labels, [("z".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
}
