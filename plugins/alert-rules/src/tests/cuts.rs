//! Random streams, cut into random batches with random restarts between them, against the reference.

use super::reference::{Asks, Raised, Rule, Sample, alerts};
use crate::raise_alerts;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use wasmill_sdk::Loaded;

const S: i64 = 1_000_000_000;

fn rules() -> Vec<Rule> {
    let rule = |name, asks, within, quiet| Rule { name, asks, within, quiet };
    vec![
        rule("every", Asks::Every, 0, 45),
        rule("rate", Asks::Rate { more_than: 2 }, 60, 0),
        rule("quiet rate", Asks::Rate { more_than: 1 }, 60, 60),
        rule("long quiet rate", Asks::Rate { more_than: 3 }, 120, 600),
        rule("distinct", Asks::Distinct { more_than: 2 }, 60, 0),
        rule("quiet distinct", Asks::Distinct { more_than: 1 }, 120, 30),
        rule("absent", Asks::Absent, 60, 0),
        rule("quiet absent", Asks::Absent, 30, 240),
    ]
}

fn config(rules: &[Rule]) -> String {
    let rule = |rule: &Rule| {
        let within = format!("{}s", rule.within);
        let mut config: Value = json!({ "name": rule.name, "when": "m", "severity": "info", "key": "k" });
        config["quiet"] = format!("{}s", rule.quiet).into();
        let (summary, with) = match rule.asks {
            Asks::Every => ("0 {$suppressed}", json!({})),
            Asks::Rate { more_than } => {
                ("{$count} {$suppressed}", json!({ "rate": { "more_than": more_than, "within": within } }))
            }
            Asks::Distinct { more_than } => {
                let distinct = json!({ "field": "v", "more_than": more_than, "within": within });
                ("{$count} {$suppressed}", json!({ "distinct": distinct }))
            }
            Asks::Absent => ("0 {$suppressed}", json!({ "absent": { "within": within } })),
        };
        config["summary"] = summary.into();
        config.as_object_mut().expect("an object").extend(with.as_object().expect("an object").clone());
        config
    };
    json!({ "rules": rules.iter().map(rule).collect::<Vec<_>>() }).to_string()
}

/// A stream whose times mostly go on by seconds, but also stand still, go back, jump ahead, and are years off.
fn streams() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![
        6 => 0..3 * S,
        3 => Just(0),
        3 => (0i64..70).prop_map(|seconds| seconds * S),
        3 => (0i64..200).prop_map(|seconds| -seconds * S),
        1 => -S..S,
    ];
    let odd = prop_oneof![30 => Just(0i64), 1 => Just(-1), 1 => Just(1), 1 => Just(2)];
    let sample = (step, odd, 0..3u8, 0..5u8, prop::bool::weighted(0.85));
    vec(sample, 1..150).prop_map(|samples| {
        let mut now = 1_000_000 * S;
        let mut place = |(step, odd, key, value, matches): (i64, i64, u8, u8, bool)| {
            now += step;
            Sample { time: now + odd * 40 * 86_400 * S, key, value, matches }
        };
        samples.into_iter().map(&mut place).collect()
    })
}

/// The plugin's alerts when a batch ends, and the process too, where `ends` says so.
fn in_batches(rules: &[Rule], stream: &[Sample], ends: &[(u8, bool)]) -> Vec<Raised> {
    let config = config(rules);
    let load = || Loaded::<raise_alerts>::configure(&config).expect("the rules are valid");
    let mut plugin = load();
    let mut raised = Vec::new();
    let mut ends = ends.iter().cycle();
    let mut first = 0;
    while first < stream.len() {
        let (size, restarts) = *ends.next().expect("it goes round");
        let last = (first + 1 + size as usize).min(stream.len());
        let payload = |sample: &Sample| json!({ "k": sample.key, "v": sample.value, "m": sample.matches }).to_string();
        let payloads: Vec<String> = stream[first..last].iter().map(payload).collect();
        let times = stream[first..last].iter().map(|sample| sample.time);
        let events: Vec<(&str, i64)> = payloads.iter().map(|payload| &**payload).zip(times).collect();
        for (event, alert) in plugin.evaluate_json(&events) {
            let rule = rules.iter().find(|rule| rule.name == alert.rule).expect("one of the rules");
            let (count, suppressed) = alert.summary.split_once(' ').expect("two numbers");
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let key = alert.key.parse().expect("a key");
            raised.push((first + event as usize, rule.name, key, number(count), number(suppressed)));
        }
        if restarts {
            plugin = load().with_state_of(&plugin);
        }
        first = last;
    }
    raised.sort_unstable();
    raised
}

proptest! {
    #[test]
    fn alerts_are_those_of_the_reference_wherever_batches_and_lives_end(
        stream in streams(),
        ends in vec((0..40u8, prop::bool::weighted(0.2)), 1..10),
    ) {
        let rules = rules();
        let expected = alerts(&rules, &stream);
        prop_assert_eq!(in_batches(&rules, &stream, &ends), expected);
    }
}
