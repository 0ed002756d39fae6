//! Messages from a batch, on the engine thread: topic, key, headers, and the payload after enrichment.

use std::collections::HashMap;
use std::str;
use std::sync::Arc;

use wasmill_core::{Batch, FieldKind, JsonType, Path, ProjectionBuilder, Rejection, State};

use super::{BAD_TOPIC, TOO_LARGE, frame};
use crate::config::{From, KafkaSinkConfig, TopicConfig, TopicPart};
use crate::delivery::Rows;
use crate::origin::Origin;
use crate::process::refusal;

/// The header that tells which event a message came from.
pub(super) const ORIGIN: &[u8] = b"wasmill-origin";
/// The header that tells which plugins an event passed by, because their breakers were open: their names, with commas between them.
pub(super) const SKIPPED: &[u8] = b"wasmill-skipped";
/// The header that tells which alert a message is.
const ALERT_ID: &[u8] = b"wasmill-alert-id";
/// Messages after which the size of a batch is known well enough.
const SAMPLE: usize = 64;
/// The most characters of a topic that a sentence shows.
const SHOWN_CHARS_MAX: usize = 100;

/// Makes messages.
#[derive(Debug)]
pub struct MessageEncoder {
    /// By index: name and limit.
    topics: Vec<(String, usize)>,
    choice: Choice,
    /// The key's column; `None`: the event's own key.
    key: Option<usize>,
    /// Of alerts: the column of their id.
    alert_id: Option<usize>,
}

/// How an event's topic is found.
#[derive(Debug)]
enum Choice {
    Fixed,
    Template { parts: Vec<Part>, indices: HashMap<Vec<u8>, u16> },
}

#[derive(Debug)]
enum Part {
    Text(String),
    Column { path: Path, column: usize },
}

/// Why an event leaves: code and sentence.
type Refusal = (&'static str, String);

impl MessageEncoder {
    /// Asks `projection` for the fields that `config` needs. `limits` are the most bytes of a message, by topic.
    pub fn bind(config: &KafkaSinkConfig, from: From, limits: &[usize], projection: &mut ProjectionBuilder) -> Self {
        let mut column = |path: &Path| projection.column(Some(path), FieldKind::Text);
        let alert_id = (from == From::Alerts).then(|| column(&"id".parse().expect("a plain key is a path")));
        let choice = match &config.topic {
            TopicConfig::Fixed => Choice::Fixed,
            TopicConfig::Template(parts) => Choice::Template {
                parts: parts
                    .iter()
                    .map(|part| match part {
                        TopicPart::Text(text) => Part::Text(text.clone()),
                        TopicPart::Field(path) => Part::Column { path: path.clone(), column: column(path) },
                    })
                    .collect(),
                indices: config.output.topics.iter().zip(0..).map(|(topic, n)| (topic.clone().into(), n)).collect(),
            },
        };
        let topics = config.output.topics.iter().cloned().zip(limits.iter().copied()).collect();
        Self { topics, choice, key: config.key.as_ref().map(column), alert_id }
    }

    /// A message for each of `events` that its topic takes; with them the events that none takes.
    pub fn encode(&self, batch: &Batch, events: &[u32], sink: &Arc<str>) -> (Rows, Vec<Rejection>) {
        let (mut rows, mut refused) = (Rows::default(), Vec::new());
        let mut origin = Origin::of(batch.raw.partition());
        let mut topic = Vec::new();
        for (n, event) in events.iter().enumerate() {
            let start = rows.bytes.len();
            if n == SAMPLE {
                // The rest is about as large: to grow by doubling would copy it all again.
                rows.bytes.reserve(start / SAMPLE * (events.len() - SAMPLE) / 8 * 9);
            }
            match self.append(batch, *event, &mut origin, &mut topic, &mut rows.bytes) {
                Ok(()) => rows.finish_row(*event),
                Err((code, reason)) => {
                    rows.bytes.truncate(start);
                    refused.push(refusal(*event, sink, code, reason));
                }
            }
        }
        (rows, refused)
    }

    fn append(
        &self,
        batch: &Batch,
        event: u32,
        origin: &mut Origin,
        scratch: &mut Vec<u8>,
        row: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let index = event as usize;
        let start = row.len();
        let topic = self.topic(batch, event, scratch)?;
        let key = match self.key {
            None => batch.raw.key(index),
            Some(column) => text(batch, event, column).map(|(text, _)| text),
        };
        frame::begin(row);
        batch.payload_into(event, row);
        let origin = (ORIGIN, Some(origin.at(batch.raw.records()[index].offset)));
        let alert_id = self.alert_id.map(|column| (ALERT_ID, text(batch, event, column).map(|(text, _)| text)));
        let skipped: Vec<&str> = batch.skipped_by(event).map(|plugin| plugin.name.as_str()).collect();
        let skipped = skipped.join(",");
        let mark = (!skipped.is_empty()).then_some((SKIPPED, Some(skipped.as_bytes())));
        let mut headers = batch.raw.headers(index);
        headers.extend([origin].into_iter().chain(alert_id).chain(mark));
        frame::finish(row, start, topic, true, key, headers.into_iter());
        let bytes = frame::bytes_max(row.len() - start);
        let (name, limit) = &self.topics[usize::from(topic)];
        if bytes > *limit {
            let reason = format!("the message has up to {bytes} bytes, and the topic `{name}` takes {limit}");
            return Err((TOO_LARGE, reason));
        }
        Ok(())
    }

    fn topic(&self, batch: &Batch, event: u32, name: &mut Vec<u8>) -> Result<u16, Refusal> {
        let Choice::Template { parts, indices } = &self.choice else { return Ok(0) };
        name.clear();
        for part in parts {
            match part {
                Part::Text(text) => name.extend_from_slice(text.as_bytes()),
                Part::Column { path, column } => name.extend_from_slice(part_of_topic(batch, event, path, *column)?),
            }
        }
        indices.get(name.as_slice()).copied().ok_or_else(|| {
            let shown: String =
                String::from_utf8_lossy(name).chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
            (BAD_TOPIC, format!("the event belongs to the topic \"{shown}\", which is not one of `topics`"))
        })
    }
}

fn part_of_topic<'b>(batch: &'b Batch, event: u32, path: &Path, column: usize) -> Result<&'b [u8], Refusal> {
    match text(batch, event, column) {
        Some((text, JsonType::String | JsonType::Integer | JsonType::Float)) => Ok(text),
        Some(_) => {
            Err((BAD_TOPIC, format!("the field `{path}`, of which the topic is made, is neither text nor a number")))
        }
        None => Err((BAD_TOPIC, format!("the field `{path}`, of which the topic is made, has no value"))),
    }
}

