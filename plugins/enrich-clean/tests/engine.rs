//! The component in the engine of production: what is cleaned and what is left, hostile events, refused configurations, the same
//! bytes however batches are cut and as the function gives natively, and what it costs.

use enrich_clean::enrich_clean;
use serde_json::{Value, json};
use wasmill_harness::{Events, Harness, Native, Random, Run};

fn plugin(config: &Value) -> Harness {
    Harness::this_plugin().config(config.clone())
}

fn run(config: &Value, events: &[&str]) -> Run {
    let mut running = plugin(config).start().expect("the configuration is right");
    running.run(events).expect("the plugin is not broken")
}

fn with_counts() -> Value {
    json!({ "fields": ["message", "http.url"], "counts": "metadata.cleaned" })
}

fn message(text: &str) -> String {
    json!({ "message": text }).to_string()
}

#[test]
fn the_event_of_the_readme_becomes_what_it_says() {
    let event = r#"{"message":"\u001b[31mlogin\u001b[0m of joe: password=hunter2, card 4111 1111 1111 1111"}"#;
    let counts =
        json!({ "control_characters": 0, "terminal_escapes": 2, "secrets": 1, "card_numbers": 1, "cut_texts": 0 });
    let expected = json!({ "message": "login of joe: password=***, card ***1111", "metadata": { "cleaned": counts } });
    assert_eq!(run(&with_counts(), &[event]).events[0].json(), expected);
}

#[test]
fn an_event_whose_fields_are_clean_keeps_its_bytes() {
    let events = [
        r#"{ "message" : "\u0061 GET \/a?b=c 200" , "n":1.0e+2 }"#,
        r#"{"message":"tab\tand\nline – ü","http":{"url":"https:\/\/a\/b"},"password":"not in a field"}"#,
        r#"{"message":7,"http":{"url":null}}"#,
        r#"{"http":"password=x"}"#,
        "{}",
    ];
    let run = run(&with_counts(), &events);
    for n in 0..events.len() {
        run.event(n).assert_unchanged();
    }
}

