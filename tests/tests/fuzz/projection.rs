//! Payloads: what is JSON, and what stands in its fields, is what serde_json says.

use std::sync::Arc;

use serde_json::Value;
use wasmill_core::{EventTime, FieldKind, PartitionId, Path, ProjectionBuilder, RawBatch, State};
use wasmill_tests::fuzz::fuzz;

const PATHS: [&str; 5] = ["a", "b", "a.b", "a.b.c", "c.d"];
/// Levels of nesting at which the two do not differ yet.
const DEPTH: usize = 120;

#[test]
fn projection() {
    let paths = PATHS.map(|path| path.parse::<Path>().unwrap());
    let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    let columns: Vec<(usize, FieldKind, &Path)> = paths
        .iter()
        .flat_map(|path| [FieldKind::Json, FieldKind::Text].map(|kind| (kind, path)))
        .map(|(kind, path)| (builder.column(Some(path), kind), kind, path))
        .collect();
    let projection = builder.build();
    let partition = Arc::new(PartitionId {
        source: "stdin".into(),
        cluster: String::new(),
        topic: "fuzz".into(),
        topic_id: String::new(),
        partition: 0,
    });
    fuzz("projection", |input| {
        let mut raw = RawBatch::new(Arc::clone(&partition), 0);
        raw.push(0, 0, None, Some(br#"{"a":"before"}"#), []);
        raw.push(1, 0, None, Some(input), []);
        raw.push(2, 0, None, Some(br#"{"b":"after"}"#), []);
        let (batch, rejections) = projection.extract(raw);
        let is_taken = batch.live.contains(&1);
        assert!(batch.live.contains(&0) && batch.live.contains(&2) && rejections.len() == usize::from(!is_taken));
        let Some(root) = parsed(input) else { return "they differ, as they may".into() };
        assert_eq!(is_taken, root.as_ref().is_some_and(Value::is_object), "whether it is taken");
        let Some(root) = root.filter(|_| is_taken) else { return rejections[0].reason.clone() };
        for (column, kind, path) in &columns {
            let (state, slot) = batch.cell(1, *column);
            let text = || std::str::from_utf8(batch.text_of(slot)).unwrap();
            let value = path.keys().iter().try_fold(&root, |value, key| value.as_object()?.get(key));
            match (state.state(), kind, value) {
                (State::Absent, _, None) | (State::Null, _, Some(Value::Null)) => {}
                (State::Present, FieldKind::Text, Some(Value::String(wanted))) => assert_eq!(text(), wanted),
                (State::Present, FieldKind::Json, Some(wanted)) => {
                    assert_eq!(&serde_json::from_str::<Value>(text()).unwrap(), wanted);
                }
                (State::OtherType, FieldKind::Text, Some(wanted)) => assert!(!wanted.is_string()),
                other => panic!("{path}: {other:?}"),
            }
        }
        columns.iter().map(|(column, ..)| format!("{:?}", batch.cell(1, *column).0)).collect()
    });
}

/// What serde_json says; `None` where the two may differ: at depths, and at numbers beyond the floats.
fn parsed(input: &[u8]) -> Option<Option<Value>> {
    let depth = input.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    match serde_json::from_slice(input) {
        _ if depth > DEPTH => None,
        Ok(value) => Some(Some(value)),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(None),
    }
}
