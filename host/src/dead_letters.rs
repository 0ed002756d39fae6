//! Dead letters as JSON lines: what a file destination gets.
//!
//! `{"origin":{"source","cluster","topic","topic_id","partition","offset","timestamp"},"stage","plugin","plugin_version","digest","sink","code",
//! "reason","time","attempts","key"|"key_base64","payload"|"payload_base64","headers":[{"name","value"|"value_base64"}]}`. Bytes that are UTF-8 stand as
//! text, others as base64; a tombstone has neither payload.

use std::str;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value, json};
use wasmill_core::{Digest, PartitionId, PluginRef, Stage};
use wasmill_expr::time::{TimeError, format_rfc3339, format_rfc3339_micros, parse_rfc3339, parse_rfc3339_micros};

use crate::delivery::{DeadLetter, Headers};
use crate::origin::is_offset;
use crate::store::StoredDeadLetter;

/// The letter, rejected at `time_us` (microseconds since 1970), as one line.
pub fn line(partition: &PartitionId, letter: &DeadLetter, time_us: i64) -> Vec<u8> {
    let mut line = to_json(partition, letter, time_us).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// The letter as a JSON object. It was tried once: replays make letters of their own.
pub fn to_json(partition: &PartitionId, letter: &DeadLetter, time_us: i64) -> Value {
    let mut object = Map::new();
    object.insert(
        "origin".to_owned(),
        json!({
            "source": partition.source,
            "cluster": partition.cluster,
            "topic": partition.topic,
            "topic_id": partition.topic_id,
            "partition": partition.partition,
            "offset": letter.offset,
            "timestamp": format_rfc3339(letter.timestamp_ns).to_string(),
        }),
    );
    object.insert("stage".to_owned(), json!(letter.stage));
    let plugin = letter.plugin.as_deref();
    object.insert("plugin".to_owned(), json!(plugin.map(|plugin| &plugin.name)));
    object.insert("plugin_version".to_owned(), json!(plugin.map(|plugin| &plugin.version)));
    object.insert("digest".to_owned(), json!(plugin.map(|plugin| plugin.digest)));
    object.insert("sink".to_owned(), json!(letter.sink.as_deref()));
    object.insert("code".to_owned(), json!(letter.code));
    object.insert("reason".to_owned(), json!(letter.reason));
    object.insert("time".to_owned(), json!(format_rfc3339_micros(time_us).as_str()));
    object.insert("attempts".to_owned(), json!(1));
    insert_bytes(&mut object, "key", letter.key.as_deref());
    insert_bytes(&mut object, "payload", letter.payload.as_deref());
    object.insert("headers".to_owned(), headers_to_json(&letter.headers));
    Value::Object(object)
}

/// Headers as a list of `{"name", "value"|"value_base64"}`; a null value has neither.
pub fn headers_to_json(headers: &[(Vec<u8>, Option<Vec<u8>>)]) -> Value {
    let to_json = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), Value::from(String::from_utf8_lossy(name)));
        insert_bytes(&mut header, "value", value.as_deref());
        Value::Object(header)
    };
    headers.iter().map(to_json).collect()
}

/// What [`headers_to_json`] made.
///
/// # Errors
/// When the text is something else.
pub fn headers_from_json(text: &str) -> Result<Headers, serde_json::Error> {
    let headers: Vec<StoredHeader> = serde_json::from_str(text)?;
    headers.into_iter().map(StoredHeader::read).collect()
}

#[derive(Deserialize)]
struct StoredHeader {
    name: String,
    value: Option<String>,
    value_base64: Option<String>,
}

/// A line as [`line()`] made it, perhaps before it had the cluster and the id of its topic. Its id is 0.
///
/// # Errors
/// When it is none.
pub fn from_line(line: &[u8]) -> Result<StoredDeadLetter, serde_json::Error> {
    let line: Line = serde_json::from_slice(line)?;
    let Origin { source, cluster, topic, topic_id, partition, offset, timestamp } = line.origin;
    let custom = |error: TimeError| serde_json::Error::custom(error);
    if !is_offset(offset) {
        return Err(serde_json::Error::custom(format!("{offset} is no offset")));
    }
    let plugin = match (line.plugin, line.digest) {
        (Some(name), Some(digest)) => {
            Some(Arc::new(PluginRef { name, version: line.plugin_version.unwrap_or_default(), digest }))
        }
        _ => None,
    };
    let letter = DeadLetter {
        offset,
        timestamp_ns: parse_rfc3339(&timestamp).map_err(custom)?,
        stage: line.stage,
        plugin,
        sink: line.sink.map(Arc::from),
        code: line.code,
        reason: line.reason,
        key: bytes(line.key, line.key_base64)?,
        payload: bytes(line.payload, line.payload_base64)?,
        headers: line.headers.into_iter().map(StoredHeader::read).collect::<Result<_, _>>()?,
    };
    let partition = PartitionId { source, cluster, topic, topic_id, partition };
    let rejected_at_us = parse_rfc3339_micros(&line.time).map_err(custom)?;
    Ok(StoredDeadLetter { id: 0, partition, rejected_at_us, letter })
}

