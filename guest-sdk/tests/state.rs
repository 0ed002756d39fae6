//! State as a plugin sees it, natively: what is put is got, by the clock, whatever the batches.

use wasmill_sdk::state::{Life, NEVER, State};
use wasmill_sdk::{Alert, Evaluation, Event, Events, Fields, Loaded, Severity};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

#[derive(Fields)]
struct Step<'a> {
    key: &'a str,
    /// What to do: `count`, `bump` (count in place), `remove`, or nothing but look.
    act: Option<&'a str>,
    /// Seconds of the clock until the count expires, and until the key is due.
    life: Option<i64>,
    wake: Option<i64>,
}

/// Alerts with what it saw at each event, and for each key that is due.
#[wasmill_sdk::alerter(state = 7)]
fn steps(steps: Events<'_, Step<'_>>, state: &mut State<'_>) -> Evaluation {
    let keys: Vec<_> = steps.iter().map(|(event, step)| (event, state.key(step.key.as_bytes()), step)).collect();
    state.fetch();
    state.fetch_due(2);
    let mut evaluation = Evaluation::default();
    let mut say = |event: usize, rule: &str, summary: String| {
        evaluation.alerts.push((event as u32, Alert::new(rule, "", Severity::Info, summary)));
    };
    for (event, key, step) in keys {
        while let Some(due) = state.next_due(event) {
            let count = state.get_at(due.wake, due.key).map(|value| value[0]);
            let name = String::from_utf8_lossy(state.key_bytes(due.key)).into_owned();
            say(event, "due", format!("{name} {count:?} at {}", due.wake / SECOND));
        }
        let count = state.get(event, key).map_or(0, |value| value[0]);
        say(event, "saw", format!("{} {count} at {}", step.key, state.clock(event) / SECOND));
        let at = |seconds: Option<i64>| seconds.map_or(NEVER, |seconds| state.clock(event) + seconds * SECOND);
        let life = Life::until(at(step.life)).waking(at(step.wake));
        match step.act {
            Some("count") => state.put(event, key, &[count + 1], life),
            Some("bump") => {
                let is_bumped = state.update(event, key, |_, value| {
                    value[0] += 1;
                    Some(life)
                });
                assert_eq!(is_bumped, count > 0, "what is not there is not updated");
            }
            Some("remove") => state.remove(event, key),
            _ => {}
        }
    }
    evaluation
}

