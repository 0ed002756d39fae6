//! Dead letters as messages: the original key, value and headers, and what happened in headers of our own behind them.
//!
//! | header | value |
//! |---|---|
//! | `wasmill-dead-letter-id` | the same when a letter comes again |
//! | `wasmill-origin` | `cluster/topic/topic-id/partition/offset` of the event |
//! | `wasmill-timestamp` | the event's own time |
//! | `wasmill-stage`, `wasmill-code`, `wasmill-reason` | where and why it left the stream |
//! | `wasmill-plugin`, `wasmill-plugin-version`, `wasmill-plugin-digest` | by which plugin, where it was one |
//! | `wasmill-sink` | by which sink, where it was one |
//! | `wasmill-rejected-at` | when |
//! | `wasmill-omitted` | what had to be left out, where the letter is larger than its topic takes |

use std::sync::Arc;

use wasmill_core::{HeaderRef, PartitionId, PluginRef, RawBatch};
use wasmill_expr::time::{format_rfc3339, format_rfc3339_micros, parse_rfc3339, parse_rfc3339_micros};

use super::encoder::ORIGIN;
use super::frame;
use crate::delivery::DeadLetter;
use crate::origin::{Origin, letter_id};
use crate::store::StoredDeadLetter;

/// The first header of our own.
const ID: &str = "wasmill-dead-letter-id";

/// The message of a letter that was rejected at `time_us` (microseconds since 1970). Where its topic takes at most `limit` bytes and the
/// letter has more, its value is left out, and if need be its key and headers.
pub(super) fn message(partition: &PartitionId, letter: &DeadLetter, time_us: i64, limit: usize) -> Vec<u8> {
    let mut origin = Origin::of(partition);
    let context = context(origin.at(letter.offset), letter, time_us);
    let whole = row(letter, Kept::Whole, &context);
    if fits(&whole, limit) {
        return whole;
    }
    let without_value = row(letter, Kept::WithoutValue, &context);
    if fits(&without_value, limit) { without_value } else { row(letter, Kept::ContextAlone, &context) }
}

/// What a message has of its letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Whole,
    WithoutValue,
    ContextAlone,
}

impl Kept {
    fn omitted(self) -> Option<&'static [u8]> {
        match self {
            Self::Whole => None,
            Self::WithoutValue => Some(b"value"),
            Self::ContextAlone => Some(b"key, value and headers"),
        }
    }
}

/// The letter that event `index` of a batch was made of by [`message`], of a pipeline whose events come from `source`. Its id is 0. What was
/// left out is absent.
///
/// # Errors
/// A sentence: the message is none.
pub(in crate::kafka) fn read(source: &str, batch: &RawBatch, index: usize) -> Result<StoredDeadLetter, String> {
    let headers = batch.headers(index);
    // The event's own may have the same names: ours stand behind them.
    let first = headers.iter().rposition(|(name, _)| *name == ID.as_bytes());
    let (own, context) = headers.split_at(first.ok_or_else(|| format!("it has no header `{ID}`"))?);
    let found = |name: &str| {
        let header = context.iter().find(|(found, _)| *found == name.as_bytes());
        header.and_then(|(_, value)| *value).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let needed = |name: &str| found(name).ok_or_else(|| format!("it has no header `{name}`"));
    let wrong = |name: &str| format!("its header `{name}` cannot be read");
    let origin = needed("wasmill-origin")?;
    let (partition, offset) = Origin::read(source, &origin).ok_or_else(|| wrong("wasmill-origin"))?;
    let stage = serde_json::from_value(needed("wasmill-stage")?.into()).map_err(|_| wrong("wasmill-stage"))?;
    let plugin = match (found("wasmill-plugin"), found("wasmill-plugin-digest")) {
        (Some(name), Some(digest)) => {
            let digest = digest.parse().map_err(|_| wrong("wasmill-plugin-digest"))?;
            let version = found("wasmill-plugin-version").unwrap_or_default();
            Some(Arc::new(PluginRef { name, version, digest }))
        }
        _ => None,
    };
    let timestamp_ns = parse_rfc3339(&needed("wasmill-timestamp")?).map_err(|_| wrong("wasmill-timestamp"))?;
    let rejected_at = parse_rfc3339_micros(&needed("wasmill-rejected-at")?);
    let letter = DeadLetter {
        offset,
        timestamp_ns,
        stage,
        plugin,
        sink: found("wasmill-sink").map(Arc::from),
        code: needed("wasmill-code")?,
        reason: needed("wasmill-reason")?,
        key: batch.key(index).map(<[u8]>::to_vec),
        payload: batch.payload(index).map(<[u8]>::to_vec),
        headers: own.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect(),
    };
    let rejected_at_us = rejected_at.map_err(|_| wrong("wasmill-rejected-at"))?;
    Ok(StoredDeadLetter { id: 0, partition, rejected_at_us, letter })
}

fn row(letter: &DeadLetter, kept: Kept, context: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut headers: Vec<HeaderRef<'_>> = Vec::with_capacity(letter.headers.len() + context.len() + 1);
    let has_key = kept != Kept::ContextAlone;
    if has_key {
        headers.extend(letter.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())));
    }
    headers.extend(context.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_slice()))));
    headers.extend(kept.omitted().map(|what| (b"wasmill-omitted".as_slice(), Some(what))));
    let value = letter.payload.as_deref().filter(|_| kept == Kept::Whole);
    let mut row = Vec::new();
    frame::put(&mut row, 0, letter.key.as_deref().filter(|_| has_key), headers.into_iter(), value);
    row
}

