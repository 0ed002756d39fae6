//! Dead letters: whatever bytes a rejected event has come out of its letter as they went in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wasmill::dead_letters::{from_line, headers_from_json, headers_to_json, line};
use wasmill::delivery::DeadLetter;
use wasmill_core::{PartitionId, Stage};
use wasmill_tests::fuzz::fuzz;

#[test]
fn dead_letters() {
    let partition = PartitionId {
        source: "kafka".into(),
        cluster: "c".into(),
        topic: "t".into(),
        topic_id: "i".into(),
        partition: 3,
    };
    fuzz("dead_letters", |input| {
        let mut parts = input.splitn(5, |byte| *byte == b'\n').map(<[u8]>::to_vec);
        let (key, name, value, reason) = (parts.next(), parts.next(), parts.next(), parts.next());
        let payload = parts.next();
        let headers = vec![(name.clone().unwrap_or_default(), value)];
        let letter = DeadLetter {
            offset: 7,
            timestamp_ns: 0,
            stage: Stage::Parse,
            plugin: None,
            sink: None,
            code: "not_json".to_owned(),
            reason: String::from_utf8_lossy(&reason.unwrap_or_default()).into_owned(),
            key,
            payload,
            headers,
        };
        let line = line(&partition, &letter, 0);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "a letter is one line");
        let json: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&bytes(&json, "key"), &bytes(&json, "payload")), (&letter.key, &letter.payload));
        assert_eq!((&json["reason"], &json["origin"]["offset"]), (&letter.reason.as_str().into(), &7.into()));
        // A header's name that is no text is the one thing that a line cannot hold as it is.
        let back = from_line(&line).unwrap();
        let read = (&back.letter.key, &back.letter.payload, &back.letter.reason, back.letter.offset);
        assert_eq!(read, (&letter.key, &letter.payload, &letter.reason, letter.offset));
        assert_eq!(back.partition, partition);
        let headers = headers_from_json(&headers_to_json(&letter.headers).to_string()).unwrap();
        assert_eq!(headers[0].1, letter.headers[0].1);
        if std::str::from_utf8(&letter.headers[0].0).is_ok() {
            assert_eq!(headers, letter.headers);
        }
        let headers = headers_from_json(&String::from_utf8_lossy(input)).map(|headers| headers.len());
        let letter = from_line(input).map(|letter| letter.letter.stage);
        format!("{} {}", told(headers), told(letter))
    });
}

fn told(read: Result<impl std::fmt::Debug, serde_json::Error>) -> String {
    read.map_or_else(|error| error.to_string(), |what| format!("{what:?}"))
}

/// What stands under `name`, as text or as base64.
fn bytes(json: &Value, name: &str) -> Option<Vec<u8>> {
    let base64 = json[format!("{name}_base64")].as_str().map(|text| STANDARD.decode(text).unwrap());
    json[name].as_str().map(|text| text.as_bytes().to_vec()).or(base64)
}
