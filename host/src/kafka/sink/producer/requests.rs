//! The requests of a producer, in versions that brokers from 0.11 to 4 have, and their answers.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::batch::RecordBatch;
use super::code::Code;
use super::window::{Numbered, ProducerId};
use crate::kafka::sink::wire::{Answer, Put, Unreadable};

/// "All replicas that are in sync".
const ACKS_ALL: i16 = -1;
/// How long a broker waits for its replicas.
const REPLICAS_MS: i32 = 30_000;
/// Versions of Produce that are spoken here: 3 brings message format 2, 7 Zstandard, 8 the records to blame.
const PRODUCE_VERSIONS: RangeInclusive<i16> = 3..=8;

/// A request's kind and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    key: i16,
    version: i16,
}

pub(super) const METADATA: Api = Api { key: 3, version: 4 };
pub(super) const SASL_HANDSHAKE: Api = Api { key: 17, version: 1 };
pub(super) const API_VERSIONS: Api = Api { key: 18, version: 0 };
pub(super) const INIT_PRODUCER_ID: Api = Api { key: 22, version: 0 };
pub(super) const SASL_AUTHENTICATE: Api = Api { key: 36, version: 0 };
const PRODUCE: i16 = 0;

/// A request with its length in front, whose body `body` appends.
pub(super) fn request(api: Api, correlation: i32, client: &str, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.i32(0);
    bytes.i16(api.key);
    bytes.i16(api.version);
    bytes.i32(correlation);
    bytes.text(client);
    body(&mut bytes);
    let length = i32::try_from(bytes.len() - 4).expect("requests are far below 2 GiB");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The newest version of Produce that both sides have, of the answer to [`API_VERSIONS`]; `None`: there is none.
pub(super) fn produce_version(answer: &[u8]) -> Result<Option<Api>, Unreadable> {
    let mut answer = Answer(answer);
    let _error = answer.i16()?;
    let versions = answer.array(|item| Ok((item.i16()?, item.i16()?, item.i16()?)))?;
    let range = versions.into_iter().find(|(key, ..)| *key == PRODUCE).map(|(_, least, most)| least..=most);
    let version = range.and_then(|range| {
        let version = (*PRODUCE_VERSIONS.end()).min(*range.end());
        (PRODUCE_VERSIONS.contains(&version) && range.contains(&version)).then_some(version)
    });
    Ok(version.map(|version| Api { key: PRODUCE, version }))
}

/// Asks for topics, which are not made by that.
pub(super) fn metadata(topics: &[String]) -> impl FnOnce(&mut Vec<u8>) {
    move |body| {
        body.length(topics.len());
        topics.iter().for_each(|topic| body.text(topic));
        body.raw(&[0]);
    }
}

/// A cluster, as one of its brokers sees it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Number, host and port.
    pub(super) brokers: Vec<(i32, String, u16)>,
    pub(super) topics: Vec<Topic>,
}

/// A topic, as one broker sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) error: Code,
    pub(super) name: String,
    /// By partition: its leader, where there is one.
    pub(super) leaders: Vec<Option<i32>>,
}

impl Metadata {
    pub(super) fn read(answer: &[u8]) -> Result<Self, Unreadable> {
        let mut answer = Answer(answer);
        let _throttled_ms = answer.i32()?;
        let brokers = answer.array(|item| {
            let (id, host, port) = (item.i32()?, item.text()?, item.i32()?);
            let _rack = item.text()?;
            Ok((id, host, u16::try_from(port).map_err(|_| Unreadable)?))
        })?;
        let (_cluster, _controller) = (answer.text()?, answer.i32()?);
        let topics = answer.array(|item| {
            let (error, name, _is_internal) = (Code(item.i16()?), item.text()?, item.bool()?);
            let mut partitions = item.array(|item| {
                let (_error, number, leader) = (item.i16()?, item.i32()?, item.i32()?);
                let (_replicas, _in_sync) = (item.array(Answer::i32)?, item.array(Answer::i32)?);
                Ok((number, leader))
            })?;
            partitions.sort_unstable();
            if partitions.iter().zip(0..).any(|((number, _), expected)| *number != expected) {
                return Err(Unreadable);
            }
            let leaders = partitions.into_iter().map(|(_, leader)| (leader >= 0).then_some(leader)).collect();
            Ok(Topic { error, name, leaders })
        })?;
        Ok(Self { brokers, topics })
    }
}

