//! Written fields: in the payload and in the columns they are what setting them in the parsed document gives.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wasmill_core::{Batch, FieldKind, Path, Span, Stage, State, WRITTEN_BYTES_MAX, WrittenRows};

use crate::agreement::{all_columns, check_columns};
use crate::support::{any_object, any_value, config, path, projection, raw_batch};

/// Some inside of others, some not in any payload.
const WRITES: [&str; 9] = ["a", "a.b", "a.b.c", "b.a", "c.d", "c.e.f", "é", r"a\.b", "x.y.z"];

#[derive(Clone, Debug)]
enum Written {
    Nothing,
    Null,
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Json(String),
}

impl Written {
    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Nothing => return None,
            Self::Null => Value::Null,
            Self::Text(text) => json!(text),
            Self::Integer(value) => json!(value),
            Self::Float(value) => json!(value),
            Self::Boolean(value) => json!(value),
            Self::Json(token) => serde_json::from_str(token).expect("a value"),
        })
    }
}

fn written(kind: FieldKind) -> BoxedStrategy<Written> {
    let value = match kind {
        FieldKind::Text => any::<String>().prop_map(Written::Text).boxed(),
        FieldKind::Integer => any::<i64>().prop_map(Written::Integer).boxed(),
        // Few digits, since serde_json does not round all others correctly.
        FieldKind::Float => any::<i32>().prop_map(|value| Written::Float(f64::from(value) / 8.0)).boxed(),
        FieldKind::Boolean => any::<bool>().prop_map(Written::Boolean).boxed(),
        FieldKind::Json | FieldKind::Raw => prop_oneof![any_value(), any_object()].prop_map(Written::Json).boxed(),
    };
    prop_oneof![1 => Just(Written::Nothing), 1 => Just(Written::Null), 4 => value].boxed()
}