#[derive(Deserialize)]
struct Line {
    origin: Origin,
    stage: Stage,
    plugin: Option<String>,
    plugin_version: Option<String>,
    digest: Option<Digest>,
    sink: Option<String>,
    code: String,
    reason: String,
    time: String,
    key: Option<String>,
    key_base64: Option<String>,
    payload: Option<String>,
    payload_base64: Option<String>,
    headers: Vec<StoredHeader>,
}

#[derive(Deserialize)]
struct Origin {
    source: String,
    #[serde(default)]
    cluster: String,
    topic: String,
    #[serde(default)]
    topic_id: String,
    partition: i32,
    offset: i64,
    timestamp: String,
}

impl StoredHeader {
    fn read(self) -> Result<(Vec<u8>, Option<Vec<u8>>), serde_json::Error> {
        Ok((self.name.into_bytes(), bytes(self.value, self.value_base64)?))
    }
}

/// What [`insert_bytes`] wrote: text, or base64, or nothing.
///
/// # Errors
/// When the base64 is none.
pub fn bytes(text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let decoded = base64.map(|text| STANDARD.decode(text)).transpose().map_err(serde_json::Error::custom)?;
    Ok(text.map(String::into_bytes).or(decoded))
}

/// Puts bytes into an object: as text under `name` where they are UTF-8, else as base64 under `NAME_base64`; nothing for `None`.
pub fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return };
    match str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), Value::from(text)),
        Err(_) => object.insert(format!("{name}_base64"), Value::from(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> StoredDeadLetter {
        let partition = PartitionId {
            source: "kafka".to_owned(),
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
            topic_id: "i".to_owned(),
            partition: 3,
        };
        let letter = DeadLetter {
            offset: 7,
            timestamp_ns: 0,
            stage: Stage::Parse,
            plugin: None,
            sink: None,
            code: "bad_utf8".to_owned(),
            reason: "no".to_owned(),
            key: Some(b"k".to_vec()),
            payload: Some(vec![0xff]),
            headers: vec![(b"h".to_vec(), None), (b"b".to_vec(), Some(vec![0xfe]))],
        };
        StoredDeadLetter { id: 0, partition, rejected_at_us: 1_000_001, letter }
    }

    #[test]
    fn bytes_that_are_no_text_stand_as_base64() {
        let StoredDeadLetter { partition, letter, .. } = stored();
        let json = to_json(&partition, &letter, 0);
        assert_eq!(json["payload_base64"], "/w==");
        assert_eq!(json["payload"], Value::Null);
        assert_eq!(json["key"], "k");
        assert_eq!(json["origin"]["offset"], 7);
    }
    #[test]
    fn line_is_read_as_it_was_written() {
        let plugin = PluginRef { name: "p".to_owned(), version: "1".to_owned(), digest: Digest::of(b"p") };
        let mut stored = stored();
        for plugin in [None, Some(Arc::new(plugin))] {
            stored.letter.plugin = plugin;
            let StoredDeadLetter { partition, letter, rejected_at_us, .. } = &stored;
            assert_eq!(from_line(&line(partition, letter, *rejected_at_us)).unwrap(), stored);
        }
        assert!(from_line(b"{}").is_err() && from_line(b"").is_err());
        for offset in [-1, i64::MAX] {
            stored.letter.offset = offset;
            assert!(from_line(&line(&stored.partition, &stored.letter, 0)).is_err(), "{offset}");
        }
    }

    #[test]
    fn older_line_has_no_cluster_and_no_id_of_its_topic() {
        let StoredDeadLetter { partition, letter, .. } = stored();
        let mut json = to_json(&partition, &letter, 0);
        json["origin"].as_object_mut().unwrap().retain(|name, _| !["cluster", "topic_id"].contains(&name.as_str()));
        let read = from_line(json.to_string().as_bytes()).unwrap().partition;
        assert_eq!((read.cluster.as_str(), read.topic_id.as_str(), read.topic.as_str()), ("", "", "t"));
    }
}