/// A field's value, if it has one: a string's text, or the token of anything else.
fn text(batch: &Batch, event: u32, column: usize) -> Option<(&[u8], JsonType)> {
    let (state, slot) = batch.cell(event, column);
    let has_value = matches!(state.state(), State::Present | State::OtherType);
    has_value.then(|| (batch.text_of(slot), state.json_type()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wasmill_core::{EventTime, PartitionId, RawBatch};

    use super::*;
    use crate::config::{Compression, KafkaOutput};
    use crate::kafka::sink::frame::Frame;

    const LIMIT: usize = 400;

    fn config(topics: &[&str], topic: TopicConfig, key: Option<&str>) -> KafkaSinkConfig {
        let output = KafkaOutput::new(
            "h".to_owned(),
            topics.iter().map(|topic| (*topic).to_owned()).collect(),
            Compression::None,
            BTreeMap::new(),
        )
        .unwrap();
        KafkaSinkConfig { output, topic, key: key.map(|path| path.parse().unwrap()) }
    }

    fn encode(config: &KafkaSinkConfig, from: From, payloads: &[String]) -> (Rows, Vec<Rejection>) {
        let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        let limits = vec![LIMIT; config.output.topics.len()];
        let encoder = MessageEncoder::bind(config, from, &limits, &mut builder);
        let partition = PartitionId {
            source: "kafka".to_owned(),
            cluster: "c".to_owned(),
            topic: "in".to_owned(),
            topic_id: "i+/".to_owned(),
            partition: 3,
        };
        let mut raw = RawBatch::new(Arc::new(partition), 7);
        for (offset, payload) in (7..).zip(payloads) {
            let headers = [(b"h".as_slice(), None), (b"\xff".as_slice(), Some(b"1".as_slice()))];
            raw.push(offset, 0, Some(b"k"), Some(payload.as_bytes()), headers);
        }
        let (batch, rejections) = builder.build().extract(raw);
        assert!(rejections.is_empty());
        encoder.encode(&batch, &batch.live, &"out".into())
    }

    fn template() -> TopicConfig {
        TopicConfig::Template(vec![TopicPart::Text("logs-".to_owned()), TopicPart::Field("env".parse().unwrap())])
    }

    #[test]
    fn message_has_key_headers_origin_and_payload() {
        let (rows, refused) =
            encode(&config(&["t"], TopicConfig::Fixed, None), From::Events, &["{\"a\":1}".to_owned()]);
        assert!(refused.is_empty());
        let frame = Frame::read(rows.row(0));
        let headers = frame.headers();
        assert_eq!(frame.value, Some(b"{\"a\":1}".as_slice()));
        assert_eq!((frame.topic, frame.key()), (0, Some(b"k".as_slice())));
        let origin: &[u8] = b"c/in/i-_/3/7";
        assert_eq!(
            headers,
            [(b"h".as_slice(), None), (b"\xff".as_slice(), Some(b"1".as_slice())), (ORIGIN, Some(origin))]
        );
    }

    #[test]
    fn key_is_the_fields_text_or_token_and_null_without_a_value() {
        let payloads = ["{\"s\":\"a\\\"b\"}", "{\"s\":1.50}", "{\"s\":null}", "{}"].map(str::to_owned);
        let (rows, _) = encode(&config(&["t"], TopicConfig::Fixed, Some("s")), From::Events, &payloads);
        let keys: Vec<_> = (0..4).map(|row| Frame::read(rows.row(row)).key()).collect();
        assert_eq!(keys, [Some(b"a\"b".as_slice()), Some(b"1.50"), None, None]);
    }

    #[test]
    fn alert_has_its_id() {
        let payload = ["{\"id\":\"0a\"}".to_owned()];
        let (rows, _) = encode(&config(&["t"], TopicConfig::Fixed, None), From::Alerts, &payload);
        let headers = Frame::read(rows.row(0)).headers();
        assert_eq!(headers.last(), Some(&(ALERT_ID, Some(b"0a".as_slice()))));
    }

    #[test]
    fn template_chooses_among_the_topics_and_nothing_else() {
        let payloads =
            ["{\"env\":\"b\"}", "{\"env\":1}", "{\"env\":\"c\\n\"}", "{\"env\":[1]}", "{\"env\":null}", "{}"];
        let config = config(&["logs-1", "logs-b"], template(), None);
        let (rows, refused) = encode(&config, From::Events, &payloads.map(str::to_owned));
        assert_eq!((0..rows.len()).map(|row| Frame::read(rows.row(row)).topic).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(
            refused.iter().map(|r| (r.event, &*r.code)).collect::<Vec<_>>(),
            [(2, BAD_TOPIC), (3, BAD_TOPIC), (4, BAD_TOPIC), (5, BAD_TOPIC)]
        );
        assert!(refused[0].reason.contains("\"logs-c\\n\""), "{}", refused[0].reason);
        assert!(refused[1].reason.contains("neither text nor a number"), "{}", refused[1].reason);
        assert!(refused[2].reason.contains("has no value"), "{}", refused[2].reason);
    }

    #[test]
    fn message_at_its_topics_limit_is_taken_and_one_byte_more_is_refused() {
        let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        // 78 that Kafka adds; the key; the number of headers; h, a byte and its value, the origin; a length before each part.
        let fitting = LIMIT - 78 - 2 - 1 - 3 - 4 - (1 + 14 + 1 + 12);
        let (rows, refused) =
            encode(&config(&["t"], TopicConfig::Fixed, None), From::Events, &[of(fitting), of(fitting + 1), of(9)]);
        assert_eq!((rows.events.as_slice(), refused.len()), ([0, 2].as_slice(), 1));
        assert_eq!(Frame::read(rows.row(0)).bytes_max(), LIMIT);
        assert_eq!((refused[0].event, &*refused[0].code), (1, TOO_LARGE));
        assert!(
            refused[0].reason.contains("401 bytes") && refused[0].reason.contains("takes 400"),
            "{}",
            refused[0].reason
        );
    }
}
