use std::collections::BTreeSet;
use std::sync::Arc;

use wasmill_core::{EventTime, Lookup, PartitionId, ProjectionBuilder, RawBatch};

use super::*;

fn field(path: &str, kind: FieldKind) -> Field {
    Field { path: Some(path.parse().unwrap()), kind, required: false, lookup: None }
}

fn reads() -> Vec<Field> {
    let lookup = Some(Lookup::ReverseDns);
    vec![
        field("id", FieldKind::Text),
        field("a.b.n", FieldKind::Integer),
        field("a.b", FieldKind::Json),
        Field { lookup, ..field("ip", FieldKind::Text) },
        field("ok", FieldKind::Boolean),
    ]
}

fn raw() -> Field {
    Field { path: None, ..field("raw", FieldKind::Raw) }
}

/// The codes with which the host refuses events before any plugin.
fn refused(events: &[Hostile]) -> Vec<Option<String>> {
    let part = || "p".to_owned();
    let partition = PartitionId { source: part(), cluster: part(), topic: part(), topic_id: part(), partition: 0 };
    let mut raw = RawBatch::new(Arc::new(partition), 0);
    for (n, event) in events.iter().enumerate() {
        raw.push(n as i64, event.timestamp_ns, None, event.payload.as_deref(), []);
    }
    let mut codes = vec![None; events.len()];
    let projection = ProjectionBuilder::new(EventTime::Record, EVENT_BYTES_MAX).build();
    for rejection in projection.extract(raw).1 {
        codes[rejection.event as usize] = Some(rejection.code.into_owned());
    }
    codes
}

#[test]
fn the_host_refuses_those_with_a_code_by_it_and_no_other() {
    for reads in [reads(), vec![raw()], Vec::new()] {
        let events = events(&reads);
        for (event, code) in events.iter().zip(refused(&events)) {
            assert_eq!(code.as_deref(), event.code, "{}", event.what);
        }
    }
}

#[test]
fn every_code_of_a_payload_is_among_them() {
    let events = events(&reads());
    let codes: BTreeSet<&str> = events.iter().filter_map(|event| event.code).collect();
    let all = [
        "bad_utf8",
        "empty",
        "lone_surrogate",
        "not_an_object",
        "not_json",
        "tombstone",
        "too_deep",
        "too_large",
        "truncated",
    ];
    assert_eq!(codes, BTreeSet::from(all));
}

#[test]
fn each_field_and_what_is_above_it_is_absent_null_and_of_every_type_once() {
    let events = events(&reads());
    let with = |what: &str| {
        let mut found = events.iter().filter(|event| event.what == what);
        let event = found.next().unwrap_or_else(|| panic!("no event is called {what}"));
        assert!(found.next().is_none(), "{what} is there twice");
        String::from_utf8(event.payload.clone().unwrap()).unwrap()
    };
    let rest = r#""id":"text","ip":"192.0.2.7","ok":true"#;
    assert_eq!(with("a.b.n: absent"), format!(r#"{{{rest},"a":{{"b":{{}}}}}}"#));
    assert_eq!(with("a.b.n: 9223372036854775808"), format!(r#"{{{rest},"a":{{"b":{{"n":9223372036854775808}}}}}}"#));
    assert_eq!(with("a.b.n: null, then 7"), format!(r#"{{{rest},"a":{{"b":{{"n":null,"n":7}}}}}}"#));
    assert_eq!(with("a: []"), format!(r#"{{{rest},"a":[]}}"#));
}

#[test]
fn members_of_a_sample_are_fields_of_whoever_reads_whole_payloads() {
    let events = events_like(&[raw()], &json!({ "a": { "b": 1 } }));
    for what in ["a: absent", "a: null", "a.b: null", "a.b: 1e309", "a.b: 1, then null"] {
        assert_eq!(events.iter().filter(|event| event.what == what).count(), 1, "{what}");
    }
}

#[test]
fn what_is_read_often_or_by_many_fields_stays_small() {
    let many: Vec<Field> = (0..256).map(|n| field(&format!("field_{n}"), FieldKind::Text)).collect();
    let events = events(&many);
    let bytes: usize = events.iter().filter_map(|event| event.payload.as_ref()).map(Vec::len).sum();
    assert!(bytes < 64 << 20, "{bytes} bytes in {} events", events.len());
}

#[test]
fn the_list_is_the_same_each_time() {
    assert_eq!(events(&reads()), events(&reads()));
}
