//! Kafka as a destination, at least once.
//!
//! An idempotent producer is handed a whole group of messages and answers once the brokers have acknowledged each of them. Nothing
//! times out: while brokers are away the messages wait in the client, the lane waits for them, and its source stops fetching. What
//! fails is judged by its class. A message that the brokers refuse for itself is sent again alone before it is blamed, so that
//! none is blamed for its neighbours; everything else is tried again for ever.
//!
//! The limits of the topics are asked at the start and no batch is made larger, so that a message is too large by itself or
//! not at all.

mod client;
mod connect;
mod encoder;
mod frame;
mod groups;
mod letters;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::time::Instant;
use wasmill_core::PartitionId;

use crate::config::RetryConfig;
use crate::delivery::DeadLetter;
use crate::output::{Refused, Trouble};
use crate::retry::Backoff;
use client::Client;
use frame::Frame;

pub(super) use connect::{ask_limits, check_rights};
pub use encoder::MessageEncoder;

/// The code of a message that is larger than its topic takes.
pub const TOO_LARGE: &str = "too_large";
/// The code of an event that belongs to no topic of its sink.
pub const BAD_TOPIC: &str = "bad_topic";
/// The code of a message that a broker refuses for another reason of its own.
pub const REFUSED_BY_BROKER: &str = "refused_by_broker";

/// How long nothing may be acknowledged before that is told.
const STALLED: Duration = Duration::from_secs(3);
/// How long a full client is left alone before it is handed more.
const FULL_WAIT: Duration = Duration::from_millis(2);

/// A producer with its topics. Dropping it abandons what was not acknowledged.
pub struct KafkaSink {
    settings: ClientConfig,
    topics: Vec<String>,
    /// By topic: the most bytes of a message.
    limits: Vec<usize>,
    retry: RetryConfig,
    /// The producer in use; another one after it failed for good. The lock guards the exchange.
    client: Mutex<Arc<Client>>,
}

impl KafkaSink {
    /// By topic: the most bytes of a message, with all that Kafka adds.
    pub fn limits(&self) -> &[usize] {
        &self.limits
    }

