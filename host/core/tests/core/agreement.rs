//! Extraction agrees with `serde_json::Value`: on what is JSON, and on every value read.
//!
//! Known differences, all wanted: the root must be an object; 128 nested levels are taken (serde_json: 127); a number
//! beyond the floats' range is JSON here; `-0` is an integer; floats are rounded correctly.

use proptest::prelude::*;
use serde_json::Value;
use wasmill_core::{Batch, FieldKind, JsonType, Path, State};

use crate::support::{any_object, config, projection, raw_batch};

const PATHS: [&str; 9] =
    ["a", "b", "a.b", "a.b.c", "b.a", "c.d", "é", r"a\.b", "a_key_that_is_longer_than_sixteen_bytes"];
const KINDS: [FieldKind; 5] =
    [FieldKind::Text, FieldKind::Integer, FieldKind::Float, FieldKind::Boolean, FieldKind::Json];

pub(crate) fn all_columns() -> Vec<(&'static str, FieldKind)> {
    PATHS.iter().flat_map(|path| KINDS.map(|kind| (*path, kind))).chain([("", FieldKind::Raw)]).collect()
}

fn find<'v>(root: &'v Value, path: &Path) -> Option<&'v Value> {
    path.keys().iter().try_fold(root, |value, key| value.as_object()?.get(key))
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= a.abs() * 1e-15
}

fn check_cell(batch: &Batch, event: u32, column: usize, value: Option<&Value>) {
    let (state, slot) = batch.cell(event, column);
    let kind = batch.projection.columns()[column].kind;
    let text = || std::str::from_utf8(batch.text_of(slot)).expect("text is UTF-8");
    let wanted_type = match value {
        None | Some(Value::Null) => JsonType::Null,
        Some(Value::Bool(_)) => JsonType::Boolean,
        Some(Value::Number(number)) if number.is_i64() => JsonType::Integer,
        // What serde_json reads from the token -0 as well as from -0.0.
        Some(Value::Number(number)) if number.as_f64() == Some(-0.0) => state.json_type(),
        Some(Value::Number(_)) => JsonType::Float,
        Some(Value::String(_)) => JsonType::String,
        Some(Value::Array(_)) => JsonType::Array,
        Some(Value::Object(_)) => JsonType::Object,
    };
    assert_eq!(state.json_type(), wanted_type);
    match (state.state(), kind, value) {
        (State::Absent, _, None) | (State::Null, _, Some(Value::Null)) => {}
        (State::Present, FieldKind::Text, Some(Value::String(wanted))) => assert_eq!(text(), wanted),
        (State::Present, FieldKind::Integer, Some(Value::Number(wanted))) => {
            assert!(wanted.as_i64() == Some(slot as i64) || (slot == 0 && wanted.as_f64() == Some(0.0)));
        }
        (State::Present, FieldKind::Float, Some(Value::Number(wanted))) => {
            assert!(close(f64::from_bits(slot), wanted.as_f64().expect("a float")), "{wanted}");
        }
        (State::Present, FieldKind::Boolean, Some(Value::Bool(wanted))) => assert_eq!(slot, u64::from(*wanted)),
        (State::Present, FieldKind::Json, Some(wanted)) => {
            assert_eq!(&serde_json::from_str::<Value>(text()).expect("a token"), wanted);
        }
        (
            State::OtherType,
            FieldKind::Text | FieldKind::Integer | FieldKind::Float | FieldKind::Boolean,
            Some(wanted),
        ) => {
            match wanted {
                Value::String(wanted) => assert_eq!(text(), wanted),
                wanted => assert_eq!(&serde_json::from_str::<Value>(text()).expect("a token"), wanted),
            }
            let own = match kind {
                FieldKind::Text => wanted.is_string(),
                FieldKind::Integer => wanted.is_i64(),
                FieldKind::Float => wanted.is_number(),
                _ => wanted.is_boolean(),
            };
            assert!(!own, "{kind:?} of {wanted} is of another type");
        }
        other => panic!("{other:?}"),
    }
}

/// Every cell of an event says what the parsed payload says.
pub(crate) fn check_event(batch: &Batch, event: u32, payload: &[u8]) {
    check_columns(batch, event, &serde_json::from_slice(payload).expect("live events are JSON"));
}