#[test]
fn only_the_fields_that_are_not_clean_are_written() {
    let event =
        r#"{"message":"\u0061 clean","http":{"url":"a://b:c@d"},"metadata":{"cleaned":{"secrets":"forged","x":1}}}"#;
    let run = run(&with_counts(), &[event]);
    let written = run.events[0].payload().expect("it goes on");
    assert!(written.starts_with(r#"{"message":"\u0061 clean","http":{"url":"a://b:***@d"}"#), "{written}");
    let cleaned = &run.events[0].json()["metadata"]["cleaned"];
    assert_eq!((&cleaned["secrets"], &cleaned["x"]), (&json!(1), &json!(1)));
}

#[test]
fn hostile_events_are_rejected_alone_and_their_neighbours_go_on() {
    let cases = [
        ("not JSON", Some("not_json")),
        (r#"{"message":"\ud800"}"#, Some("lone_surrogate")),
        (r#"{"message":"\u0000"}"#, None),
        (r#"{"message":"pwd=x","metadata":7}"#, Some("enrich_conflict")),
        (r#"{"message":"clean","metadata":7}"#, None),
    ];
    let neighbour = message("\u{9b}1mpwd=x");
    let events: Vec<&str> = cases.iter().flat_map(|(event, _)| [*event, neighbour.as_str()]).collect();
    let run = run(&with_counts(), &events);
    for (pair, (event, code)) in run.events.chunks(2).zip(cases) {
        assert_eq!(pair[0].code(), code, "{event}");
        assert_eq!(pair[1].json()["message"], "pwd=***", "the neighbour of {event}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_sentence() {
    for (config, expected) in [
        (json!({}), "`fields` is missing"),
        (json!({ "fields": [] }), "name at least one field"),
        (json!({ "fields": ["a"], "counts": "a.b" }), "one is inside of the other"),
        (json!({ "fields": ["a"], "secrets": { "mask": "a b" } }), "`mask` is \"a b\""),
        (json!({ "fields": ["a"], "whitespace": "keep" }), "`whitespace`: there is no such key"),
    ] {
        let why = plugin(&config).start().expect_err("it is refused").to_string();
        assert!(why.contains(expected), "{config}: {why}");
    }
}

/// Texts of pieces that are cleaned, whole and broken.
fn any_event(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "password",
        "token",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "=",
        ": ",
        "://",
        "@",
        "\"",
        "\\\"",
        "'",
        "[",
        "}",
        ",",
        "&",
        "***",
        "…",
        " ",
        "\n",
        "-",
        "x",
        "ä",
        "🎉",
        "4111",
        "1111",
        "4111111111111111",
        "378282246310005",
        "7",
        "\0",
        "\u{7f}",
        "\x1b[31m",
        "\x1b]0;",
        "\x07",
        "\x1b",
        "\u{9b}",
        "\u{9d}",
        "\u{202e}",
        "a long run of words that is clean ",
    ];
    let mut text = || (0..random.usize(..12)).map(|_| PIECES[random.usize(..PIECES.len())]).collect::<String>();
    json!({ "message": text(), "http": { "url": text() } }).to_string()
}

fn everything() -> Value {
    json!({
        "fields": ["message", "http.url"], "counts": "cleaned", "max_chars": 40, "white_space": "space",
        "control_characters": "replace", "secrets": { "more_names": ["pin"], "mask": "[REDACTED]" } })
}

#[test]
fn bytes_do_not_depend_on_where_batches_are_cut_nor_on_the_process() {
    let events = Events::any(1_500, any_event);
    plugin(&everything()).assert_cut_invariant(&events);
    plugin(&everything()).assert_deterministic(&events);
}

#[test]
fn the_component_writes_what_the_function_does_natively() {
    let events = Events::any(3_000, any_event);
    let run = plugin(&everything()).assert_native_equals_wasm(&Native::enricher::<enrich_clean>(), &events);
    let as_they_came = run
        .events
        .iter()
        .zip(events.iter())
        .filter(|(outcome, event)| outcome.payload().map(str::as_bytes) == event.payload.as_deref());
    let as_they_came = as_they_came.count();
    assert!(as_they_came > 0 && as_they_came < 3_000, "{as_they_came} are clean");
}

#[test]
fn nothing_that_can_stand_in_an_event_has_it_trap() {
    plugin(&everything()).torture();
    plugin(&everything()).torture_like(&json!({ "message": "password=x", "http": { "url": "a://b:c@d" } }));
}

#[test]
fn golden_events_come_to_what_they_came_to_and_cost_no_more() {
    plugin(&with_counts()).assert_golden("logs");
}

/// Fuel of one event, as one of many.
fn fuel_of(config: &Value, event: &str) -> u64 {
    run(config, &[event; 1_000]).fuel_per_event()
}

#[test]
fn a_clean_event_costs_little_fuel() {
    let text = "GET /api/v1/orders/118273 finished with 200 in 12 ms for user joe from 10.20.30.40 (retry 0)";
    let clean = fuel_of(&with_counts(), &message(text));
    assert!(clean < 2_000, "{clean}");
    let keyed = "12:45:01.123 level=info host=web-1 msg=\"order 118273 done\" status=200 took_ms=12 user=joe retry=0";
    let keyed = fuel_of(&with_counts(), &message(keyed));
    assert!(keyed < 5_000, "{keyed}");
}

/// The most that one event may burn, by default.
const FUEL_PER_EVENT: u64 = 20_000_000;

/// What makes every scanner work, as it stands in a payload.
const HOSTILE: &[&str] = &[
    "\u{9b}m",
    "\u{9b}",
    "\u{9d}",
    "\u{9d}a",
    "\u{90}\u{9c}",
    "\u{202e}",
    "\\u001b[m",
    "\\u001b]",
    "\\u001b",
    "\\u0000",
    "\\n",
    "password=",
    "password=a ",
    "token: ",
    "pwd=\\\"",
    "d=",
    "____d=",
    "d   :",
    " :",
    "=",
    "b",
    "Bearer ",
    "Bearer a ",
    "Basic dTpw ",
    "a://b:c@",
    "://",
    "4111111111111111 ",
    "4111-",
    "4",
    "4 ",
    "[",
    "\\\\",
    "'",
    "ä",
    "x",
];

/// An event whose message is all of one piece, after a beginning.
fn hostile(field: &str, begin: &str, piece: &str, bytes: usize) -> String {
    format!(r#""{field}":"{begin}{}""#, piece.repeat(bytes / piece.len()))
}

#[test]
fn events_of_a_megabyte_that_are_all_hostile_are_cleaned_within_the_limits() {
    let config = json!({ "fields": ["a"] });
    let mut running = plugin(&config).start().expect("the configuration is right");
    for piece in HOSTILE {
        let event = format!("{{{}}}", hostile("a", "", piece, 1_000_000));
        let run = running.run([&event]).expect("the plugin is not broken");
        assert!(run.events[0].passed(), "{piece}: {:?}", run.events[0]);
        assert!(run.fuel < FUEL_PER_EVENT, "{piece}: {}", run.fuel);
    }
}

#[test]
fn cost_grows_with_length_and_no_faster() {
    let config = json!({ "fields": ["a"], "max_chars": null });
    let mut running = plugin(&config).start().expect("the configuration is right");
    for piece in HOSTILE {
        for begin in ["", "password=", "token: '", "\u{9d}", "a://b:"] {
            let mut fuel_of = |bytes: usize| {
                let event = format!("{{{}}}", hostile("a", begin, piece, bytes));
                running.run([&event]).expect("the plugin is not broken").fuel
            };
            let (once, twice) = (fuel_of(20_000), fuel_of(40_000));
            assert!(10 * twice < 22 * once, "{begin}{piece}: {once}, {twice}");
        }
    }
}