/// What is said about these events (second, key, what else), each as a batch and all as one: it must be the same.
fn said(events: &[(i64, &str, &str)]) -> Vec<String> {
    let payloads: Vec<String> = events.iter().map(|(_, key, more)| format!(r#"{{"key":"{key}"{more}}}"#)).collect();
    let events: Vec<Event<'_>> = events
        .iter()
        .zip(&payloads)
        .map(|((second, ..), payload)| Event { payload, time_ns: second * SECOND, names: &[] })
        .collect();
    let mut outcomes = [events.len(), 1, 2, 3].map(|size| {
        let plugin = Loaded::<steps>::configure("{}").expect("it takes no settings");
        let batches = events.chunks(size.max(1)).enumerate();
        let of_batch = |(nth, batch)| {
            let alerts = plugin.evaluate_json(batch);
            alerts
                .into_iter()
                .map(move |(event, alert)| format!("{} {} {}", nth * size + event as usize, alert.rule, alert.summary))
        };
        (batches.flat_map(of_batch).collect::<Vec<_>>(), plugin.stored())
    });
    outcomes.rotate_left(1);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:#?}");
    let [_, _, _, (said, _)] = outcomes;
    said
}

const COUNT: &str = r#","act":"count""#;

#[test]
fn what_is_updated_where_it_stands_is_got_later_and_wakes() {
    const BUMP: &str = r#","act":"bump""#;
    const BUMP_FOR_NOW: &str = r#","act":"bump","life":9,"wake":2"#;
    let events = [
        (1, "a", BUMP),
        (2, "a", COUNT),
        (2, "b", COUNT),
        (3, "a", BUMP),
        (4, "a", BUMP_FOR_NOW),
        (6, "b", BUMP),
        (12, "a", ""),
        (13, "a", BUMP),
    ];
    let expected = [
        "0 saw a 0 at 1",
        "1 saw a 0 at 2",
        "2 saw b 0 at 2",
        "3 saw a 1 at 3",
        "4 saw a 2 at 4",
        "5 due a Some(3) at 6",
        "5 saw b 1 at 6",
        "6 saw a 3 at 12",
        "7 saw a 0 at 13",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn what_is_put_is_got_later_in_the_batch_and_in_the_next() {
    let events = [(1, "a", COUNT), (2, "b", COUNT), (3, "a", COUNT), (4, "a", r#","act":"remove""#), (5, "a", "")];
    let expected = ["0 saw a 0 at 1", "1 saw b 0 at 2", "2 saw a 1 at 3", "3 saw a 2 at 4", "4 saw a 0 at 5"];
    assert_eq!(said(&events), expected);
}

#[test]
fn a_value_is_gone_when_the_clock_reaches_its_expiry_and_not_before() {
    let mortal = r#","act":"count","life":10"#;
    let events = [(1, "a", mortal), (10, "a", ""), (11, "a", ""), (11, "b", mortal), (20, "b", ""), (21, "b", "")];
    let expected = [
        "0 saw a 0 at 1",
        "1 saw a 1 at 10",
        "2 saw a 0 at 11",
        "3 saw b 0 at 11",
        "4 saw b 1 at 20",
        "5 saw b 0 at 21",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn the_clock_never_goes_back_and_one_event_far_ahead_does_not_take_it_along() {
    let day = DAY / SECOND;
    let events = [(5, "a", ""), (3, "a", ""), (9 * day, "a", ""), (6, "a", ""), (5 * day, "a", ""), (4 * day, "a", "")];
    let expected = [
        "0 saw a 0 at 5",
        "1 saw a 0 at 5",
        "2 saw a 0 at 5",
        "3 saw a 0 at 6",
        "4 saw a 0 at 6",
        &format!("5 saw a 0 at {}", 4 * day),
    ];
    assert_eq!(said(&events), expected);
    // A day is believed at once.
    assert_eq!(said(&[(0, "a", ""), (day, "a", "")])[1], format!("1 saw a 0 at {day}"));
}

#[test]
fn keys_are_due_in_order_of_wakes_then_of_keys_and_once_at_most_two_per_event() {
    let waking = |seconds: i64| format!(r#","act":"count","wake":{seconds}"#);
    let (ten, nine) = (waking(10), waking(9));
    let events = [
        (0, "c", &*ten),
        (0, "a", &ten),
        (1, "b", &nine),
        (2, "d", &waking(7)),
        (10, "e", ""),
        (10, "e", ""),
        (10, "e", ""),
    ];
    let expected = [
        "0 saw c 0 at 0",
        "1 saw a 0 at 0",
        "2 saw b 0 at 1",
        "3 saw d 0 at 2",
        "4 due d Some(1) at 9",
        "4 due a Some(1) at 10",
        "4 saw e 0 at 10",
        "5 due b Some(1) at 10",
        "5 due c Some(1) at 10",
        "5 saw e 0 at 10",
        "6 saw e 0 at 10",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn a_key_that_is_put_anew_is_due_by_its_new_wake_alone_and_one_that_is_gone_by_its_wake_is_not() {
    let waking = |life: i64, wake: i64| format!(r#","act":"count","life":{life},"wake":{wake}"#);
    let events = [
        (0, "a", &*waking(100, 10)),
        (5, "a", &waking(100, 10)),
        (5, "gone", &waking(3, 3)),
        (5, "lives", &waking(4, 3)),
        (12, "x", ""),
        (15, "x", ""),
        (99, "x", ""),
    ];
    let expected = [
        "0 saw a 0 at 0",
        "1 saw a 1 at 5",
        "2 saw gone 0 at 5",
        "3 saw lives 0 at 5",
        "4 due lives Some(1) at 8",
        "4 saw x 0 at 12",
        "5 due a Some(2) at 15",
        "5 saw x 0 at 15",
        "6 saw x 0 at 99",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn the_manifest_has_the_schema_version() {
    let plugin = Loaded::<steps>::configure("{}").expect("it takes no settings");
    assert_eq!(plugin.manifest().state, Some(7));
    assert!(plugin.stored().is_empty());
    assert_eq!(plugin.evaluate_json(&[(r#"{"key":"a","act":"count"}"#, HOUR)]).len(), 1);
    assert_eq!(plugin.stored().into_iter().collect::<Vec<_>>(), [(b"a".to_vec(), vec![1])]);
}
