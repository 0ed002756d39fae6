//! One test per kind of bad payload: its code, its reason, and that no other event suffers.

use wasmill_core::{DEPTH_MAX, EventTime, FieldKind, ProjectionBuilder, Stage};

use crate::support::{code_of, extract, projection, raw_batch};

#[test]
fn each_fault_has_its_code_and_says_where() {
    let table: [(&[u8], &str, &str); 26] = [
        (b"", "empty", "the payload is empty"),
        (b" \n", "empty", "the payload is empty"),
        (b"hello", "not_json", "expected a value at byte 0, found 'h'"),
        (b"{\"a\":1}x", "not_json", "garbage after the object at byte 7"),
        (b"{\"a\":1} {}", "not_json", "garbage after the object at byte 8"),
        (b"{\"a\":1,}", "not_json", "expected a key in double quotes at byte 7, found '}'"),
        (b"{\"a\" 1}", "not_json", "expected ':' at byte 5, found '1'"),
        (b"{\"a\":}", "not_json", "expected a value at byte 5, found '}'"),
        (b"{\"a\":1 \"b\":2}", "not_json", "expected ',' or '}' at byte 7, found '\"'"),
        (b"{\"a\":[1 2]}", "not_json", "expected ',' or ']' at byte 8, found '2'"),
        (b"{\"a\":01}", "not_json", "expected no digit after a leading zero at byte 6, found '1'"),
        (b"{\"a\":1.}", "not_json", "expected a digit at byte 7, found '}'"),
        (b"{\"a\":nul}", "not_json", "expected true, false or null at byte 8, found '}'"),
        (b"{\"a\":\"\\x\"}", "not_json", "after a backslash at byte 7, found 'x'"),
        (b"{\"a\":\"\\u00g0\"}", "not_json", "expected a hexadecimal digit at byte 10, found 'g'"),
        (b"{\"a\":\"\n\"}", "not_json", "the control character 0x0a at byte 6 must be escaped"),
        (b"{\"a\":1}\0", "not_json", "garbage after the object at byte 7"),
        (b"\xef\xbb\xbf{}", "not_json", "byte order mark"),
        (b"{\"a\":\"xyz", "truncated", "it ends after 9 bytes"),
        (b"{\"a\":\"\xc3", "truncated", "it ends after 7 bytes"),
        (b"[1]", "not_an_object", "JSON, but not an object"),
        (b" null", "not_an_object", "JSON, but not an object"),
        (b"{\"a\":\"\xff\"}", "bad_utf8", "not UTF-8 at byte 6"),
        (b"{} \xc3", "bad_utf8", "not UTF-8 at byte 3"),
        (b"{\"a\":\"\\ud800\"}", "lone_surrogate", "the escape at byte 6"),
        (b"{\"\\udc00\":1}", "lone_surrogate", "the escape at byte 2"),
    ];
    for (payload, code, reason) in table {
        let shown = String::from_utf8_lossy(payload);
        let (batch, rejections) = extract(&[("a", FieldKind::Json), ("", FieldKind::Raw)], payload);
        assert!(batch.live.is_empty(), "{shown}");
        assert_eq!(rejections.len(), 1, "{shown}");
        assert_eq!((rejections[0].code.as_ref(), rejections[0].stage), (code, Stage::Parse), "{shown}");
        assert!(rejections[0].reason.contains(reason), "{shown}: {}", rejections[0].reason);
        assert!(batch.text.is_empty(), "{shown}");
    }
}

#[test]
fn tombstone_is_rejected() {
    let mut raw = raw_batch::<&str>([]);
    raw.push(0, 0, Some(b"key"), None, []);
    let (batch, rejections) = projection(&[], &[]).extract(raw);
    assert!(batch.live.is_empty());
    assert_eq!(rejections[0].code, "tombstone");
}

