//! Dead letters as JSON lines: what a file destination gets.
//!
//! `{"origin":{"source","topic","partition","offset","timestamp"},"stage","plugin","plugin_version","digest","sink","code",
//! "reason","time","attempts","key"|"key_base64","payload"|"payload_base64","headers":[{"name","value"|"value_base64"}]}`. Bytes that are UTF-8 stand as
//! text, others as base64; a tombstone has neither payload.

use std::str;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmill_core::PartitionId;
use wasmill_expr::time::{format_rfc3339, format_rfc3339_micros};

use crate::delivery::{DeadLetter, Headers};

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
            "topic": partition.topic,
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
    headers
        .into_iter()
        .map(|StoredHeader { name, value, value_base64 }| {
            let decoded =
                value_base64.map(|text| STANDARD.decode(text)).transpose().map_err(serde::de::Error::custom)?;
            Ok((name.into_bytes(), value.map(String::into_bytes).or(decoded)))
        })
        .collect()
}

#[derive(Deserialize)]
struct StoredHeader {
    name: String,
    value: Option<String>,
    value_base64: Option<String>,
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return };
    match str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), Value::from(text)),
        Err(_) => object.insert(format!("{name}_base64"), Value::from(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use wasmill_core::Stage;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_stand_as_base64() {
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
            headers: vec![(b"h".to_vec(), None)],
        };
        let json = to_json(&partition, &letter, 0);
        assert_eq!(json["payload_base64"], "/w==");
        assert_eq!(json["payload"], Value::Null);
        assert_eq!(json["key"], "k");
        assert_eq!(json["origin"]["offset"], 7);
    }
}
