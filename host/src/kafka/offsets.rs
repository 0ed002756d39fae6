//! Requests about topics and offsets that wait for brokers for ever, and give up only on what waiting does not mend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use wasmill_core::PartitionId;

use super::context::Context;
use super::native::{self, TopicProblem, TopicState};
use super::{KafkaError, TopicPartition};
use crate::config::Start;

/// How long one request waits for its answer.
const REQUEST: Duration = Duration::from_secs(5);

/// The waits between attempts: the first, doubled up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A topic that was just made is unknown to some brokers for a moment; after this long it is not there.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// How often a wait is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(30);

type Client = Arc<BaseConsumer<Context>>;

/// The cluster's id and, in order, the topics' ids.
pub(super) async fn identify(
    client: &Client,
    partitions: &[TopicPartition],
) -> Result<Vec<Arc<PartitionId>>, KafkaError> {
    let cluster = cluster_id(client).await?;
    let mut names: Vec<String> = partitions.iter().map(|partition| partition.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let states = patiently(client, "asking for topic ids", move |client| topic_ids(client, &names)).await?;
    partitions
        .iter()
        .map(|partition| {
            let state = states.iter().find(|(name, _)| *name == partition.topic);
            let (_, id) = state.ok_or_else(|| KafkaError::NoTopic(partition.topic.clone()))?;
            Ok(Arc::new(PartitionId {
                source: "kafka".to_owned(),
                cluster: cluster.clone(),
                topic: partition.topic.clone(),
                topic_id: id.clone(),
                partition: partition.partition,
            }))
        })
        .collect()
}

async fn cluster_id(client: &Client) -> Result<String, KafkaError> {
    patiently(client, "asking for the cluster's id", |client| {
        client.client().fetch_cluster_id(REQUEST).ok_or_else(|| Failed::again("the brokers told no cluster id"))
    })
    .await
}

fn topic_ids(client: &Client, names: &[String]) -> Result<Vec<(String, String)>, Failed> {
    let states = native::describe_topics(client, names, false, REQUEST).map_err(Failed::again)?;
    states
        .into_iter()
        .map(|TopicState { name, id, .. }| match id {
            Ok(id) => Ok((name, id)),
            Err(TopicProblem::Absent) => Err(Failed::Unknown(KafkaError::NoTopic(name))),
            Err(TopicProblem::NotAllowed) => {
                Err(Failed::Permanent(KafkaError::NotAllowed { what: format!("the topic `{name}`") }))
            }
            Err(TopicProblem::Other(reason)) => Err(Failed::Again(reason)),
        })
        .collect()
}

/// The number that `from` stands for.
pub(super) async fn start(client: &Client, partition: &PartitionId, from: Start) -> Result<i64, KafkaError> {
    match from {
        Start::Earliest => Ok(watermarks(client, partition).await?.0),
        Start::Latest => Ok(watermarks(client, partition).await?.1),
        Start::Committed => match committed(client, partition).await? {
            Some(offset) => Ok(offset),
            None => Ok(watermarks(client, partition).await?.0),
        },
        Start::Timestamp(time_ms) => match at_time(client, partition, time_ms).await? {
            Some(offset) => Ok(offset),
            None => Ok(watermarks(client, partition).await?.1),
        },
    }
}

/// The first offset that is there, and one past the last.
pub(super) async fn watermarks(client: &Client, partition: &PartitionId) -> Result<(i64, i64), KafkaError> {
    let (topic, number) = (partition.topic.clone(), partition.partition);
    patiently(client, "asking for the first and last offset", move |client| {
        client.fetch_watermarks(&topic, number, REQUEST).map_err(|error| Failed::of(&error, &topic))
    })
    .await
}

pub(super) async fn committed(client: &Client, partition: &PartitionId) -> Result<Option<i64>, KafkaError> {
    let (topic, number) = (partition.topic.clone(), partition.partition);
    patiently(client, "asking for the group's offset", move |client| {
        let mut list = TopicPartitionList::new();
        list.add_partition(&topic, number);
        let answer = client.committed_offsets(list, REQUEST).map_err(|error| Failed::of(&error, &topic))?;
        offset_of(&answer, &topic, number)
    })
    .await
}

/// Whether the group has an offset of any partition of the topic.
pub(super) async fn knows_topic(client: &Client, topic: &str) -> Result<bool, KafkaError> {
    let topic = topic.to_owned();
    patiently(client, "asking for the group's offsets", move |client| {
        let failed = |error| Failed::of(&error, &topic);
        let metadata = client.fetch_metadata(Some(&topic), REQUEST).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|found| found.partitions()) {
            list.add_partition(&topic, partition.id());
        }
        let answer = client.committed_offsets(list, REQUEST).map_err(failed)?;
        Ok(answer.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))))
    })
    .await
}

