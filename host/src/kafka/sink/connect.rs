//! The start of a Kafka sink: brokers that are away are waited for; a topic that is not there, or may not be written, is an error.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;

use super::KafkaSink;
use super::client::Client;
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
/// What Kafka adds to the first message of a batch, and librdkafka to the request around it.
const BATCH_SPARE: usize = 512;
/// librdkafka's least for a message's limit; smaller ones are held by the encoder alone.
const LIMIT_MIN: usize = 1_000;
/// Bytes that may wait in the client for all lanes together.
const QUEUE_KIB: &str = "65536";

impl KafkaSink {
    /// Waits until a broker answers, for ever, and makes the producer.
    ///
    /// # Errors
    /// What waiting does not mend: a refused setting or password, an unknown topic, a missing permission.
    pub async fn connect(output: &KafkaOutput, retry: RetryConfig) -> Result<Self, KafkaError> {
        find_topics(output).await?;
        check_rights(output).await?;
        let limits = limits(output, retry).await;
        let settings = settings(output, &limits);
        let client = Client::new(&settings, &output.topics)?;
        Ok(Self { settings, topics: output.topics.clone(), limits, retry, client: Mutex::new(Arc::new(client)) })
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

pub(super) fn settings(output: &KafkaOutput, limits: &[usize]) -> ClientConfig {
    let least = limits.iter().copied().min().unwrap_or(LIMIT_ASSUMED);
    let most = limits.iter().copied().max().unwrap_or(LIMIT_ASSUMED);
    let batch_bytes = BATCH_BYTES_MAX.min(least.saturating_sub(BATCH_SPARE)).max(1);
    let mut client = options::connection(&output.brokers, &output.options);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("allow.auto.create.topics", "false")
        // Messages wait in the client as long as it takes.
        .set("message.timeout.ms", "0")
        .set("compression.type", output.compression.as_str())
        .set("message.max.bytes", most.max(LIMIT_MIN).to_string())
        .set("batch.size", batch_bytes.to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KIB);
    let defaults = [
        // What Java clients choose for a key.
        ("partitioner", "murmur2_random"),
        // A topic that is back, or a permission, is seen within five seconds instead of five minutes.
        ("topic.metadata.refresh.interval.ms", "5000"),
    ];
    for (key, value) in defaults {
        if client.get(key).is_none() {
            client.set(key, value);
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Compression, Secret};

    fn made(compression: Compression, limits: &[usize], options: &[(&str, &str)]) -> ClientConfig {
        let output = KafkaOutput {
            brokers: "localhost:1".to_owned(),
            topics: vec!["t".to_owned()],
            compression,
            options: options.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(*v))).collect::<BTreeMap<_, _>>(),
        };
        settings(&output, limits)
    }

    #[test]
    fn every_compression_is_built_in_and_every_setting_accepted() {
        for compression in
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            let settings = made(compression, &[1_048_588], &[("linger.ms", "20")]);
            assert_eq!(settings.get("linger.ms"), Some("20"));
            assert!(Client::new(&settings, &["t".to_owned()]).is_ok(), "{compression:?}");
        }
    }

    #[test]
    fn batches_stay_below_the_least_limit_and_messages_below_the_greatest() {
        let of = |limits: &[usize]| {
            let settings = made(Compression::None, limits, &[]);
            (settings.get("batch.size").unwrap().to_owned(), settings.get("message.max.bytes").unwrap().to_owned())
        };
        assert_eq!(of(&[1_048_588]), ("1000000".to_owned(), "1048588".to_owned()));
        assert_eq!(of(&[10_000, 2_000_000]), ("9488".to_owned(), "2000000".to_owned()));
        assert_eq!(of(&[100]), ("1".to_owned(), "1000".to_owned()));
    }
}
