//! The harness for authors of plugins: what it lets them do, and what an assertion that fails says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde_json::json;
use wasmill_harness::{Entry, Event, Events, Harness, Native};
use wasmill_sdk::{Fields, Verdict};
use wasmill_tests::pipeline::built;

fn guest(name: &str) -> Harness {
    Harness::new(built(name))
}

/// What is said when `assertion` fails.
fn failure<T>(assertion: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(assertion)) else { panic!("the assertion holds") };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("panics have a text")
}

/// Asserts that these lines are among those of a failure, in this order.
fn assert_lines(failure: &str, lines: &[&str]) {
    let mut rest = failure.lines();
    for line in lines {
        assert!(rest.any(|found| found.contains(line)), "no line, or not in this order: {line}\nin: {failure}");
    }
}

#[test]
fn events_are_texts_bytes_values_of_any_type_and_tombstones_each_at_its_time() {
    #[derive(Serialize)]
    struct Typed {
        key: &'static str,
    }
    let events: Events = vec![
        Event::from(r#"{"key":"a"}"#).at_ms(1_000),
        Event::of(&Typed { key: "b" }).at_ms(2_000),
        Event::bytes([b'{', 0xff]).at_ms(3_000),
        Event::tombstone(),
    ]
    .into();
    let run = guest("counter").run(events).expect("it runs");
    run.event(0).assert_unchanged().assert_alert("count");
    run.event(1).assert_field("key", "b");
    run.event(2).assert_rejected("bad_utf8").assert_no_alert();
    run.event(3).assert_rejected("tombstone").assert_reason("no payload");
    assert_eq!(run.alerts_of(1).map(|alert| &alert["at"]).collect::<Vec<_>>(), ["1970-01-01T00:00:02Z"]);
}

#[test]
fn a_batch_tells_its_log_its_memory_and_its_fuel() {
    let mut running = guest("rogue").start().expect("it is loaded");
    let run = running.run([r#"{"do":"v:log:2"}"#, r#"{"do":"v:long_log:2"}"#]).expect("it runs");
    let log: Vec<(&str, &str)> = run.log.iter().map(|line| (line.level.as_str(), line.text.as_str())).collect();
    assert_eq!(log, [("info", "line 0"), ("info", "line 1"), ("warn", "x\u{fffd}x\u{fffd}")]);
    run.assert_logged("info", "line 1");
    let why = failure(|| run.assert_logged("warn", "line 1"));
    assert_lines(
        &why,
        &[
            "a batch of 2 events",
            r#"expected   a line of the level warn with "line 1" in it"#,
            "log        info: line 1",
        ],
    );
    let quiet = running.run([r#"{"n":1}"#]).expect("it runs");
    let hungry = running.run([r#"{"do":"v:memory:8"}"#]).expect("it runs");
    assert!(hungry.memory_bytes >= quiet.memory_bytes + (8 << 20), "{} {}", hungry.memory_bytes, quiet.memory_bytes);
    let burnt = running.run([r#"{"do":"v:burn:100000"}"#]).expect("it runs");
    assert!(burnt.fuel > quiet.fuel + 100_000, "{} {}", burnt.fuel, quiet.fuel);
    quiet.assert_fuel_per_event(quiet.fuel).assert_memory(quiet.memory_bytes);
    let why = failure(|| burnt.assert_fuel_per_event(100_000));
    assert_lines(&why, &["expected   at most 100000 fuel per event", &format!("got        {}", burnt.fuel)]);
}

#[test]
fn state_is_seeded_seen_and_kept_over_restarts_swaps_and_replays() {
    let event = |key: &str, life: i64| json!({ "key": key, "life": life }).to_string();
    let mut running = guest("counter").start().expect("it is loaded");
    let seven = Entry::new("a", 7_u64.to_le_bytes());
    let seeded = running.seed(&[seven, Entry::new([0xff, 0], "x")], Some(5_000_000_000)).expect("it keeps state");
    assert_eq!((seeded.get("a"), seeded.now_ns), (Some(&7_u64.to_le_bytes()[..]), Some(5_000_000_000)));
    assert_eq!(seeded.get([0xff, 0]), Some(&b"x"[..]), "keys are bytes");

    let first = running.run_at(6_000, [event("a", 60)]).expect("it runs");
    assert_eq!(first.alerts[0]["summary"], "8 at 6");
    let again = running.replay().expect("there is a batch");
    assert_eq!((&again.events, &again.alerts), (&first.events, &first.alerts));
    running.restart().expect("it goes on");
    assert_eq!(running.run_at(7_000, [event("a", 60)]).expect("it runs").alerts[0]["summary"], "9 at 7");
    running.swap(&guest("counter").config(json!({ "every": 5 }))).expect("the state has the same version");
    assert!(running.replay().is_err(), "no batch was run since the swap");
    assert_eq!(running.run_at(8_000, [event("a", 60)]).expect("it runs").alerts[0]["summary"], "10 at 8");

    let state = running.state().expect("it keeps state");
    let entry = state.entries.iter().find(|entry| entry.key == b"a").expect("it is there");
    assert_eq!((entry.expires_ns, state.now_ns), (68_000_000_000, Some(8_000_000_000)));
}

#[test]
fn what_cannot_be_done_is_told_and_what_served_serves_on() {
    let mut running = guest("rogue").start().expect("it is loaded");
    let why = running.state().expect_err("it has none").to_string();
    assert_eq!(why, "the plugin rogue keeps no state");
    let why = running.swap(&guest("rogue").config(json!({ "configure": "refuse" }))).expect_err("it is refused");
    assert!(why.to_string().contains("setting \"x\" is missing"), "{why}");
    running.run(["{}"]).expect("it runs").event(0).assert_passed();
    let traps = vec![r#"{"do":"v:trap"}"#; 20];
    let why = running.run(&traps).expect_err("it is broken").to_string();
    assert!(why.contains("failed on 9 of the last"), "{why}");
    running.run(["{}"]).expect("it runs").event(0).assert_passed();
}

#[test]
fn a_field_that_is_another_is_told_with_its_event() {
    let run = guest("rogue").run([r#"{"n":1}"#, r#"{"n":2,"x":{"y":3}}"#]).expect("it runs");
    let why = failure(|| run.event(1).assert_field("x.y", 4));
    assert_lines(
        &why,
        &[
            r#"event 1 of 2: {"n":2,"x":{"y":3}}"#,
            "field      x.y",
            "expected   4",
            "got        3",
            "outcome    passed: {",
        ],
    );
    assert_lines(&failure(|| run.event(1).assert_field("x.z", 4)), &["expected   4", "got        absent"]);
    assert_lines(&failure(|| run.event(1).assert_no_field("x")), &["expected   absent", r#"got        {"y":3}"#]);
    assert_lines(&failure(|| run.event(0).assert_dropped()), &["expected   it is dropped", "outcome    passed"]);
    assert_lines(&failure(|| run.event(7)), &["there is no event 7: the batch has 2, counted from 0"]);
}

#[test]
fn a_trap_is_told_with_what_the_plugin_said_and_the_functions_it_was_in() {
    let run = guest("rogue").run([r#"{"do":"v:panic:nothing"}"#]).expect("it runs");
    let why = failure(|| run.event(0).assert_passed());
    let lines = [
        r#"event 0 of 1: {"do":"v:panic:nothing"}"#,
        "expected   it goes on",
        "outcome    rejected (trap): the plugin rogue trapped",
        "backtrace  rogue::deeds::misdeed",
        "rogue::kinds::events",
    ];
    assert_lines(&why, &lines);
    assert!(why.contains(r#"it said "a panic about nothing""#), "{why}");
}

#[test]
fn torture_tells_the_first_event_that_a_plugin_fails_on_and_what_is_wrong_with_it() {
    let run = guest("rogue").torture();
    assert!(run.events.len() > 200, "{} events", run.events.len());
    let why = failure(|| guest("rogue").torture_like(&json!({ "do": "v:trap", "n": 1 })));
    let lines = [
        "event 0 of 1: ",
        "hostile    nothing",
        "expected   the plugin passes, drops or rejects it",
        "backtrace  rogue::deeds::misdeed",
    ];
    assert_lines(&why, &lines);
    let why = failure(|| guest("rogue").torture_like(&json!([])));
    assert_eq!(why, "[] is no object, so it is no event");
}

#[test]
fn an_answer_that_depends_on_where_a_batch_was_cut_is_told() {
    let events = Events::seeded(5, 2, |random| if random.u8(..) < 255 { r#"{"do":"reject_all"}"# } else { "{}" });
    let mut mixed: Vec<Event> = events.iter().cloned().collect();
    mixed.push(r#"{"do":"nothing"}"#.into());
    let why = failure(|| guest("adversary").assert_cut_invariant(&mixed));
    let lines = [
        r#"event 2 of 3: {"do":"nothing"}"#,
        "differs    in batches of 1",
        "expected   rejected (all)",
        "outcome    passed",
    ];
    assert_lines(&why, &lines);
}

/// Native code that lets everything pass.
#[derive(Fields)]
struct Any<'a> {
    #[allow(dead_code, reason = "a plugin reads something")]
    anything: Option<&'a str>,
}

#[wasmill_sdk::validator]
fn pass(_: Any<'_>) -> Verdict {
    Verdict::pass()
}

#[test]
fn a_component_that_differs_from_the_native_function_is_told_with_the_seed() {
    let events = Events::seeded(7, 3, |_| r#"{"do":"code:3"}"#);
    let why = failure(|| guest("adversary").assert_native_equals_wasm(&Native::validator::<pass>(), &events));
    let lines = [
        r#"event 0 of 3: {"do":"code:3"}"#,
        "differs    the verdict",
        "natively   passed",
        "as wasm    rejected (ccc): a long code",
        "again      WASMILL_SEED=7 cargo test",
    ];
    assert_lines(&why, &lines);
}
