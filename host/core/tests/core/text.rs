//! Lines of text: each is the object of its message.

use proptest::prelude::*;
use serde_json::{Value, json};
use wasmill_core::{Batch, EventTime, FieldKind, Format, ProjectionBuilder, Rejection, WrittenRows};

use crate::support::{config, path, raw_batch};

const LINE_BYTES_MAX: usize = 1_000;

/// The batch of some lines, with the columns `message` and the whole payload; `env` may be written.
fn extract<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> (Batch, Vec<Rejection>) {
    let mut builder = ProjectionBuilder::new(EventTime::Record, LINE_BYTES_MAX);
    builder.format(Format::Text);
    builder.column(Some(&path("message")), FieldKind::Text);
    builder.column(None, FieldKind::Raw);
    builder.write(&path("env"));
    builder.build().extract(raw_batch(lines))
}

fn document(batch: &Batch, event: u32) -> Value {
    serde_json::from_slice(&batch.payload(event)).expect("an object is made of every line")
}

#[test]
fn line_is_the_object_of_its_message_and_stays_as_it_came_beside() {
    let lines =
        ["plain", "", " ", "with \"quotes\" and \\", "a\ttab\u{1b}[31m", "{\"json\":1}", "end\r\n", "\u{feff}ü"];
    let messages = ["plain", "", " ", "with \"quotes\" and \\", "a\ttab\u{1b}[31m", "{\"json\":1}", "end", "\u{feff}ü"];
    let (batch, rejections) = extract(lines);
    assert_eq!(rejections, []);
    for (event, (line, message)) in lines.into_iter().zip(messages).enumerate() {
        assert_eq!(batch.text_of(batch.cell(event as u32, 0).1), message.as_bytes());
        assert_eq!(document(&batch, event as u32), json!({ "message": message }));
        assert_eq!(
            batch.text_of(batch.cell(event as u32, 1).1),
            &*batch.payload(event as u32),
            "a plugin sees the object"
        );
        assert_eq!(batch.raw.payload(event), Some(line.as_bytes()));
    }
}

#[test]
fn what_is_no_text_is_rejected_with_the_byte_and_what_is_too_long_with_both_lengths() {
    let at_the_limit = vec![b'x'; LINE_BYTES_MAX];
    let over = vec![b'x'; LINE_BYTES_MAX + 1];
    let (batch, rejections) = extract([b"good".as_slice(), b"bad \xff", &at_the_limit, &over, b"\xf0\x9f"]);
    assert_eq!(batch.live, [0, 2]);
    let told: Vec<_> = rejections.iter().map(|one| (one.event, &*one.code)).collect();
    assert_eq!(told, [(1, "bad_utf8"), (3, "too_large"), (4, "bad_utf8")]);
    assert!(rejections[0].reason.contains('4'), "{}", rejections[0].reason);
    assert!(
        rejections[1].reason.contains("1001") || rejections[1].reason.contains("1 001"),
        "{}",
        rejections[1].reason
    );
}

#[test]
fn fields_are_written_beside_the_message() {
    let (mut batch, _) = extract(["one", "two"]);
    let rows = WrittenRows { text: b"prod".to_vec(), slots: vec![4, 4], states: Vec::new() };
    let conflicts = batch.apply(&[(path("env"), FieldKind::Text)], &[0, 1], &rows).expect("the answer is in order");
    assert_eq!(conflicts, []);
    assert_eq!(document(&batch, 1), json!({ "message": "two", "env": "prod" }));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_text_comes_through_unchanged(lines in prop::collection::vec("[^\r\n]{0,40}", 1..20)) {
        let (batch, rejections) = extract(&lines);
        prop_assert_eq!(rejections, []);
        for (event, line) in lines.iter().enumerate() {
            prop_assert_eq!(batch.text_of(batch.cell(event as u32, 0).1), line.as_bytes());
            prop_assert_eq!(document(&batch, event as u32), json!({ "message": line }));
        }
    }
}
