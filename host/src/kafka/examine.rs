//! What a start would find at the brokers, within a bound of time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::probe::{self, Reached};
use super::{KafkaError, absent, blocking, options};
use crate::config::{KafkaConfig, KafkaOutput, Secret, Topics};

/// How long brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far ahead of this machine's clock an event may say that it is.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// What was found out about topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Partitions of all of them together.
    pub partitions: usize,
    /// What a pipeline can begin with, and should not.
    pub doubts: Vec<String>,
}

/// Looks at brokers, topics, the group's rights and the events' times.
///
/// # Errors
/// A sentence that says what to do.
pub async fn examine_source(config: &KafkaConfig) -> Result<Examined, String> {
    let reached = reach(&config.brokers, &config.options, &config.topics).await?;
    let mut doubts: Vec<String> = reached.absent.iter().map(|topic| absent(topic)).collect();
    let consumer: BaseConsumer = options::consumer(config, reached.partitions.max(1))
        .and_then(|settings| settings.create().map_err(|error| options::refused(&error)))
        .map_err(|error| error.to_string())?;
    let (group, topics) = (config.group.clone(), config.topics.clone());
    let ahead = blocking(move || {
        let partitions = partitions(&consumer, &topics)?;
        may_join(&consumer, &partitions, &group)?;
        from_the_future(&consumer, &partitions)
    })
    .await?;
    doubts.extend(ahead);
    Ok(Examined { partitions: reached.partitions, doubts })
}

/// Looks at brokers, topics, the right to write, and the sizes that they take; `event_bytes_max` are taken from the source.
///
/// # Errors
/// A sentence that says what to do.
pub async fn examine_sink(output: &KafkaOutput, event_bytes_max: usize) -> Result<Examined, String> {
    let topics = Topics::named(output.topics.iter().cloned());
    let reached = reach(&output.brokers, &output.options, &topics).await?;
    if let Some(topic) = reached.absent.into_iter().next() {
        return Err(KafkaError::NoTopicToWrite(topic).to_string());
    }
    super::sink::check_rights(output).await.map_err(|error| error.to_string())?;
    let limits = super::sink::ask_limits(output).await?;
    let small = output.topics.iter().zip(limits).filter(|(_, limit)| *limit < event_bytes_max);
    let doubts = small.map(|(topic, limit)| {
        format!(
            "events of up to {event_bytes_max} bytes are read, and the topic `{topic}` takes {limit}: larger ones become dead letters; \
             raise its max.message.bytes, or lower batch.event_bytes_max"
        )
    });
    Ok(Examined { partitions: reached.partitions, doubts: doubts.collect() })
}

async fn reach(brokers: &str, settings: &BTreeMap<String, Secret>, topics: &Topics) -> Result<Reached, String> {
    let reached = probe::reach_within(brokers, settings, topics, PATIENCE).await.map_err(|error| error.to_string())?;
    reached.map_err(|reason| {
        let seconds = PATIENCE.as_secs();
        format!("no answer from {brokers} within {seconds} s: {reason}; see whether the brokers run and the address is right")
    })
}

fn partitions(consumer: &BaseConsumer, topics: &Topics) -> Result<TopicPartitionList, String> {
    let mut list = TopicPartitionList::new();
    let all = consumer.fetch_metadata(None, PATIENCE).map_err(|error| error.to_string())?;
    for topic in all.topics().iter().filter(|topic| topics.take(topic.name())) {
        for partition in topic.partitions() {
            list.add_partition(topic.name(), partition.id());
        }
    }
    Ok(list)
}

/// Asks for the group's offsets, as a start without a ledger does.
fn may_join(consumer: &BaseConsumer, partitions: &TopicPartitionList, group: &str) -> Result<(), String> {
    if partitions.count() == 0 {
        return Ok(());
    }
    match consumer.committed_offsets(partitions.clone(), PATIENCE) {
        Ok(_) => Ok(()),
        Err(error) if error.rdkafka_error_code() == Some(Code::GroupAuthorizationFailed) => {
            Err(KafkaError::NotAllowed { what: format!("group `{group}`") }.to_string())
        }
        Err(error) => Err(format!("the group `{group}` does not answer: {error}")),
    }
}

/// Events that say they are of a time that has not come: somebody's clock is wrong.
fn from_the_future(consumer: &BaseConsumer, partitions: &TopicPartitionList) -> Result<Vec<String>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + AHEAD_MAX;
    let mut asked = TopicPartitionList::new();
    for partition in partitions.elements() {
        let added = asked.add_partition_offset(
            partition.topic(),
            partition.partition(),
            Offset::Offset(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        );
        added.map_err(|error: ClientError| error.to_string())?;
    }
    if asked.count() == 0 {
        return Ok(Vec::new());
    }
    let found = consumer.offsets_for_times(asked, PATIENCE).map_err(|error| error.to_string())?;
    let ahead =
        found.elements().into_iter().filter(|one| matches!(one.offset(), Offset::Offset(offset) if offset >= 0));
    let ahead: Vec<String> = ahead.map(|one| format!("{}[{}]", one.topic(), one.partition())).collect();
    if ahead.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "{} has events that are more than {} s ahead of this machine's clock: let the clocks of the producers and of this machine \
         follow one time server",
        ahead.join(", "),
        AHEAD_MAX.as_secs()
    )])
}
