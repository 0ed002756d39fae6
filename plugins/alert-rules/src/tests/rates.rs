//! Rules that remember something, from the config to their alerts; and what is refused of them.

use super::{load, refusal, rule, with};
use crate::batch::ABSENCES_PER_EVENT;
use crate::memory::DISTINCT_MAX;
use serde_json::{Value, json};
use wasmill_sdk::Alert;

const S: i64 = 1_000_000_000;

/// The alerts about events at these seconds, all in one batch.
fn alerts(rules: Value, events: &[(i64, &str)]) -> Vec<(u32, Alert)> {
    let events: Vec<(&str, i64)> = events.iter().map(|(second, payload)| (*payload, second * S)).collect();
    load(rules).expect("the rules are valid").evaluate_json(&events)
}

/// Events and summaries of the alerts.
fn summaries(rules: Value, events: &[(i64, &str)]) -> Vec<(u32, String)> {
    alerts(rules, events).into_iter().map(|(event, alert)| (event, alert.summary)).collect()
}

#[test]
fn a_rate_counts_the_events_that_match_by_key() {
    let rules = json!([with(json!({
        "when": "outcome == 'failure'", "key": "ip", "rate": {"more_than": 2, "within": "1m"},
        "summary": "{$count} failures from {$key}, the last one of {user}" }))]);
    let failure = |ip: &str| format!(r#"{{"outcome": "failure", "ip": "{ip}", "user": "eve"}}"#);
    let (a, b) = (failure("a"), failure("b"));
    let events = [(0, &*a), (1, &*b), (2, &*a), (3, r#"{"outcome": "success", "ip": "a"}"#), (4, &*b), (60, &*a)];
    let expected = "3 failures from a, the last one of eve".to_owned();
    assert_eq!(summaries(rules, &events), [(5, expected)]);
}

#[test]
fn a_rate_without_quiet_time_is_quiet_for_its_window() {
    let rate = json!({"more_than": 1, "within": "10s"});
    let seconds = [0, 1, 2, 10, 11, 12].map(|second| (second, "{}"));
    let raised =
        |rule: Value| summaries(json!([rule]), &seconds).into_iter().map(|(event, _)| event).collect::<Vec<_>>();
    assert_eq!(raised(with(json!({ "rate": rate }))), [1, 4]);
    assert_eq!(raised(with(json!({ "rate": rate, "quiet": "0s" }))), [1, 2, 3, 4, 5]);
    assert_eq!(raised(with(json!({ "rate": rate, "quiet": "1h" }))), [1]);
}

#[test]
fn an_alert_tells_how_many_were_suppressed_before_it() {
    let quiet = |labels: Value| with(json!({ "quiet": "10s", "summary": "{$suppressed} more", "labels": labels }));
    let seconds = [0, 1, 9, 10, 20].map(|second| (second, "{}"));
    let raised = alerts(json!([quiet(json!({}))]), &seconds);
    let told: Vec<_> = raised.iter().map(|(event, alert)| (*event, &*alert.summary, alert.labels.len())).collect();
    assert_eq!(told, [(0, "0 more", 0), (3, "2 more", 1), (4, "0 more", 0)]);
    assert_eq!(raised[1].1.labels, [("suppressed".to_owned(), "2".to_owned())]);
    let own = alerts(json!([quiet(json!({ "suppressed": "yes" }))]), &seconds);
    assert_eq!(own[1].1.labels, [("suppressed".to_owned(), "yes".to_owned())]);
}

#[test]
fn values_are_told_apart_by_their_text_and_an_event_without_one_does_not_count() {
    let rules = json!([with(json!({
        "key": "ip", "distinct": {"field": "user.name", "more_than": 2, "within": "5m"}, "summary": "{$count} users" }))]);
    let user = |name: &str| format!(r#"{{"user": {{"name": {name}}}}}"#);
    let users = [r#""Zoë""#, r#""Zo\u00eb""#, "null", "{}", r#""1""#, "1", "1.0"].map(user);
    let events: Vec<(i64, &str)> = users.iter().map(|user| (0, &**user)).chain([(0, "{}")]).collect();
    assert_eq!(summaries(rules, &events), [(4, "3 users".to_owned())]);
}

#[test]
fn an_absence_belongs_to_the_first_event_past_its_time_whatever_that_is() {
    let rules = json!([
        with(
            json!({ "when": "has(host)", "key": "host", "absent": {"within": "10m"}, "summary": "{$key}: {$last_seen}" })
        ),
        rule("every", "true"),
    ]);
    let events = [(0, r#"{"host": "web-1"}"#), (300, r#"{"host": "web-2"}"#), (600, "{}"), (601, "{}"), (800, "{}")];
    let raised: Vec<_> = alerts(rules, &events).into_iter().map(|(event, alert)| (event, alert.summary)).collect();
    let every = |event| (event, "it happened".to_owned());
    let absent = (3, "web-1: 1970-01-01T00:00:00Z".to_owned());
    assert_eq!(raised, [every(0), every(1), every(2), absent, every(3), every(4)]);
}

#[test]
fn one_event_looks_into_so_many_absences_and_the_next_ones_into_the_rest() {
    let rules = json!([with(json!({ "when": "has(host)", "key": "host", "absent": {"within": "1s"} }))]);
    let hosts: Vec<String> = (0..30).map(|host| format!(r#"{{"host": "{host:02}"}}"#)).collect();
    // All at one time, the last ones first: the order is that of the times and then of the keys.
    let mut events: Vec<(i64, &str)> = hosts.iter().rev().map(|host| (0, &**host)).collect();
    events.extend([(10, "{}"), (10, "{}"), (9, "{}"), (10, "{}"), (10, "{}")]);
    let all = |size: usize| {
        let plugin = load(rules.clone()).expect("the rules are valid");
        let events: Vec<(&str, i64)> = events.iter().map(|(second, payload)| (*payload, second * S)).collect();
        let mut raised = Vec::new();
        for (batch, events) in events.chunks(size).enumerate() {
            let alerts = plugin.evaluate_json(events).into_iter();
            raised.extend(alerts.map(|(event, alert)| (batch * size + event as usize, alert.key)));
        }
        raised
    };
    let whole = all(events.len());
    let keys: Vec<&str> = whole.iter().map(|(_, key)| &**key).collect();
    let expected: Vec<String> = (0..30).map(|host| format!("{host:02}")).collect();
    assert_eq!(keys, expected);
    let per_event = [30, 31, 32, 33, 34].map(|event| whole.iter().filter(|(of, _)| *of == event).count());
    assert_eq!(per_event, [ABSENCES_PER_EVENT, ABSENCES_PER_EVENT, ABSENCES_PER_EVENT, 6, 0]);
    for size in [1, 3, 7, 31] {
        assert_eq!(all(size), whole, "in batches of {size}");
    }
}

#[test]
fn a_key_that_is_seen_again_takes_no_other_ones_place_among_the_absent() {
    let rules = json!([with(json!({ "when": "has(host)", "key": "host", "absent": {"within": "10s"} }))]);
    let mut events: Vec<(String, i64)> = (0..40).map(|host| (format!(r#"{{"host": "{host:02}"}}"#), 0)).collect();
    // All are absent at once, and one of those that have to wait is seen.
    events.push((r#"{"host": "12"}"#.to_owned(), 11 * S));
    events.extend((0..6).map(|_| ("{}".to_owned(), 11 * S)));
    let raised = |cuts: &[usize]| {
        let plugin = load(rules.clone()).expect("the rules are valid");
        let mut raised = Vec::new();
        let mut first = 0;
        for cut in cuts {
            let batch = events[first..first + cut].iter();
            let batch: Vec<(&str, i64)> = batch.map(|(payload, time)| (&**payload, *time)).collect();
            let alerts = plugin.evaluate_json(&batch).into_iter();
            raised.extend(alerts.map(|(event, alert)| (first + event as usize, alert.key)));
            first += cut;
        }
        raised
    };
    let whole = raised(&[47]);
    assert_eq!((whole.len(), &whole[12]), (39, &(41, "13".to_owned())));
    for cuts in [&[40, 1, 6][..], &[40, 2, 5], &[40, 3, 4], &[40, 3, 1, 1, 1, 1]] {
        assert_eq!(raised(cuts), whole, "{cuts:?}");
    }
}

#[test]
fn rules_keep_apart_what_they_remember() {
    let rate = json!({"more_than": 1, "within": "1m"});
    let named = |name: &str, when: &str| {
        let mut rule = with(json!({ "when": when, "rate": rate }));
        rule["name"] = json!(name);
        rule
    };
    let rules = json!([named("a", "n == 1"), named("b", "n == 2"), named("c", "true")]);
    let raised = alerts(rules, &[(0, r#"{"n": 1}"#), (1, r#"{"n": 2}"#), (2, r#"{"n": 3}"#), (3, r#"{"n": 1}"#)]);
    let raised: Vec<_> = raised.iter().map(|(event, alert)| (*event, &*alert.rule)).collect();
    assert_eq!(raised, [(1, "c"), (3, "a")]);
}

#[test]
fn only_rules_that_remember_something_keep_state() {
    let state = |rule: Value| load(json!([rule])).expect("the rule is valid").manifest().state;
    assert_eq!(state(with(json!({}))), None);
    assert_eq!(state(with(json!({ "quiet": "0s" }))), None);
    assert_eq!(state(with(json!({ "quiet": "1s" }))), Some(1));
    assert_eq!(state(with(json!({ "rate": {"more_than": 1, "within": "1s"} }))), Some(1));
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_with_a_sentence() {
    let rate = json!({"more_than": 5, "within": "1m"});
    let cases = [
        (json!({"rate": rate, "absent": {"within": "1m"}}), "rule `a`: it has more than one of `rate`, `distinct` and"),
        (json!({"rate": {"more_than": 5, "within": "999ms"}}), "rule `a`: its `rate.within` is shorter than a second"),
        (json!({"absent": {"within": "0s"}}), "rule `a`: its `absent.within` is shorter than a second"),
        (
            json!({"rate": {"more_than": 5, "within": "60"}}),
            "`rules.0.rate.within`: expected a whole number and a unit",
        ),
        (json!({"rate": {"more_than": 5, "within": 60}}), "found the number 60"),
        (
            json!({"rate": {"more_than": -1, "within": "1m"}}),
            "`rules.0.rate.more_than`: expected a whole number from 0",
        ),
        (json!({"rate": {"more_than": 5}}), "`rules.0.rate`: `within` is missing"),
        (
            json!({"rate": {"more_than": 5, "within": "1m", "by": "ip"}}),
            "`rules.0.rate.by`: there is no such key; write",
        ),
        (json!({"quiet": "8785h"}), "`rules.0.quiet`: expected a whole number and a unit"),
        (
            json!({"distinct": {"field": "a..b", "more_than": 5, "within": "1m"}}),
            "rule `a`: its `distinct.field` is wrong",
        ),
        (json!({"rate": rate, "summary": "{$counts}"}), "`$counts` is not one of `$key`, `$count`, `$suppressed`"),
        (json!({"summary": "{$count}"}), "its `summary` is wrong at column 1: only a rule with `rate` or `distinct`"),
        (json!({"rate": rate, "summary": "{$last_seen}"}), "only a rule with `absent` tells"),
        (json!({"rate": rate, "key": "{$key}"}), "its `key` is wrong at column 1: a key is made of fields alone"),
        (json!({"absent": {"within": "1m"}, "summary": "no {a}"}), "its `summary` is wrong at column 4: an event that"),
        (
            json!({"absent": {"within": "1m"}, "labels": {"l": "{a}"}}),
            "its label `l` is wrong at column 1: an event that",
        ),
    ];
    for (set, expected) in cases {
        let why = refusal(json!([with(set)]));
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn different_values_are_limited() {
    let distinct =
        |more_than: u32| json!([with(json!({"distinct": {"field": "a", "more_than": more_than, "within": "1m"}}))]);
    assert!(load(distinct(DISTINCT_MAX)).is_ok());
    assert!(
        refusal(distinct(DISTINCT_MAX + 1)).contains("`distinct.more_than` is 501; at most 500 values are told apart")
    );
}
