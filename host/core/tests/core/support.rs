//! Batches and random JSON for the other tests.

use std::sync::Arc;

use proptest::prelude::*;
use wasmill_core::{
    Batch, EventTime, FieldKind, PartitionId, Path, Projection, ProjectionBuilder, RawBatch, Rejection,
};

pub(crate) const EVENT_BYTES_MAX: usize = 4 << 20;

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

pub(crate) fn raw_batch<P: AsRef<[u8]>>(payloads: impl IntoIterator<Item = P>) -> RawBatch {
    let partition = PartitionId {
        source: "stdin".into(),
        cluster: String::new(),
        topic: "stdin".into(),
        topic_id: String::new(),
        partition: 0,
    };
    let mut raw = RawBatch::new(Arc::new(partition), 0);
    for (offset, payload) in payloads.into_iter().enumerate() {
        raw.push(offset as i64, 1_000 + offset as i64, None, Some(payload.as_ref()), []);
    }
    raw
}

/// Columns in the order given; a raw column has the path "".
pub(crate) fn projection(columns: &[(&str, FieldKind)], writes: &[&str]) -> Arc<Projection> {
    let mut builder = ProjectionBuilder::new(EventTime::Record, EVENT_BYTES_MAX);
    for (column, kind) in columns {
        let at = (!column.is_empty()).then(|| path(column));
        builder.column(at.as_ref(), *kind);
    }
    writes.iter().for_each(|write| builder.write(&path(write)));
    builder.build()
}

pub(crate) fn extract(columns: &[(&str, FieldKind)], payload: impl AsRef<[u8]>) -> (Batch, Vec<Rejection>) {
    projection(columns, &[]).extract(raw_batch([payload]))
}

/// The code of the only event's rejection, if it was rejected.
pub(crate) fn code_of(payload: impl AsRef<[u8]>) -> Option<String> {
    let (batch, rejections) = extract(&[("a", FieldKind::Json)], payload);
    assert_eq!(batch.live.len() + rejections.len(), 1);
    rejections.first().map(|rejection| rejection.code.to_string())
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")]
}

/// A string's token: some of its characters escaped in one of the ways that JSON has.
pub(crate) fn string_token(text: &str, ways: &[u8]) -> String {
    let mut token = String::from('"');
    for (c, way) in text.chars().zip(ways.iter().chain(std::iter::repeat(&0))) {
        let must = matches!(c, '"' | '\\' | '\0'..='\x1f');
        match (way % 8, c) {
            (1, '"' | '\\' | '/') => token.extend(['\\', c]),
            (2, '\n') => token.push_str("\\n"),
            (3, '\t') => token.push_str("\\t"),
            (1..=3, _) | (_, _) if must || way % 8 == 4 => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    token.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => token.push(c),
        }
    }
    token.push('"');
    token
}

fn any_string() -> impl Strategy<Value = String> {
    let text = prop_oneof![3 => "[a-z\"\\\\/\n\t\u{1}é😀]{0,12}", 1 => "[ -~]{0,90}", 1 => any::<String>()];
    (text, prop::collection::vec(any::<u8>(), 0..24)).prop_map(|(text, ways)| string_token(&text, &ways))
}

fn key() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["", "é", "a.b", "\"", "a_key_that_is_longer_than_sixteen_bytes"]).prop_map(str::to_owned),
    ];
    let ways = prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 0..4)];
    (name, ways).prop_map(|(name, ways)| string_token(&name, &ways))
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        (-100_000i64..100_000).prop_map(|value| value.to_string()),
        prop::sample::select(vec![
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "1.0",
            "1e3",
            "-0.5E-7",
            "123456789012345678901234567890",
            "2.5e+10",
        ])
        .prop_map(str::to_owned),
        (any::<i32>(), 0u32..99_999, -30i32..30).prop_map(|(whole, part, power)| format!("{whole}.{part}e{power}")),
        any_string(),
    ]
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (space(), key(), space(), space(), value, space())
        .prop_map(|(s, key, t, u, value, v)| format!("{s}{key}{t}:{u}{value}{v}"));
    (prop::collection::vec(member, 0..6), space()).prop_map(|(members, space)| {
        if members.is_empty() { format!("{{{space}}}") } else { format!("{{{}}}", members.join(",")) }
    })
}

pub(crate) fn any_value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 48, 6, |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..4), space())
            .prop_map(|(values, space)| format!("[{space}{}{space}]", values.join(&format!("{space},"))));
        prop_oneof![1 => array, 3 => members(inner)]
    })
}

/// The text of a JSON object: few keys, so that duplicates and the wanted paths are frequent.
pub(crate) fn any_object() -> impl Strategy<Value = String> {
    (space(), members(any_value()), space()).prop_map(|(s, object, t)| format!("{s}{object}{t}"))
}