/// One enricher's answer: its fields, and a row per event.
type Answer = (Vec<(&'static str, FieldKind)>, Vec<Vec<Written>>);

fn answer(events: usize) -> impl Strategy<Value = Answer> {
    let kinds =
        [FieldKind::Text, FieldKind::Integer, FieldKind::Float, FieldKind::Boolean, FieldKind::Json, FieldKind::Json];
    let fields =
        prop::collection::vec((prop::sample::select(WRITES.to_vec()), prop::sample::select(kinds.to_vec())), 1..4);
    fields.prop_flat_map(move |fields| {
        let row: Vec<_> = fields.iter().map(|(_, kind)| written(*kind)).collect();
        (Just(fields), prop::collection::vec(row, events))
    })
}

fn rows(answers: &[Vec<Written>]) -> WrittenRows {
    let mut rows = WrittenRows::default();
    for (index, value) in answers.iter().flatten().enumerate() {
        let mut text = |bytes: &str| {
            let start = rows.text.len() as u32;
            rows.text.extend_from_slice(bytes.as_bytes());
            Span { start, len: bytes.len() as u32 }.slot()
        };
        let (state, slot) = match value {
            Written::Nothing => (0, 0),
            Written::Null => (1, 0),
            Written::Text(value) | Written::Json(value) => (2, text(value)),
            Written::Integer(value) => (2, *value as u64),
            Written::Float(value) => (2, value.to_bits()),
            Written::Boolean(value) => (2, u64::from(*value)),
        };
        rows.slots.push(slot);
        if index % 32 == 0 {
            rows.states.push(0);
        }
        *rows.states.last_mut().unwrap() |= state << (2 * (index % 32));
    }
    rows
}

/// Sets a value in a document; false when a parent is no object.
fn set(document: &mut Value, keys: &[String], value: Value) -> bool {
    let Value::Object(members) = document else {
        return false;
    };
    if let [key] = keys {
        members.insert(key.clone(), value);
        return true;
    }
    set(members.entry(keys[0].clone()).or_insert_with(|| Value::Object(Map::new())), &keys[1..], value)
}

fn apply_to_model(model: &mut Value, fields: &[(&str, FieldKind)], row: &[Written]) -> bool {
    let mut changed = model.clone();
    let written = fields.iter().zip(row).filter_map(|((at, _), value)| Some((path(at), value.value()?)));
    let good = written.into_iter().all(|(at, value)| set(&mut changed, at.keys(), value));
    if good {
        *model = changed;
    }
    good
}

fn fields_of(fields: &[(&str, FieldKind)]) -> Vec<(Path, FieldKind)> {
    fields.iter().map(|(at, kind)| (path(at), *kind)).collect()
}

fn parsed(batch: &Batch, event: u32) -> Value {
    serde_json::from_slice(&batch.payload(event)).expect("an enriched payload is JSON")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn payload_and_columns_are_what_setting_the_fields_in_the_document_gives(
        (payloads, answers) in prop::collection::vec(any_object(), 1..5).prop_flat_map(|payloads| {
            let answers = prop::collection::vec(answer(payloads.len()), 1..4);
            (Just(payloads), answers)
        })
    ) {
        let (mut batch, _) = projection(&all_columns(), &WRITES).extract(raw_batch(&payloads));
        let mut models: Vec<Value> = payloads.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let events: Vec<u32> = (0..payloads.len() as u32).collect();
        for (fields, answers) in answers {
            let rejections = batch.apply(&fields_of(&fields), &events, &rows(&answers)).unwrap();
            let conflicts: Vec<u32> = events
                .iter()
                .copied()
                .filter(|&event| !apply_to_model(&mut models[event as usize], &fields, &answers[event as usize]))
                .collect();
            prop_assert_eq!(rejections.iter().map(|rejection| rejection.event).collect::<Vec<_>>(), conflicts);
            for &event in &events {
                prop_assert_eq!(&parsed(&batch, event), &models[event as usize]);
                check_columns(&batch, event, &models[event as usize]);
            }
        }
    }
}

/// The payload after one enricher wrote `values`.
fn enriched(payload: &str, values: &[(&'static str, FieldKind, Written)]) -> String {
    let fields: Vec<_> = values.iter().map(|(at, kind, _)| (*at, *kind)).collect();
    let row = values.iter().map(|(_, _, value)| value.clone()).collect();
    let writes: Vec<_> = fields.iter().map(|(at, _)| *at).collect();
    let (mut batch, _) = projection(&[], &writes).extract(raw_batch([payload]));
    assert_eq!(batch.apply(&fields_of(&fields), &[0], &rows(&[row])).unwrap(), []);
    String::from_utf8(batch.payload(0).into_owned()).unwrap()
}

fn text(at: &'static str, value: &str) -> (&'static str, FieldKind, Written) {
    (at, FieldKind::Text, Written::Text(value.into()))
}

#[test]
fn all_other_bytes_of_the_payload_stay() {
    type Values<'v> = &'v [(&'static str, FieldKind, Written)];
    let table: [(&str, Values<'_>, &str); 9] = [
        ("{}", &[text("env", "prod")], r#"{"env":"prod"}"#),
        (" { } \n", &[text("env", "prod")], " { \"env\":\"prod\"} \n"),
        (r#"{"n": 1.50 , "n2":1e3 }"#, &[text("env", "prod")], r#"{"n": 1.50 , "n2":1e3 ,"env":"prod"}"#),
        (r#"{"env": null, "x":1}"#, &[text("env", "prod")], r#"{"env": "prod", "x":1}"#),
        (r#"{"env":1,"env":[2]}"#, &[text("env", "p")], r#"{"env":1,"env":"p"}"#),
        (r#"{"\u0065nv":1}"#, &[text("env", "p")], r#"{"\u0065nv":"p"}"#),
        ("{}", &[text("m.a", "1"), text("m.b.c", "2"), text("t", "3")], r#"{"m":{"a":"1","b":{"c":"2"}},"t":"3"}"#),
        (r#"{"m":{"x":{}},"m":{"a":0}}"#, &[text("m.x.y", "1")], r#"{"m":{"x":{}},"m":{"a":0,"x":{"y":"1"}}}"#),
        ("{}", &[text("e", "a\"\\\n\u{1}é\0")], "{\"e\":\"a\\\"\\\\\\n\\u0001é\\u0000\"}"),
    ];
    for (payload, values, wanted) in table {
        assert_eq!(enriched(payload, values), wanted, "{payload}");
    }
}

#[test]
fn payload_is_borrowed_when_nothing_was_written() {
    let (mut batch, _) = projection(&[], &["a"]).extract(raw_batch(["{}", "{}"]));
    batch
        .apply(&[(path("a"), FieldKind::Integer)], &[1], &WrittenRows { slots: vec![5], ..WrittenRows::default() })
        .unwrap();
    assert!(matches!(batch.payload(0), std::borrow::Cow::Borrowed(b"{}")));
    assert_eq!(&*batch.payload(1), br#"{"a":5}"#);
    assert_eq!((batch.is_written(0), batch.is_written(1)), (false, true));
}

#[test]
fn parent_that_is_no_object_rejects_the_event_and_changes_nothing() {
    for parent in ["null", "1", "\"x\"", "[]", "true"] {
        let payload = format!(r#"{{"a":{parent}}}"#);
        let (mut batch, _) = projection(&[("a", FieldKind::Json), ("e", FieldKind::Text)], &["e", "a.b"])
            .extract(raw_batch([payload.as_str()]));
        let before = (batch.slots.clone(), batch.states.clone());
        let fields = [("e", FieldKind::Text), ("a.b", FieldKind::Text)];
        let row = vec![Written::Text("1".into()), Written::Text("2".into())];
        let rejections = batch.apply(&fields_of(&fields), &[0], &rows(&[row])).unwrap();
        assert_eq!(rejections.len(), 1);
        assert_eq!((rejections[0].code.as_ref(), rejections[0].stage), ("enrich_conflict", Stage::Enrich));
        assert!(rejections[0].reason.contains("a.b cannot be written, since a is"), "{}", rejections[0].reason);
        assert_eq!((batch.slots.clone(), batch.states.clone()), before);
        assert_eq!(&*batch.payload(0), payload.as_bytes());
    }
}

#[test]
fn later_write_of_another_kind_replaces_the_earlier() {
    let (mut batch, _) = projection(&[("a", FieldKind::Text)], &["a"]).extract(raw_batch(["{}", "{}"]));
    let integers = WrittenRows { slots: vec![5, 6], ..WrittenRows::default() };
    batch.apply(&[(path("a"), FieldKind::Integer)], &[0, 1], &integers).unwrap();
    batch.apply(&[(path("a"), FieldKind::Text)], &[1], &rows(&[vec![Written::Text("x".into())]])).unwrap();
    assert_eq!(&*batch.payload(0), br#"{"a":5}"#);
    assert_eq!(&*batch.payload(1), br#"{"a":"x"}"#);
    assert_eq!(batch.cell(0, 0).0.state(), State::OtherType);
    assert_eq!(batch.text_of(batch.cell(1, 0).1), b"x");
}

fn refusal(fields: &[(&str, FieldKind)], rows: WrittenRows) -> String {
    let (mut batch, _) = projection(&[("a", FieldKind::Json)], &["a"]).extract(raw_batch([r#"{"a":1}"#]));
    let before = format!("{batch:?}");
    let refusal = batch.apply(&fields_of(fields), &[0], &rows).unwrap_err();
    assert_eq!(format!("{batch:?}"), before, "a refused answer changes nothing");
    refusal
}

#[test]
fn answers_of_another_shape_are_refused_with_a_sentence() {
    let answer = |text: &[u8], slots: &[u64], states: &[u64]| WrittenRows {
        text: text.to_vec(),
        slots: slots.to_vec(),
        states: states.to_vec(),
    };
    let range = |start, len| Span { start, len }.slot();
    let table = [
        (FieldKind::Text, answer(b"", &[], &[]), "need 1 slots, but the enricher answered 0"),
        (FieldKind::Text, answer(b"", &[0, 0], &[]), "need 1 slots, but the enricher answered 2"),
        (FieldKind::Text, answer(b"", &[0], &[2, 2]), "need 1 words of states"),
        (FieldKind::Text, answer(b"", &[0], &[3]), "state 3"),
        (FieldKind::Text, answer(b"abc", &[range(1, 3)], &[]), "3 bytes from byte 1 of a text of 3"),
        (FieldKind::Text, answer(b"abc", &[range(u32::MAX, u32::MAX)], &[]), "of a text of 3"),
        (FieldKind::Text, answer(b"\xff", &[range(0, 1)], &[]), "not UTF-8"),
        (FieldKind::Text, answer("é".as_bytes(), &[range(0, 1)], &[]), "not UTF-8"),
        (FieldKind::Float, answer(b"", &[f64::NAN.to_bits()], &[]), "finite"),
        (FieldKind::Float, answer(b"", &[f64::INFINITY.to_bits()], &[]), "finite"),
        (FieldKind::Boolean, answer(b"", &[2], &[]), "boolean of 2"),
        (FieldKind::Json, answer(b"{]", &[range(0, 2)], &[]), "not a JSON value"),
        (FieldKind::Json, answer(b"1 2", &[range(0, 3)], &[]), "not a JSON value"),
        (FieldKind::Json, answer(b"", &[range(0, 0)], &[]), "not a JSON value"),
        (FieldKind::Raw, answer(b"x", &[range(0, 1)], &[]), "raw"),
    ];
    for (kind, rows, wanted) in table {
        let sentence = refusal(&[("a", kind)], rows);
        assert!(sentence.contains(wanted), "{sentence}");
    }
    assert!(refusal(&[("b", FieldKind::Integer)], answer(b"", &[1], &[])).contains("b was not declared"));
}

#[test]
fn text_that_is_utf8_only_where_slots_point_is_taken() {
    let (mut batch, _) = projection(&[], &["a"]).extract(raw_batch(["{}"]));
    let answer =
        WrittenRows { text: b"\xffok".to_vec(), slots: vec![Span { start: 1, len: 2 }.slot()], states: vec![] };
    assert_eq!(batch.apply(&[(path("a"), FieldKind::Text)], &[0], &answer).unwrap(), []);
    assert_eq!(&*batch.payload(0), br#"{"a":"ok"}"#);
}

#[test]
fn written_json_is_limited_in_depth_by_where_it_goes() {
    let write = |levels: usize| {
        let (mut batch, _) = projection(&[("a", FieldKind::Json)], &["a.b"]).extract(raw_batch(["{}"]));
        let token = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        batch.apply(&[(path("a.b"), FieldKind::Json)], &[0], &rows(&[vec![Written::Json(token)]])).map(|rejections| {
            assert_eq!(rejections, []);
            projection(&[], &[]).extract(raw_batch([batch.payload(0)])).1
        })
    };
    assert_eq!(write(126), Ok(vec![]));
    assert!(write(127).unwrap_err().contains("nests more than 126"));
}

#[test]
fn answer_is_limited_in_written_bytes_counting_shared_text_for_each_slot() {
    let write = |events: usize| {
        let (mut batch, _) = projection(&[], &["a"]).extract(raw_batch(vec!["{}"; events]));
        let indices: Vec<u32> = (0..events as u32).collect();
        let text = vec![b'x'; WRITTEN_BYTES_MAX / 4];
        let slots = vec![Span { start: 0, len: text.len() as u32 }.slot(); events];
        batch.apply(&[(path("a"), FieldKind::Text)], &indices, &WrittenRows { text, slots, states: vec![] })
    };
    assert_eq!(write(4), Ok(vec![]));
    assert!(write(5).unwrap_err().contains("passes the limit"));
}
