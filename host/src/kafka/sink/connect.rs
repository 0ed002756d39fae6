//! The start of a Kafka sink: brokers that are away are waited for; a topic that is not there, or may not be written, is an error.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;

use super::KafkaSink;
use super::producer::Producer;
use crate::config::{KafkaOutput, RetryConfig, Topics};
use crate::kafka::native::{self, TopicProblem};
use crate::kafka::{KafkaError, blocking, options, probe};
use crate::retry::Backoff;

/// How long a request waits for its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Looks in a row that must miss a topic: brokers that just started know fewer.
const MISSED_MAX: u32 = 5;
/// Between two such looks.
const MISSED_WAIT: Duration = Duration::from_millis(500);
/// The most bytes of a message where the topic's own limit may not be asked: below Kafka's default.
const LIMIT_ASSUMED: usize = 1_000_000;
/// Most bytes of a batch, before compression.
const BATCH_BYTES_MAX: usize = 1_000_000;
/// What Kafka adds to the records of a batch.
const BATCH_SPARE: usize = 512;

impl KafkaSink {
    /// Waits until a broker answers, for ever, and makes the producer.
    ///
    /// # Errors
    /// What waiting does not mend: a refused setting or password, an unknown topic, a missing permission.
    pub async fn connect(output: &KafkaOutput, retry: RetryConfig) -> Result<Self, KafkaError> {
        find_topics(output).await?;
        check_rights(output).await?;
        let limits = limits(output, retry).await;
        let producer = Producer::start(output, batch_bytes(&limits))?;
        Ok(Self { topics: output.topics.clone(), limits, retry, producer })
    }
}

async fn find_topics(output: &KafkaOutput) -> Result<(), KafkaError> {
    let topics = Topics::named(output.topics.iter().cloned());
    let mut missed = 0;
    loop {
        let reached = probe::reach(&output.brokers, &output.options, &topics).await;
        let reached = reached.map_err(|error| match error {
            KafkaError::NotAllowed { what } => KafkaError::NotAllowedToWrite { what },
            error => error,
        })?;
        missed += 1;
        match reached.absent.into_iter().next() {
            None => return Ok(()),
            Some(topic) if missed == MISSED_MAX => return Err(KafkaError::NoTopicToWrite(topic)),
            Some(_) => tokio::time::sleep(MISSED_WAIT).await,
        }
    }
}

/// Brokers that do not tell are found out by the first message.
pub(in crate::kafka) async fn check_rights(output: &KafkaOutput) -> Result<(), KafkaError> {
    let client: BaseConsumer =
        options::connection(&output.brokers, &output.options).create().map_err(|error| options::refused(&error))?;
    let topics = output.topics.clone();
    let states = blocking(move || native::describe_topics(&client, &topics, true, ANSWER)).await.unwrap_or_default();
    let refused = |state: &native::TopicState| {
        state.may_write == Some(false) || matches!(state.id, Err(TopicProblem::NotAllowed))
    };
    match states.into_iter().find(refused) {
        None => Ok(()),
        Some(state) => Err(KafkaError::NotAllowedToWrite { what: format!("the topic `{}`", state.name) }),
    }
}

/// By topic: the most bytes of a message.
async fn limits(output: &KafkaOutput, retry: RetryConfig) -> Vec<usize> {
    let mut backoff = Backoff::new(retry);
    loop {
        match ask_limits(output).await {
            Ok(limits) => return limits,
            Err(reason) => tracing::warn!(brokers = output.brokers, "waiting for Kafka: {reason}"),
        }
        backoff.wait().await;
    }
}

pub(in crate::kafka) async fn ask_limits(output: &KafkaOutput) -> Result<Vec<usize>, String> {
    let admin: AdminClient<DefaultClientContext> =
        options::connection(&output.brokers, &output.options).create().map_err(|error| error.to_string())?;
    let topics: Vec<_> = output.topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let asked = AdminOptions::new().request_timeout(Some(ANSWER));
    let answers = admin.describe_configs(&topics, &asked).await;
    // Its thread is waited for.
    blocking(move || drop(admin)).await;
    let limit = |answer: &Result<rdkafka::admin::ConfigResource, _>| {
        let entry = answer.as_ref().ok()?.get("max.message.bytes")?;
        entry.value.as_ref()?.parse().ok()
    };
    let answers = answers.map_err(|error| error.to_string())?;
    Ok(output
        .topics
        .iter()
        .enumerate()
        .map(|(index, topic)| {
            answers.get(index).and_then(limit).unwrap_or_else(|| {
                tracing::warn!(
                    "the brokers do not tell the max.message.bytes of the topic `{topic}` (the DescribeConfigs permission is \
                     missing?): {LIMIT_ASSUMED} is assumed"
                );
                LIMIT_ASSUMED
            })
        })
        .collect())
}

/// The most bytes of a batch, before compression, that every topic takes.
pub(super) fn batch_bytes(limits: &[usize]) -> usize {
    let least = limits.iter().copied().min().unwrap_or(LIMIT_ASSUMED);
    BATCH_BYTES_MAX.min(least.saturating_sub(BATCH_SPARE)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_stay_below_the_least_limit() {
        assert_eq!([&[1_048_588][..], &[10_000, 2_000_000], &[100]].map(batch_bytes), [1_000_000, 9_488, 1]);
    }
}