fn fits(row: &[u8], limit: usize) -> bool {
    frame::Frame::read(row).bytes_max() <= limit
}

fn context(origin: &[u8], letter: &DeadLetter, time_us: i64) -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let stage = serde_json::to_value(letter.stage).unwrap_or_default();
    let mut context = vec![
        (ID, text(&letter_id(origin, letter))),
        (str::from_utf8(ORIGIN).expect("it is ASCII"), origin.to_vec()),
        ("wasmill-timestamp", text(format_rfc3339(letter.timestamp_ns).as_str())),
        ("wasmill-stage", text(stage.as_str().unwrap_or_default())),
        ("wasmill-code", text(&letter.code)),
        ("wasmill-reason", text(&letter.reason)),
    ];
    if let Some(plugin) = &letter.plugin {
        context.push(("wasmill-plugin", text(&plugin.name)));
        context.push(("wasmill-plugin-version", text(&plugin.version)));
        context.push(("wasmill-plugin-digest", text(&plugin.digest.to_string())));
    }
    context.extend(letter.sink.as_deref().map(|sink| ("wasmill-sink", text(sink))));
    context.push(("wasmill-rejected-at", text(format_rfc3339_micros(time_us).as_str())));
    context
}

#[cfg(test)]
mod tests {
    use wasmill_core::Stage;

    use super::frame::Frame;
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            offset: 7,
            timestamp_ns: 1_000_000_000,
            stage: Stage::Sink,
            plugin: None,
            sink: Some("rows".into()),
            code: "too_large".to_owned(),
            reason: "a sentence".to_owned(),
            key: Some(b"k".to_vec()),
            payload: Some(vec![b'x'; 1_000]),
            headers: vec![(b"\xff".to_vec(), None)],
        }
    }

    fn partition() -> PartitionId {
        PartitionId {
            source: "kafka".to_owned(),
            cluster: "c".to_owned(),
            topic: "in".to_owned(),
            topic_id: "i+/".to_owned(),
            partition: 3,
        }
    }

    fn headers(row: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = Frame::read(row).headers().into_iter();
        headers.map(|(name, value)| (text(name), text(value.unwrap_or_default()))).collect()
    }

    #[test]
    fn letter_has_the_events_parts_first_and_then_what_happened() {
        let row = message(&partition(), &letter(), 2_000_000, 10_000);
        let frame = Frame::read(&row);
        assert_eq!((frame.key(), frame.value.map(<[u8]>::len)), (Some(b"k".as_slice()), Some(1_000)));
        let mut headers = headers(&row);
        let (name, id) = headers.remove(1);
        assert_eq!((name.as_str(), id.len()), ("wasmill-dead-letter-id", 32));
        let expected = [
            ("\u{fffd}", ""),
            ("wasmill-origin", "c/in/i-_/3/7"),
            ("wasmill-timestamp", "1970-01-01T00:00:01Z"),
            ("wasmill-stage", "sink"),
            ("wasmill-code", "too_large"),
            ("wasmill-reason", "a sentence"),
            ("wasmill-sink", "rows"),
            ("wasmill-rejected-at", "1970-01-01T00:00:02.000000Z"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn id_tells_letters_apart_and_repeats_not() {
        let id = |letter: &DeadLetter, time| headers(&message(&partition(), letter, time, 10_000))[1].1.clone();
        assert_eq!(id(&letter(), 0), id(&letter(), 1));
        for other in [
            DeadLetter { offset: 8, ..letter() },
            DeadLetter { sink: None, ..letter() },
            DeadLetter { code: "bad_topic".to_owned(), ..letter() },
            DeadLetter { payload: None, ..letter() },
        ] {
            assert_ne!(id(&letter(), 0), id(&other, 0));
        }
    }

    #[test]
    fn message_is_read_as_the_letter_it_was_made_of_though_the_event_has_such_headers_too() {
        let plugin =
            PluginRef { name: "p".to_owned(), version: "1".to_owned(), digest: wasmill_core::Digest::of(b"p") };
        let forged = [ID, "wasmill-code"].map(|name| (name.as_bytes().to_vec(), Some(b"forged".to_vec())));
        let letter = DeadLetter { plugin: Some(Arc::new(plugin)), headers: forged.to_vec(), ..letter() };
        let partition = PartitionId { topic_id: "i-_".to_owned(), ..partition() };
        let row = message(&partition, &letter, 2_000_000, 10_000);
        let frame = Frame::read(&row);
        let mut batch = RawBatch::new(Arc::new(partition.clone()), 0);
        batch.push(0, 0, frame.key(), frame.value, frame.headers());
        let expected = StoredDeadLetter { id: 0, partition, rejected_at_us: 2_000_000, letter };
        assert_eq!(read("kafka", &batch, 0), Ok(expected));
        batch.push(1, 0, None, Some(b"{}"), []);
        assert_eq!(read("kafka", &batch, 1), Err(format!("it has no header `{ID}`")));
    }

    #[test]
    fn letter_over_the_limit_comes_without_its_value_and_says_so() {
        let whole = Frame::read(&message(&partition(), &letter(), 0, usize::MAX)).bytes_max();
        let omitted = |limit| {
            let row = message(&partition(), &letter(), 0, limit);
            let (name, what) = headers(&row).pop().expect("there are headers");
            let frame = Frame::read(&row);
            (frame.key().is_some(), frame.value.is_some(), (name == "wasmill-omitted").then_some(what))
        };
        assert_eq!(omitted(whole), (true, true, None));
        assert_eq!(omitted(whole - 1), (true, false, Some("value".to_owned())));
        assert_eq!(omitted(10), (false, false, Some("key, value and headers".to_owned())));
    }
}