async fn at_time(client: &Client, partition: &PartitionId, time_ms: i64) -> Result<Option<i64>, KafkaError> {
    let (topic, number) = (partition.topic.clone(), partition.partition);
    patiently(client, "asking for the offset of a time", move |client| {
        let mut list = TopicPartitionList::new();
        // Times before 1970 would be taken for one of the library's special offsets: nothing is older than that.
        list.add_partition_offset(&topic, number, Offset::Offset(time_ms.max(0)))
            .map_err(|error| Failed::of(&error, &topic))?;
        let answer = client.offsets_for_times(list, REQUEST).map_err(|error| Failed::of(&error, &topic))?;
        offset_of(&answer, &topic, number)
    })
    .await
}

fn offset_of(list: &TopicPartitionList, topic: &str, partition: i32) -> Result<Option<i64>, Failed> {
    let element =
        list.find_partition(topic, partition).ok_or_else(|| Failed::again("an answer without the partition"))?;
    element.error().map_err(|error| Failed::of(&error, topic))?;
    Ok(match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

/// Why an attempt failed.
enum Failed {
    /// Try again for ever.
    Again(String),
    /// Try again for a while: it may be new.
    Unknown(KafkaError),
    /// Do not try again.
    Permanent(KafkaError),
}

impl Failed {
    fn again(reason: impl Into<String>) -> Self {
        Self::Again(reason.into())
    }

    fn of(error: &ClientError, topic: &str) -> Self {
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                Self::Unknown(KafkaError::NoTopic(topic.to_owned()))
            }
            Some(Code::TopicAuthorizationFailed) => {
                Self::Permanent(KafkaError::NotAllowed { what: format!("the topic `{topic}`") })
            }
            Some(Code::GroupAuthorizationFailed) => {
                Self::Permanent(KafkaError::NotAllowed { what: "the consumer group".to_owned() })
            }
            Some(Code::InvalidArgument | Code::UnsupportedVersion | Code::UnsupportedFeature) => {
                Self::Permanent(KafkaError::Request {
                    doing: format!("a request about `{topic}`"),
                    reason: error.to_string(),
                })
            }
            _ => Self::Again(error.to_string()),
        }
    }
}

/// Runs a blocking request until it succeeds or fails for good.
async fn patiently<T, F>(client: &Client, doing: &'static str, request: F) -> Result<T, KafkaError>
where
    T: Send + 'static,
    F: Fn(&Client) -> Result<T, Failed> + Send + Sync + 'static,
{
    let request = Arc::new(request);
    let begun = Instant::now();
    let mut told = begun;
    let mut wait = BACKOFF.0;
    loop {
        if client.context().closing() {
            return Err(KafkaError::Closed);
        }
        let (held, attempt) = (Arc::clone(client), Arc::clone(&request));
        match super::blocking(move || attempt(&held)).await {
            Ok(answer) => return Ok(answer),
            Err(Failed::Permanent(error)) => return Err(error),
            Err(Failed::Unknown(error)) if begun.elapsed() >= UNKNOWN_FOR => return Err(error),
            Err(Failed::Unknown(_)) => {}
            Err(Failed::Again(reason)) => {
                if told.elapsed() >= TOLD_EVERY {
                    told = Instant::now();
                    tracing::warn!("{doing}: no answer ({reason}); trying again");
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}
