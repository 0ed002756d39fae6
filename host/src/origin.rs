//! What tells an event from all others, wherever it goes.

use std::io::Write;

use wasmill_core::{Digest, PartitionId};

use crate::delivery::DeadLetter;

/// Bytes of an id that is made of a digest.
const ID_BYTES: usize = 16;

/// `cluster/topic/topic-id/partition/offset`: names one event for ever, also of a topic that is made anew. A topic's id stands as
/// Kafka's own tools show it: without slashes, as all parts but the path of a file.
#[derive(Debug)]
pub struct Origin {
    text: Vec<u8>,
    prefix: usize,
}

impl Origin {
    /// Of the events of this partition.
    pub fn of(partition: &PartitionId) -> Self {
        let PartitionId { cluster, topic, topic_id, partition, .. } = partition;
        // The client library knows another alphabet of base64.
        let topic_id = topic_id.replace('+', "-").replace('/', "_");
        let text = format!("{cluster}/{topic}/{topic_id}/{partition}/").into_bytes();
        Self { prefix: text.len(), text }
    }

    /// The origin of the event at `offset`.
    pub fn at(&mut self, offset: i64) -> &[u8] {
        self.text.truncate(self.prefix);
        write!(self.text, "{offset}").expect("writing to memory does not fail");
        &self.text
    }

    /// The partition and the offset that an origin of an event from `source` names, with the topic's id as it stands there; `None`: it
    /// is no origin.
    pub fn read(source: &str, text: &str) -> Option<(PartitionId, i64)> {
        let (cluster, rest) = text.split_once('/')?;
        let mut parts = rest.rsplitn(4, '/');
        let offset = parts.next()?.parse().ok().filter(|offset| is_offset(*offset))?;
        let partition = parts.next()?.parse().ok()?;
        let (topic_id, topic) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let source = source.to_owned();
        Some((PartitionId { source, cluster: cluster.to_owned(), topic, topic_id, partition }, offset))
    }

    /// What all its origins begin with.
    pub fn prefix(&self) -> &[u8] {
        &self.text[..self.prefix]
    }
}

/// Whether an event may be at this offset, which somebody else wrote down.
pub fn is_offset(offset: i64) -> bool {
    (0..i64::MAX).contains(&offset)
}

/// 32 hexadecimal digits of the SHA-256 of these parts, with their lengths.
pub fn id<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let digest = Digest::of_parts(parts);
    digest.as_bytes()[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same for the same rejection of the same event (or alert), whenever it is made.
pub fn letter_id(origin: &[u8], letter: &DeadLetter) -> String {
    let sink = letter.sink.as_deref().unwrap_or_default().as_bytes();
    id([origin, sink, letter.code.as_bytes(), letter.payload.as_deref().unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_read_as_it_was_written_also_of_a_file() {
        for (source, cluster, topic, topic_id) in [("kafka", "c", "in", "i-_"), ("file", "", "/var/in.jsonl", "1:2:ab")]
        {
            let [source, cluster, topic, topic_id] = [source, cluster, topic, topic_id].map(str::to_owned);
            let partition = PartitionId { source, cluster, topic, topic_id, partition: 3 };
            let text = String::from_utf8(Origin::of(&partition).at(7).to_vec()).unwrap();
            assert_eq!(Origin::read(&partition.source, &text), Some((partition, 7)));
        }
        for text in ["", "c/in/3/7", "c/in/i/x/7", "c/in/i/3/-1", "c/in/i/3/9223372036854775807"] {
            assert_eq!(Origin::read("kafka", text), None, "{text}");
        }
    }
}