    /// Writes messages as [`MessageEncoder`] made them, in order, and answers when every one is acknowledged or refused. Goes on
    /// for ever, and says why in `told`. Dropping the future leaves it to chance which of them are written.
    pub async fn write(&self, rows: &[&[u8]], told: &(dyn Fn(Trouble<'_>) + Sync)) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut backoff = Backoff::new(self.retry);
        let mut open: Vec<usize> = (0..rows.len()).collect();
        loop {
            let failed = self.attempt(rows, &open, told).await;
            let (suspects, others): (Vec<_>, Vec<_>) =
                failed.into_iter().partition(|(_, code)| is_about_message(*code));
            for (suspect, _) in suspects {
                refused.extend(self.write_alone(rows, suspect, told).await);
            }
            let Some((first, code)) = others.first() else { return refused };
            told(Trouble::Failed(&self.sentence(rows[*first], *code)));
            backoff.wait().await;
            open = others.into_iter().map(|(row, _)| row).collect();
        }
    }

    /// A dead letter as a message of the first topic.
    pub fn letter(&self, partition: &PartitionId, letter: &DeadLetter, rejected_at_us: i64) -> Vec<u8> {
        letters::message(partition, letter, rejected_at_us, self.limits[0])
    }

    /// Finds out whether it is this message that the brokers refuse.
    async fn write_alone(&self, rows: &[&[u8]], row: usize, told: &(dyn Fn(Trouble<'_>) + Sync)) -> Option<Refused> {
        let mut backoff = Backoff::new(self.retry);
        loop {
            let failed = self.attempt(rows, &[row], told).await;
            let (_, code) = failed.first()?;
            if is_about_message(*code) {
                return Some(self.refused(row, rows[row], *code));
            }
            told(Trouble::Failed(&self.sentence(rows[row], *code)));
            backoff.wait().await;
        }
    }

    /// Hands the `chosen` rows over and waits until each is acknowledged or has failed; those that failed, in order.
    async fn attempt(
        &self,
        rows: &[&[u8]],
        chosen: &[usize],
        told: &(dyn Fn(Trouble<'_>) + Sync),
    ) -> Vec<(usize, Code)> {
        let client = self.client();
        let context = client.context();
        let group = context.open(chosen.len());
        let mut patience = Patience::new(context.acknowledged());
        for row in chosen {
            let frame = Frame::read(rows[*row]);
            while let Err(code) = client.produce(&frame, group.ticket(*row)) {
                if code != Code::QueueFull {
                    group.failed(*row, code);
                    break;
                }
                tokio::time::sleep(FULL_WAIT).await;
                patience.look(&client, told);
            }
        }
        while !group.is_done() {
            if tokio::time::timeout(STALLED, group.done()).await.is_err() {
                patience.look(&client, told);
            }
        }
        let failed = group.into_failed();
        if client.is_broken() {
            self.renew(&client, told);
        }
        failed
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new producer in the place of one that failed for good, unless another lane has done so.
    fn renew(&self, broken: &Arc<Client>, told: &(dyn Fn(Trouble<'_>) + Sync)) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&client, broken) {
            return;
        }
        match Client::new(&self.settings, &self.topics) {
            Ok(new) => {
                let old = std::mem::replace(&mut *client, Arc::new(new));
                // Its connections end on a thread that may wait.
                tokio::task::spawn_blocking(move || drop(old));
            }
            Err(error) => told(Trouble::Failed(&error.to_string())),
        }
    }

    fn refused(&self, row: usize, message: &[u8], code: Code) -> Refused {
        let topic = self.topic_of(message);
        if matches!(code, Code::MessageSizeTooLarge | Code::InvalidMessageSize) {
            let bytes = Frame::read(message).bytes_max();
            let reason = format!(
                "the message has up to {bytes} bytes, and the topic `{topic}` takes fewer now than at the start ({})",
                self.limits[Frame::read(message).topic]
            );
            return Refused { row, code: TOO_LARGE, reason };
        }
        let reason = format!(
            "the topic `{topic}` does not take the message ({code}); a compacted topic takes none without a key"
        );
        Refused { row, code: REFUSED_BY_BROKER, reason }
    }

    fn topic_of(&self, message: &[u8]) -> &str {
        &self.topics[Frame::read(message).topic]
    }

    fn sentence(&self, message: &[u8], code: Code) -> String {
        let topic = self.topic_of(message);
        match code {
            Code::TopicAuthorizationFailed => {
                format!("not allowed to write to the topic `{topic}`: give this user the Write permission on it")
            }
            Code::ClusterAuthorizationFailed => {
                "not allowed to write as an idempotent producer: give this user the IdempotentWrite permission on the cluster"
                    .to_owned()
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                format!("the topic `{topic}` is not there: create it again, or correct `topic`")
            }
            Code::InvalidTimestamp => {
                format!("the topic `{topic}` does not take the time of now: compare this machine's clock with the brokers'")
            }
            Code::Fatal | Code::PurgeQueue | Code::PurgeInflight => {
                "the Kafka producer failed for good and is made anew".to_owned()
            }
            code => format!("the brokers do not take messages of the topic `{topic}` ({code})"),
        }
    }
}

/// Whether the brokers refuse the message, or one that was sent with it, for itself: no wait mends that.
fn is_about_message(code: Code) -> bool {
    matches!(code, Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord)
}

/// Notices when nothing is acknowledged any more.
struct Patience {
    acknowledged: u64,
    since: Instant,
}

impl Patience {
    fn new(acknowledged: u64) -> Self {
        Self { acknowledged, since: Instant::now() }
    }

    fn look(&mut self, client: &Client, told: &(dyn Fn(Trouble<'_>) + Sync)) {
        let acknowledged = client.context().acknowledged();
        if acknowledged != self.acknowledged {
            *self = Self::new(acknowledged);
        } else if self.since.elapsed() >= STALLED {
            self.since = Instant::now();
            told(Trouble::Waiting(&client.context().trouble()));
            if client.is_broken() {
                client.give_up();
            }
        }
    }
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}
