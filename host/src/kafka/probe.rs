//! The first contact: waits for brokers, tells a wrong set-up from brokers that are away, counts partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaRespErr;

use super::context::{explain, is_no_tls};
use super::{KafkaError, blocking, options};
use crate::config::{Secret, TopicPattern, Topics};

/// How often waiting is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// How long one attempt waits for an answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long an error may be behind the failed request that it explains.
const SERVE: Duration = Duration::from_millis(20);

/// Attempts that may fail in the TLS handshake: a broker that is just being stopped breaks it off as a plain port does.
const HANDSHAKES_MAX: u32 = 3;

/// A client that belongs to no group.
struct Probe {
    consumer: BaseConsumer<Errors>,
    handshakes_failed: AtomicU32,
}

/// What the brokers said.
pub(super) struct Reached {
    /// Partitions of all topics together; absent topics by assumption.
    pub(super) partitions: usize,
    /// The topics that are not there.
    pub(super) absent: Vec<String>,
}

/// Waits until a broker answers: for ever, with a warning every half minute.
///
/// # Errors
/// What waiting does not mend.
pub(super) async fn reach(
    brokers: &str,
    settings: &BTreeMap<String, Secret>,
    topics: &Topics,
) -> Result<Reached, KafkaError> {
    let probe = Arc::new(Probe::new(brokers, settings)?);
    let mut told: Option<Instant> = None;
    loop {
        let (attempt, topics) = (Arc::clone(&probe), topics.clone());
        match blocking(move || attempt.attempt(&topics)).await? {
            Ok(reached) => {
                // Its connections end on a thread that may wait.
                blocking(move || drop(probe)).await;
                return Ok(reached);
            }
            Err(reason) if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) => {
                told = Some(Instant::now());
                tracing::warn!(brokers, "waiting for Kafka: {reason}");
            }
            Err(_) => {}
        }
    }
}

/// As [`reach`], for `patience` only; `Ok(Err(reason))`: the brokers are away.
///
/// # Errors
/// What waiting does not mend.
pub(super) async fn reach_within(
    brokers: &str,
    settings: &BTreeMap<String, Secret>,
    topics: &Topics,
    patience: Duration,
) -> Result<Result<Reached, String>, KafkaError> {
    let probe = Probe::new(brokers, settings)?;
    let topics = topics.clone();
    blocking(move || {
        let end = Instant::now() + patience;
        loop {
            let attempt = probe.attempt(&topics)?;
            if attempt.is_ok() || Instant::now() >= end {
                return Ok(attempt);
            }
        }
    })
    .await
}

/// The last error that is a cause.
#[derive(Default)]
struct Errors(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl ConsumerContext for Errors {}

impl ClientContext for Errors {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // This one only follows from others, of which the library tells repeated ones just once.
        if code != RDKafkaErrorCode::AllBrokersDown {
            *self.lock() = Some((code, reason.to_owned()));
        }
    }
}

impl Errors {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(RDKafkaErrorCode, String)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Probe {
    /// # Errors
    /// A setting is unknown or refused.
    fn new(brokers: &str, settings: &BTreeMap<String, Secret>) -> Result<Self, KafkaError> {
        let consumer = options::connection(brokers, settings)
            .create_with_context(Errors::default())
            .map_err(|error| options::refused(&error))?;
        Ok(Self { consumer, handshakes_failed: AtomicU32::new(0) })
    }

    /// Asks for the topics once; blocks for a few seconds at most. `Ok(Err(reason))`: the brokers are away.
    ///
    /// # Errors
    /// A set-up that waiting does not mend.
    fn attempt(&self, topics: &Topics) -> Result<Result<Reached, String>, KafkaError> {
        let mut reached = Reached { partitions: 0, absent: Vec::new() };
        for topic in topics.names() {
            let metadata = self.consumer.fetch_metadata(Some(topic), ATTEMPT);
            // Serves the error events, of which the first tells the cause.
            while self.consumer.poll(SERVE).is_some() {}
            let metadata = match metadata {
                Ok(metadata) => metadata,
                Err(error) => return self.away(&error).map(Err),
            };
            let Some(found) = metadata.topics().first() else { continue };
            match found.error() {
                None => reached.partitions += found.partitions().len(),
                Some(
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                    | RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                ) => return Err(KafkaError::NotAllowed { what: format!("the topic `{topic}`") }),
                Some(_) => {
                    reached.partitions += options::PARTITIONS_ASSUMED;
                    reached.absent.push(topic.to_owned());
                }
            }
        }
        if topics.patterns().next().is_some() {
            let all = match self.consumer.fetch_metadata(None, ATTEMPT) {
                Ok(all) => all,
                Err(error) => return self.away(&error).map(Err),
            };
            for pattern in topics.patterns() {
                reached.partitions += partitions_that_match(pattern, &all);
            }
        }
        Ok(Ok(reached))
    }

    fn away(&self, error: &ClientError) -> Result<String, KafkaError> {
        let Some((code, reason)) = self.consumer.context().lock().clone() else { return Ok(error.to_string()) };
        let handshake = is_no_tls(&reason);
        match code {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                Err(KafkaError::Authentication(reason))
            }
            RDKafkaErrorCode::SSL => Err(KafkaError::Tls(reason)),
            _ if handshake && self.handshakes_failed.fetch_add(1, Ordering::Relaxed) + 1 >= HANDSHAKES_MAX => {
                Err(KafkaError::Tls(reason))
            }
            _ => Ok(explain(Some(code), &reason).map_or(reason, |(_, text)| text)),
        }
    }
}

/// Partitions of the topics that a pattern matches now, and room for some that come later.
fn partitions_that_match(pattern: &TopicPattern, all: &Metadata) -> usize {
    let matching = all.topics().iter().filter(|topic| pattern.matches(topic.name()));
    let count: usize = matching.map(|topic| topic.partitions().len()).sum();
    if count == 0 {
        tracing::warn!(
            "no topic matches {pattern} yet, or none that this user may see; topics are looked for all the time"
        );
    }
    count.max(options::PARTITIONS_ASSUMED)
}
