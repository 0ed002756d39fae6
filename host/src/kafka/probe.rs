//! The first contact: waits for brokers, tells a wrong set-up from brokers that are away, counts partitions.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::context::explain;
use super::{KafkaError, Notice, NoticeKind, options};
use crate::config::KafkaConfig;

/// How long one attempt waits for an answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long an error may be behind the failed request that it explains.
const SERVE: Duration = Duration::from_millis(20);

/// Attempts that may fail in the TLS handshake: a broker that is just being stopped breaks it off as a plain port does.
const HANDSHAKES_MAX: u32 = 3;

/// A client that belongs to no group.
pub(super) struct Probe {
    consumer: BaseConsumer<Errors>,
    handshakes_failed: AtomicU32,
}

/// What the brokers said.
pub(super) struct Reached {
    /// Partitions of all topics together; absent topics by assumption.
    pub(super) partitions: usize,
    /// One for each topic that is not there.
    pub(super) notices: Vec<Notice>,
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
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, KafkaError> {
        let consumer = options::connection(config)?
            .create_with_context(Errors::default())
            .map_err(|error| options::refused(&error))?;
        Ok(Self { consumer, handshakes_failed: AtomicU32::new(0) })
    }

    /// Asks for the topics once; blocks for a few seconds at most. `Ok(Err(reason))`: the brokers are away.
    ///
    /// # Errors
    /// A set-up that waiting does not mend.
    pub(super) fn attempt(&self, topics: &[String]) -> Result<Result<Reached, String>, KafkaError> {
        let mut reached = Reached { partitions: 0, notices: Vec::new() };
        for topic in topics {
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
                    reached.notices.push(Notice {
                        kind: NoticeKind::TopicAbsent,
                        text: format!(
                            "the topic `{topic}` does not exist: create it, or correct `topics`; it is looked for again"
                        ),
                    });
                }
            }
        }
        Ok(Ok(reached))
    }

    fn away(&self, error: &ClientError) -> Result<String, KafkaError> {
        let Some((code, reason)) = self.consumer.context().lock().clone() else { return Ok(error.to_string()) };
        let handshake = reason.contains("SSL handshake failed");
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