/// Asks for an id under which batches are numbered.
pub(super) fn init_producer_id(body: &mut Vec<u8>) {
    // No transactional id, and so no timeout of transactions.
    body.i16(-1);
    body.i32(REPLICAS_MS);
}

pub(super) fn read_producer_id(answer: &[u8]) -> Result<Result<ProducerId, Code>, Unreadable> {
    let mut answer = Answer(answer);
    let _throttled_ms = answer.i32()?;
    let error = Code(answer.i16()?);
    let producer = ProducerId { id: answer.i64()?, epoch: answer.i16()? };
    Ok(if error == Code::NONE { Ok(producer) } else { Err(error) })
}

/// Begins an authentication; answers the mechanisms that the broker has where it does not have this one.
pub(super) fn read_handshake(answer: &[u8]) -> Result<Result<(), Vec<String>>, Unreadable> {
    let mut answer = Answer(answer);
    let error = Code(answer.i16()?);
    let mechanisms = answer.array(Answer::text)?;
    Ok(if error == Code::NONE { Ok(()) } else { Err(mechanisms) })
}

/// The broker's turn in an authentication, or its sentence of refusal.
pub(super) fn read_authenticate(answer: &[u8]) -> Result<Result<Vec<u8>, String>, Unreadable> {
    let mut answer = Answer(answer);
    let error = Code(answer.i16()?);
    let sentence = answer.text()?;
    let turn = answer.bytes()?.to_vec();
    Ok(match error {
        Code::NONE => Ok(turn),
        code if sentence.is_empty() => Err(code.to_string()),
        _ => Err(sentence),
    })
}

/// A batch and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    /// The topic's index.
    pub(super) topic: usize,
    pub(super) partition: u32,
    pub(super) batch: Arc<RecordBatch>,
    pub(super) numbered: Numbered,
}

/// Batches, of different partitions each; those of one topic follow each other.
pub(super) fn produce(body: &mut Vec<u8>, topics: &[String], sendings: &[Sending]) {
    body.i16(-1);
    body.i16(ACKS_ALL);
    body.i32(REPLICAS_MS);
    let by_topic = || sendings.chunk_by(|a, b| a.topic == b.topic);
    body.length(by_topic().count());
    for of_topic in by_topic() {
        body.text(&topics[of_topic[0].topic]);
        body.length(of_topic.len());
        for sending in of_topic {
            body.i32(sending.partition.cast_signed());
            body.length(sending.batch.bytes());
            sending.batch.put(body, sending.numbered);
        }
    }
}

/// What a broker answers to batches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) partitions: Vec<ProducedPartition>,
    /// How long it asks to be left alone.
    pub(super) throttled_ms: i32,
}

/// What it answers to one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProducedPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) code: Code,
    /// The records to blame, by their place in the batch, where it says so.
    pub(super) records: Vec<u32>,
}

impl Produced {
    pub(super) fn read(answer: &[u8], api: Api) -> Result<Self, Unreadable> {
        let mut answer = Answer(answer);
        let topics = answer.array(|item| {
            let topic = item.text()?;
            let partitions = item.array(|item| {
                let (partition, code) = (item.i32()?, Code(item.i16()?));
                let (_base_offset, _append_time) = (item.i64()?, item.i64()?);
                if api.version >= 5 {
                    let _log_start = item.i64()?;
                }
                let mut records = Vec::new();
                if api.version >= 8 {
                    records = item.array(|item| {
                        let (record, _sentence) = (item.i32()?, item.text()?);
                        u32::try_from(record).map_err(|_| Unreadable)
                    })?;
                    let _sentence = item.text()?;
                }
                Ok((partition, code, records))
            })?;
            Ok((topic, partitions))
        })?;
        let throttled_ms = answer.i32()?;
        let partitions = topics
            .into_iter()
            .flat_map(|(topic, partitions)| {
                partitions.into_iter().map(move |(partition, code, records)| ProducedPartition {
                    topic: topic.clone(),
                    partition,
                    code,
                    records,
                })
            })
            .collect();
        Ok(Self { partitions, throttled_ms })
    }
}