#[test]
fn payload_is_limited_in_bytes() {
    let extract = |payload: &str| ProjectionBuilder::new(EventTime::Record, 10).build().extract(raw_batch([payload])).1;
    assert_eq!(extract(r#"{"a":1   }"#), []);
    let rejections = extract(r#"{"a":1    }"#);
    assert_eq!(rejections[0].code, "too_large");
    assert!(rejections[0].reason.contains("11 bytes"), "{}", rejections[0].reason);
}

#[test]
fn payload_that_its_source_cut_is_too_large() {
    let mut raw = raw_batch(["{}"]);
    raw.mark_cut(5_000_000_000);
    let (batch, rejections) = projection(&[], &[]).extract(raw);
    assert!(batch.live.is_empty());
    assert_eq!(rejections[0].code, "too_large");
    assert!(rejections[0].reason.contains("5000000000 bytes"), "{}", rejections[0].reason);
}

#[test]
fn key_in_an_array_is_not_json_even_where_objects_had_it() {
    let columns = [("a", FieldKind::Json), ("a.b", FieldKind::Integer)];
    let payloads = [r#"{"a":{"x":1,"b":2}}"#, r#"{"a":["x","b":2]}"#, r#"{"a":[1,"b":2]}"#, r#"{"a":{"x":1,"b":3}}"#];
    let (batch, rejections) = projection(&columns, &[]).extract(raw_batch(payloads));
    assert_eq!(batch.live, [0, 3]);
    assert!(rejections.iter().all(|rejection| rejection.code == "not_json"));
}

#[test]
fn brace_is_no_comma_even_before_a_key_that_began_an_earlier_object() {
    let good = [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"a":1}"#];
    let payloads = good.into_iter().chain([r#"{"a":1{"b":2}"#, r#"{"a":1,"b":2}"#]);
    let (batch, rejections) = projection(&[("b", FieldKind::Integer)], &[]).extract(raw_batch(payloads));
    assert_eq!(batch.live, [0, 1, 2, 4]);
    assert_eq!(rejections[0].code, "not_json");
}

fn nested(open: &str, close: &str, inner: &str, levels: usize) -> String {
    format!("{{\"a\":{}{inner}{}}}", open.repeat(levels - 1), close.repeat(levels - 1))
}

#[test]
fn payload_is_limited_in_depth() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let per_level = close.len();
        assert_eq!(code_of(nested(open, close, "1", 1 + (DEPTH_MAX - 1) / per_level)), None);
        assert_eq!(code_of(nested(open, close, "[[]]", 1 + (DEPTH_MAX - 1) / per_level)), Some("too_deep".into()));
    }
    assert_eq!(code_of(nested("[", "]", "1", DEPTH_MAX)), None);
    assert_eq!(code_of(nested("[", "]", "1", DEPTH_MAX + 1)), Some("too_deep".into()));
}

#[test]
fn nesting_of_fifty_thousand_is_too_deep_whether_closed_or_not() {
    for payload in [
        nested("[", "]", "1", 50_000),
        nested(r#"{"a":"#, "}", "1", 50_000),
        "[".repeat(50_000),
        r#"{"a":"#.repeat(50_000),
    ] {
        assert_eq!(code_of(payload), Some("too_deep".into()));
    }
}

#[test]
fn strings_of_a_megabyte_are_read_plain_and_escaped() {
    let plain = "x".repeat(1 << 20);
    let (batch, _) = extract(&[("a", FieldKind::Text)], format!(r#"{{"a":"{plain}"}}"#));
    assert_eq!(batch.text_of(batch.cell(0, 0).1), plain.as_bytes());
    let (batch, _) = extract(&[("a", FieldKind::Text)], format!(r#"{{"a":"{}"}}"#, "\\n".repeat(1 << 20)));
    assert_eq!(batch.text_of(batch.cell(0, 0).1), "\n".repeat(1 << 20).as_bytes());
}

#[test]
fn bad_events_leave_their_neighbours_as_they_are() {
    let good = r#"{"a":{"b":"kept"}}"#;
    let bad = r#"{"a":{"b":"lost"},"x":"#;
    let columns = [("a.b", FieldKind::Text), ("a", FieldKind::Json)];
    let (batch, rejections) = projection(&columns, &["a.c"]).extract(raw_batch([bad, good, bad, good, ""]));
    assert_eq!(batch.live, [1, 3]);
    assert_eq!(rejections.iter().map(|rejection| rejection.event).collect::<Vec<_>>(), [0, 2, 4]);
    for event in [1, 3] {
        assert_eq!(batch.text_of(batch.cell(event, 0).1), b"kept");
        assert_eq!(batch.text_of(batch.cell(event, 1).1), br#"{"b":"kept"}"#);
    }
    assert_eq!(batch.times.len(), 5);
}