/// Every cell of an event says what `root` says; raw columns are the source's bytes.
pub(crate) fn check_columns(batch: &Batch, event: u32, root: &Value) {
    for (index, column) in batch.projection.columns().iter().enumerate() {
        match &column.path {
            Some(path) => check_cell(batch, event, index, find(root, path)),
            None => assert_eq!(batch.text_of(batch.cell(event, index).1), batch.raw.payload(event as usize).unwrap()),
        }
    }
}

/// Whether serde_json takes it as an object; `None` where it stops at a number beyond the floats' range.
fn is_object(payload: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<Value>(payload) {
        Ok(value) => Some(value.is_object()),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(false),
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = || prop_oneof![prop::sample::select(b"{}[]\",:\\u0019.eE+-tfn \n\0d".to_vec()), any::<u8>()];
    prop_oneof![
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Mutation::Remove),
        any::<prop::sample::Index>().prop_map(Mutation::Cut),
        any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            break;
        }
        let place = |index: &prop::sample::Index| index.index(bytes.len());
        match mutation {
            Mutation::Replace(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Mutation::Insert(at, byte) => bytes.insert(place(at), *byte),
            Mutation::Remove(at) => drop(bytes.remove(place(at))),
            Mutation::Cut(at) => bytes.truncate(place(at)),
            Mutation::Repeat(from, to) => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_cell_says_what_the_parsed_payload_says(payloads in prop::collection::vec(any_object(), 1..6)) {
        let (batch, rejections) = projection(&all_columns(), &[]).extract(raw_batch(&payloads));
        prop_assert_eq!(rejections, vec![]);
        for (event, payload) in payloads.iter().enumerate() {
            check_event(&batch, event as u32, payload.as_bytes());
        }
    }

    #[test]
    fn every_cell_says_so_whatever_else_is_wanted_and_however_often_its_like_came(
        columns in prop::sample::subsequence(all_columns(), 1..=24),
        payloads in prop::collection::vec(any_object(), 1..4),
    ) {
        let payloads = [&payloads[..], &payloads[..]].concat();
        let (batch, rejections) = projection(&columns, &[]).extract(raw_batch(&payloads));
        prop_assert_eq!(rejections, vec![]);
        for (event, payload) in payloads.iter().enumerate() {
            check_event(&batch, event as u32, payload.as_bytes());
        }
    }

    #[test]
    fn broken_payloads_are_refused_alike_and_never_disturb_their_neighbours(
        payloads in prop::collection::vec((any_object(), prop::collection::vec(mutation(), 0..4)), 1..6),
    ) {
        let payloads = payloads.into_iter().map(|(payload, mutations)| mutate(payload.into_bytes(), &mutations));
        let payloads: Vec<_> = payloads.filter(|payload| is_object(payload).is_some()).collect();
        let (batch, rejections) = projection(&all_columns(), &[]).extract(raw_batch(&payloads));
        let good = |event: &u32| is_object(&payloads[*event as usize]) == Some(true);
        let (live, gone): (Vec<u32>, Vec<u32>) = (0..payloads.len() as u32).partition(good);
        prop_assert_eq!(&batch.live, &live);
        prop_assert_eq!(rejections.iter().map(|rejection| rejection.event).collect::<Vec<_>>(), gone.clone());
        for event in live {
            check_event(&batch, event, &payloads[event as usize]);
        }
        for event in gone {
            for column in 0..batch.columns() {
                prop_assert_eq!(batch.cell(event, column).0.state(), State::Absent);
            }
        }
    }

    #[test]
    fn random_bytes_are_refused_alike(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let (batch, _) = projection(&all_columns(), &[]).extract(raw_batch([&payload]));
        prop_assert_eq!(Some(!batch.live.is_empty()), is_object(&payload));
    }

    #[test]
    fn every_beginning_of_an_object_is_truncated(payload in any_object()) {
        let payload = payload.trim();
        for length in 1..payload.len() {
            let (batch, rejections) = projection(&all_columns(), &[]).extract(raw_batch([&payload.as_bytes()[..length]]));
            prop_assert!(batch.live.is_empty());
            prop_assert_eq!(&rejections[0].code, "truncated", "{:?}", &payload.as_bytes()[..length]);
        }
    }
}
