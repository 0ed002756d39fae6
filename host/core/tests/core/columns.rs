//! Rules of extraction, one by one.

use wasmill_core::{EventTime, FieldKind, JsonType, PATH_KEYS_MAX, ProjectionBuilder, State};

use crate::support::{EVENT_BYTES_MAX, extract, path, projection, raw_batch};

fn state_of(column: (&str, FieldKind), payload: &str) -> (State, JsonType) {
    let (batch, rejections) = extract(&[column], payload);
    assert_eq!(rejections, [], "{payload}");
    let state = batch.cell(0, 0).0;
    (state.state(), state.json_type())
}

fn text_of(column: (&str, FieldKind), payload: &str) -> String {
    let (batch, rejections) = extract(&[column], payload);
    assert_eq!(rejections, [], "{payload}");
    String::from_utf8(batch.text_of(batch.cell(0, 0).1).to_vec()).unwrap()
}

#[test]
fn last_duplicate_takes_back_what_the_earlier_ones_held() {
    let absent = (State::Absent, JsonType::Null);
    for payload in
        [r#"{"a":{"b":1},"a":{}}"#, r#"{"a":{"b":1},"a":2}"#, r#"{"a":{"b":1},"a":[]}"#, r#"{"a":{"b":1},"a":"x"}"#]
    {
        assert_eq!(state_of(("a.b", FieldKind::Integer), payload), absent, "{payload}");
    }
    let payload = r#"{"a":1,"a":{"b":1,"b":"x"}}"#;
    assert_eq!(state_of(("a.b", FieldKind::Text), payload), (State::Present, JsonType::String));
}

#[test]
fn keys_are_compared_unescaped() {
    assert_eq!(text_of(("a.b", FieldKind::Text), r#"{"\u0061":{"\u0062":"x"}}"#), "x");
    assert_eq!(text_of((r"a\.b", FieldKind::Text), r#"{"a.b":"x"}"#), "x");
}

#[test]
fn missing_or_wrong_parent_means_absent() {
    for payload in ["{}", r#"{"a":null}"#, r#"{"a":[{"b":1}]}"#, r#"{"b":1}"#, r#"{"a":"b"}"#, r#"{"c":{"a":{"b":1}}}"#]
    {
        assert_eq!(state_of(("a.b", FieldKind::Integer), payload).0, State::Absent, "{payload}");
    }
}

#[test]
fn value_of_another_type_is_named_by_its_token() {
    for (kind, token, text) in [
        (FieldKind::Text, "12.50", "12.50"),
        (FieldKind::Text, "true", "true"),
        (FieldKind::Text, r#"{ "b" : 1 }"#, r#"{ "b" : 1 }"#),
        (FieldKind::Integer, r#""1\n2""#, "1\n2"),
        (FieldKind::Integer, "1.0", "1.0"),
        (FieldKind::Integer, "9223372036854775808", "9223372036854775808"),
        (FieldKind::Float, "1e999", "1e999"),
        (FieldKind::Boolean, "0", "0"),
    ] {
        let payload = format!(r#"{{"a": {token} }}"#);
        assert_eq!(state_of(("a", kind), &payload).0, State::OtherType, "{payload}");
        assert_eq!(text_of(("a", kind), &payload), text);
    }
}

#[test]
fn floats_are_rounded_correctly_and_integers_widened() {
    for token in ["0.1", "2.2250738585072011e-308", "9007199254740993", "1e308", "5e-324", "36028797018963969", "-1"] {
        let (batch, _) = extract(&[("a", FieldKind::Float)], format!(r#"{{"a":{token}}}"#));
        assert_eq!(f64::from_bits(batch.cell(0, 0).1), token.parse::<f64>().unwrap(), "{token}");
    }
}

#[test]
fn path_of_as_many_keys_as_allowed_is_found() {
    let at = vec!["k"; PATH_KEYS_MAX].join(".");
    let payload = format!("{}7{}", r#"{"k":"#.repeat(PATH_KEYS_MAX), "}".repeat(PATH_KEYS_MAX));
    let (batch, _) = projection(&[(&at, FieldKind::Integer)], &[&format!("{}.x", &at[..at.len() - 2])])
        .extract(raw_batch([&payload, &payload]));
    assert_eq!((batch.cell(0, 0).1, batch.cell(1, 0).1), (7, 7));
}

#[test]
fn nul_in_text_is_kept() {
    assert_eq!(text_of(("a", FieldKind::Text), r#"{"a":"x\u0000y"}"#), "x\0y");
}

#[test]
fn keys_in_another_order_are_found() {
    let names = ["a", "b", "c", "d", "a_key_that_is_longer_than_sixteen_bytes", "another_key_that_is_longer"];
    let columns: Vec<_> = names.iter().map(|name| (*name, FieldKind::Integer)).collect();
    let payload = |shift: usize, step: usize| {
        let members = (0..names.len()).step_by(step).map(|n| (n + shift) % names.len());
        let members: Vec<_> = members.map(|n| format!(r#""{}":{n}"#, names[n])).collect();
        format!("{{{}}}", members.join(","))
    };
    let payloads: Vec<_> = (0..40).map(|n| payload(n, 1 + n % 3)).collect();
    let (batch, rejections) = projection(&columns, &[]).extract(raw_batch(&payloads));
    assert_eq!(rejections, []);
    for (event, payload) in payloads.iter().enumerate() {
        crate::agreement::check_event(&batch, event as u32, payload.as_bytes());
    }
}

#[test]
fn any_number_of_other_keys_is_passed_over() {
    let mut payload = String::from("{");
    (0..1_000).for_each(|n| payload += &format!(r#""key{n}":{n},"#));
    payload += r#""a":7}"#;
    let (batch, _) = projection(&[("a", FieldKind::Integer)], &[]).extract(raw_batch([&payload, &payload]));
    assert_eq!((batch.cell(0, 0).1, batch.cell(1, 0).1), (7, 7));
}

#[test]
fn event_time_is_the_field_where_it_says_one_else_the_records() {
    let table = [
        (r#"{"t":{"at":"2026-01-02T03:04:05.5Z"}}"#, 1_767_323_045_500_000_000),
        (r#"{"t":{"at":"2026-01-02T04:04:05.5+01:00"}}"#, 1_767_323_045_500_000_000),
        (r#"{"t":{"at":"2026-01-02T03:04:05\u005a"}}"#, 1_767_323_045_000_000_000),
        (r#"{"t":{"at":1767323045500}}"#, 1_767_323_045_500_000_000),
        (r#"{"t":{"at":9223372036854775807}}"#, 1_004),
        (r#"{"t":{"at":"yesterday"}}"#, 1_005),
        (r#"{"t":{"at":1.5}}"#, 1_006),
        (r#"{"t":{"at":null}}"#, 1_007),
        (r#"{}"#, 1_008),
        (r#"{"t":{"at":5},"t":{}}"#, 1_009),
    ];
    let mut builder = ProjectionBuilder::new(EventTime::Field(path("t.at")), EVENT_BYTES_MAX);
    builder.column(Some(&path("t.at")), FieldKind::Json);
    let (batch, _) = builder.build().extract(raw_batch(table.map(|(payload, _)| payload)));
    let wanted = table.map(|(_, time)| time);
    assert_eq!(batch.times, wanted);
}
