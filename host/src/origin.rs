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

    /// What all its origins begin with.
    pub fn prefix(&self) -> &[u8] {
        &self.text[..self.prefix]
    }
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
