//! The component in the engine of production: rules that match and their twins that do not, hostile events, refused
//! configurations, and the same alerts however batches are cut and as the function gives natively.

use alert_rules::raise_alerts;
use serde_json::{Value, json};
use wasmill_harness::{Event, Events, Harness, Native, Random, Run};

fn plugin(rules: &Value) -> Harness {
    Harness::this_plugin().config(json!({ "rules": rules }))
}

fn run(rules: &Value, events: &[&str]) -> Run {
    let mut running = plugin(rules).start().expect("the rules are right");
    running.run_at(1_795_250_700_250, events).expect("the plugin is not broken")
}

fn rule(name: &str, when: &str) -> Value {
    json!({ "name": name, "when": when, "severity": "warning", "summary": "it happened" })
}

/// The rules that matched, by event.
fn matched(run: &Run) -> Vec<Vec<&str>> {
    (0..run.events.len()).map(|event| run.event(event).rules()).collect()
}

#[test]
fn every_operator_and_function_matches_what_it_should_and_not_its_twin() {
    let cases = [
        ("s == 'a'", r#"{"s":"\u0061"}"#, r#"{"s":"A"}"#),
        ("n == 5", r#"{"n":5.0}"#, r#"{"n":"5"}"#),
        ("b == true", r#"{"b":true}"#, r#"{"b":1}"#),
        ("s == null", r#"{"s":null}"#, "{}"),
        ("s != 'a'", r#"{"s":"b"}"#, "{}"),
        ("n < 5", r#"{"n":4.999}"#, r#"{"n":5}"#),
        ("n <= 5", r#"{"n":5}"#, r#"{"n":5.001}"#),
        ("n > 5", r#"{"n":6}"#, r#"{"n":5}"#),
        ("n >= 5", r#"{"n":5}"#, r#"{"n":4}"#),
        ("s < 'b'", r#"{"s":"a"}"#, r#"{"s":"b"}"#),
        ("n > 9007199254740992", r#"{"n":9007199254740993}"#, r#"{"n":9007199254740992}"#),
        ("s in ['a', 'b']", r#"{"s":"b"}"#, r#"{"s":"c"}"#),
        ("'k' in o", r#"{"o":{"k":null}}"#, r#"{"o":{}}"#),
        ("7 in l", r#"{"l":[1,7]}"#, r#"{"l":["7"]}"#),
        ("b && s == 'a'", r#"{"b":true,"s":"a"}"#, r#"{"b":false,"s":"a"}"#),
        ("b || s == 'a'", r#"{"s":"a"}"#, r#"{"b":false}"#),
        ("!b", r#"{"b":false}"#, r#"{"b":"false"}"#),
        ("b ? n > 1 : n < 1", r#"{"b":false,"n":0}"#, r#"{"b":true,"n":0}"#),
        ("has(o.k)", r#"{"o":{"k":null}}"#, r#"{"o":"k"}"#),
        ("!has(o.k)", r#"{"o":[]}"#, r#"{"o":{"k":1}}"#),
        ("size(s) == 2", r#"{"s":"ä🎉"}"#, r#"{"s":"ä"}"#),
        ("l.size() > 1", r#"{"l":[[],[]]}"#, r#"{"l":[[1,2]]}"#),
        ("s.contains('b')", r#"{"s":"abc"}"#, r#"{"s":"aBc"}"#),
        ("s.startsWith('a')", r#"{"s":"ab"}"#, r#"{"s":"ba"}"#),
        ("s.endsWith('a')", r#"{"s":"ba"}"#, r#"{"s":["a"]}"#),
        (r"s.matches('^(?i)err[0-9]+$')", r#"{"s":"ERR42"}"#, r#"{"s":"err"}"#),
        ("n * 2 + 1 == 7", r#"{"n":3}"#, r#"{"n":9223372036854775807}"#),
        ("n / d == 2", r#"{"n":4,"d":2}"#, r#"{"n":4,"d":0}"#),
        ("n % 2 == 1", r#"{"n":3}"#, r#"{"n":2}"#),
        ("-n == 3", r#"{"n":-3}"#, r#"{"n":3}"#),
        (r#"o["odd key"] == 1"#, r#"{"o":{"odd key":1}}"#, r#"{"o":{"odd":{"key":1}}}"#),
        ("o.a == l", r#"{"o":{"a":[1]},"l":[1.0]}"#, r#"{"o":{"a":[1]},"l":[1,2]}"#),
    ];
    // All rules at once: a twin shows that no rule reads another one's fields.
    let rules: Value = cases.iter().map(|(when, ..)| rule(when, when)).collect();
    let events: Vec<&str> = cases.iter().flat_map(|(_, yes, no)| [*yes, *no]).collect();
    let run = run(&rules, &events);
    let matched = matched(&run);
    for ((when, yes, no), matched) in cases.iter().zip(matched.chunks(2)) {
        assert!(matched[0].contains(when), "`{when}` matches {yes}");
        assert!(!matched[1].contains(when), "`{when}` does not match {no}");
    }
    assert!(run.events.iter().all(|outcome| outcome.passed()), "an alerter keeps no event back");
}

#[test]
fn an_alert_tells_its_event_and_its_plugin() {
    let rules = json!([{
        "name": "failed-login", "when": "outcome == 'failure' && source.ip.startsWith('10.')", "severity": "critical",
        "key": "{user.name}@{source.ip}", "summary": "{user.name} failed {count} times {{{attempt}}}: {tags} {gone}",
        "labels": { "team": "secops", "host": "{host.name}" } }]);
    let event = r#"{"outcome":"failure","source":{"ip":"10.0.0.1"},"user":{"name":"Zo\u00eb"},"count":3,"attempt":1.5,"tags":["a"]}"#;
    let run = run(&rules, &["{}", event]);
    assert_eq!(run.alerts.len(), 1);
    let alert = &run.alerts[0];
    assert_eq!(alert["summary"], r#"Zoë failed 3 times {1.5}: ["a"] -"#);
    assert_eq!((&alert["key"], &alert["severity"]), (&json!("Zoë@10.0.0.1"), &json!("critical")));
    assert_eq!(alert["labels"], json!({ "team": "secops", "host": "-" }));
    assert_eq!((&alert["at"], &alert["origin"]["offset"]), (&json!("2026-11-21T08:45:00.250Z"), &json!(1)));
    assert_eq!((&alert["plugin"]["name"], &alert["plugin"]["version"]), (&json!("alert-rules"), &json!("0.1.0")));
}

#[test]
fn alerts_of_one_event_are_in_the_order_of_the_rules_and_have_ids_of_their_own() {
    let severities = ["info", "warning", "error", "critical"];
    let rules: Value = severities
        .iter()
        .map(|severity| json!({ "name": severity, "when": "true", "severity": severity, "summary": "" }))
        .collect();
    let run = run(&rules, &["{}", "{}"]);
    assert_eq!(matched(&run), [severities.to_vec(), severities.to_vec()]);
    assert!(run.alerts.iter().all(|alert| alert["rule"] == alert["severity"]));
    let mut ids: Vec<&str> = run.alerts.iter().filter_map(|alert| alert["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[test]
fn hostile_events_raise_nothing_that_could_drive_a_terminal_and_their_neighbours_are_asked() {
    let rules = json!([{
        "name": "any", "when": "!has(quiet)", "severity": "info", "key": "{s}", "summary": "{s}|{o}",
        "labels": { "l": "{s}" } }]);
    let huge = format!(r#"{{"s":"{}"}}"#, "ä".repeat(400_000));
    let events = [
        "not JSON",
        r#"{"s":"\ud800"}"#,
        r#"{"s":"truncated"#,
        r#"{"s":"a\u001b[31m\r\nb\u0000\u007f\u0085"}"#,
        r#"{"s":{"a":"\u001b"},"o":"text"}"#,
        huge.as_str(),
        r#"{"quiet":null}"#,
        r#"{"s":"good"}"#,
    ];
    let run = run(&rules, &events);
    let codes: Vec<Option<&str>> = run.events.iter().map(|outcome| outcome.code()).collect();
    assert_eq!(codes[..4], [Some("not_json"), Some("lone_surrogate"), Some("truncated"), None]);
    let any = vec!["any"];
    assert_eq!(matched(&run)[3..], [any.clone(), any.clone(), any.clone(), vec![], any]);
    for alert in &run.alerts {
        for text in [&alert["key"], &alert["summary"], &alert["labels"]["l"]] {
            let text = text.as_str().expect("a text");
            assert!(text.len() <= 1_024 && !text.chars().any(char::is_control), "{text:?}");
        }
    }
    assert_eq!(run.alerts[0]["summary"], "a [31m  b   |-");
    assert_eq!(run.alerts[2]["key"].as_str().map(str::len), Some(256), "cut off");
}

#[test]
fn more_alerts_about_one_event_than_its_limit_cost_that_event_alone() {
    let rules = |count: usize| (0..count).map(|number| rule(&number.to_string(), "has(s)")).collect::<Value>();
    let at_the_limit = run(&rules(16), &["{}", r#"{"s":1}"#]);
    assert_eq!(at_the_limit.alerts.len(), 16);
    let beyond = run(&rules(17), &["{}", r#"{"s":1}"#, "{}"]);
    assert_eq!(beyond.alerts.len(), 0);
    let passed: Vec<bool> = beyond.events.iter().map(|outcome| outcome.passed()).collect();
    assert_eq!(passed, [true, false, true]);
}

#[test]
fn a_wrong_configuration_is_refused_with_a_sentence() {
    let with = |key: &str, value: Value| {
        let mut rule = rule("a", "true");
        rule[key] = value;
        json!([rule])
    };
    for (rules, expected) in [
        (json!([]), "`rules` is empty"),
        (json!([rule("a", "true"), rule("a", "false")]), "rule `a` has the name of another one"),
        (json!([rule("", "true")]), "a rule's name `` is empty"),
        (with("when", json!("severity = 'x'")), "rule `a`: `when`, line 1, column 10: `=` is no operator here"),
        (with("when", json!("severity = 'x'")), "\n    severity = 'x'\n             ^"),
        (with("when", json!("s.matches('(')")), "rule `a`: `when`"),
        (with("when", json!("\n  [1].map(x, x)")), "rule `a`: `when`, line 2"),
        (with("when", json!(true)), "`rules.0.when`"),
        (with("severity", json!("Fatal")), "`rules.0.severity`: write `info`"),
        (with("summary", json!("{a")), "its `summary` is wrong at column 1: a brace is alone"),
        (with("key", json!("a..b")), "its `key` is wrong"),
        (with("labels", json!({ "": "x" })), "rule `a`: its label `` is empty"),
        (with("sumary", json!("x")), "`rules.0.sumary`: there is no such key; write `name`"),
    ] {
        let why = plugin(&rules).start().expect_err("it is refused").to_string();
        assert!(why.contains(expected), "{rules}: {why}");
    }
}

/// Rules that read fields of every kind.
fn many_rules() -> Value {
    let whens = [
        "s == 'a' || s == 'b'",
        "n > 1 && n < 100",
        "s.contains('ä')",
        "s.matches('^[a-f]+$')",
        "b",
        "!b",
        "o.k == n",
        "has(o.k) && size(l) > 1",
        "s in ['a', 'x', 'äöü'] ? b : n == 0.5",
        "n % 2 == 0",
        "o != null",
    ];
    let rule = |when: &&str| {
        json!({
            "name": when, "when": when, "severity": "error", "key": "o.k", "summary": "{s}: {n} {{{b}}} {o}",
            "labels": { "l": "{l}" } })
    };
    whens.iter().map(rule).collect()
}

fn any_event(random: &mut Random) -> String {
    const VALUES: [&str; 19] = [
        "null",
        "true",
        "false",
        "0",
        "2",
        "7",
        "0.5",
        "-3",
        "9007199254740993",
        "9223372036854775807",
        r#""""#,
        r#""a""#,
        r#""äöü""#,
        r#""abcdef""#,
        r#""a\u001bb""#,
        r#"{"k":2}"#,
        r#"{"k":"a"}"#,
        "[]",
        r#"[1,"x"]"#,
    ];
    let mut fields = Vec::new();
    for field in ["s", "n", "b", "o", "l"] {
        if random.u8(..) < 200 {
            fields.push(format!(r#""{field}":{}"#, VALUES[random.usize(..VALUES.len())]));
        }
    }
    format!("{{{}}}", fields.join(","))
}

#[test]
fn alerts_do_not_depend_on_where_batches_are_cut_nor_on_the_process() {
    let events = Events::any(1_000, any_event);
    let whole = plugin(&many_rules()).assert_cut_invariant(&events);
    assert!(whole.alerts.len() > 500);
    plugin(&many_rules()).assert_deterministic(&events);
}

#[test]
fn the_component_raises_what_the_function_does_natively() {
    plugin(&many_rules()).assert_native_equals_wasm(&Native::alerter::<raise_alerts>(), Events::any(3_000, any_event));
}

/// Rules that remember something, of each kind.
fn counting_rules() -> Value {
    json!([
        { "name": "rate", "when": "has(s)", "severity": "error", "key": "s", "rate": { "more_than": 3, "within": "20s" },
          "summary": "{$count} {$suppressed}" },
        { "name": "distinct", "when": "true", "severity": "error", "key": "b",
          "distinct": { "field": "n", "more_than": 4, "within": "30s" }, "quiet": "5s", "summary": "{$count} {$suppressed}" },
        { "name": "absent", "when": "has(o)", "severity": "error", "key": "o", "absent": { "within": "3s" },
          "summary": "{$last_seen}" },
        { "name": "quiet", "when": "has(l)", "severity": "error", "key": "l", "quiet": "10s", "summary": "{$suppressed}" },
    ])
}

/// Events whose time goes on, and at times back.
fn any_events_in_time(count: usize) -> Events {
    let mut now_ms = 1_795_250_700_000;
    Events::any(count, |random| {
        now_ms += random.i64(-30..150);
        Event::from(any_event(random)).at_ms(now_ms)
    })
}

#[test]
fn the_component_counts_as_the_function_does_natively_from_batch_to_batch() {
    let native = Native::alerter::<raise_alerts>();
    let run = plugin(&counting_rules()).assert_native_equals_wasm(&native, any_events_in_time(1_200));
    assert!(run.alerts.len() > 100, "{} alerts", run.alerts.len());
}

#[test]
fn counts_are_the_same_wherever_batches_are_cut_and_after_a_restart_and_a_replay() {
    let events = any_events_in_time(600);
    let whole = plugin(&counting_rules()).assert_cut_invariant(&events);
    plugin(&counting_rules()).assert_deterministic(&events);
    let events: Vec<&Event> = events.iter().collect();
    let mut running = plugin(&counting_rules()).start().expect("the rules are right");
    let mut alerts = Vec::new();
    for batch in events.chunks(100) {
        let batch: Events = batch.iter().copied().collect();
        let run = running.run(&batch).expect("the plugin is not broken");
        assert_eq!(running.replay().expect("there is a batch").alerts, run.alerts);
        alerts.extend(run.alerts);
        running.restart().expect("it goes on");
    }
    assert_eq!(alerts, whole.alerts);
}

#[test]
fn counts_go_on_when_the_rules_change() {
    let rate = |more_than: u32| {
        json!([{ "name": "rate", "when": "true", "severity": "error", "key": "s", "summary": "{$count}",
                 "rate": { "more_than": more_than, "within": "20s" } }])
    };
    let mut running = plugin(&rate(3)).start().expect("the rules are right");
    let two = [r#"{"s":"a"}"#; 2];
    assert_eq!(running.run(two).expect("it runs").alerts.len(), 0);
    assert!(running.state().expect("it counts").entries.len() == 1);
    running.swap(&plugin(&rate(2))).expect("the state is of the same version");
    running.run(two).expect("it runs").event(0).assert_alert("rate");
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    plugin(&many_rules()).torture();
    let event = json!({ "s": "a", "b": true, "n": 1, "o": { "k": 1 }, "l": [1] });
    plugin(&counting_rules()).torture_like(&event);
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&many_rules()).assert_golden("rules");
    plugin(&counting_rules()).assert_golden("counts");
}

#[test]
fn what_only_the_rest_of_a_long_text_could_tell_is_said_in_the_log_with_state_and_without() {
    let long = json!({ "s": format!("{}b", "a".repeat(16 * 1024)) }).to_string();
    let mut counted = rule("counted", "s.contains('b')");
    counted["rate"] = json!({ "more_than": 1, "within": "1m" });
    for rules in [json!([rule("plain", "s.contains('b')")]), json!([counted])] {
        let run = run(&rules, &[&long, r#"{"s":"b"}"#, &long]);
        assert!(run.event(0).rules().is_empty());
        let lines: Vec<&str> = run.log.iter().map(|line| line.text.as_str()).collect();
        let [line] = lines[..] else { panic!("{lines:?}") };
        assert!(line.contains("first 16384 bytes") && line.ends_with(": 2"), "{line}");
    }
}
