//! Kafka as a destination, at least once.
//!
//! A producer of our own, idempotent, is handed a whole group of messages and answers once the brokers have acknowledged each of
//! them. Nothing times out: while brokers are away the messages wait, the lane waits for them, and its source stops fetching. What
//! fails is judged by its class. A message that the brokers refuse for itself is sent again alone before it is blamed, so that
//! none is blamed for its neighbours; everything else is tried again for ever.
//!
//! The limits of the topics are asked at the start and no batch is made larger, so that a message is too large by itself or
//! not at all.

mod connect;
mod encoder;
mod frame;
mod letters;
mod producer;
#[cfg(test)]
mod tests;
mod wire;

use wasmill_core::PartitionId;

use crate::config::RetryConfig;
use crate::delivery::DeadLetter;
use crate::output::{Refused, Trouble};
use crate::retry::Backoff;
use frame::Frame;
use producer::{Code, Producer};

pub(super) use connect::{ask_limits, check_rights};
pub use encoder::MessageEncoder;
pub(super) use letters::read as read_letter;

/// The code of a message that is larger than its topic takes.
pub const TOO_LARGE: &str = "too_large";
/// The code of an event that belongs to no topic of its sink.
pub const BAD_TOPIC: &str = "bad_topic";
/// The code of a message that a broker refuses for another reason of its own.
pub const REFUSED_BY_BROKER: &str = "refused_by_broker";

/// A producer with its topics. Dropping it abandons what was not acknowledged.
pub struct KafkaSink {
    topics: Vec<String>,
    /// By topic: the most bytes of a message.
    limits: Vec<usize>,
    retry: RetryConfig,
    producer: Producer,
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
        while !open.is_empty() {
            let failed = self.producer.produce(rows, &open, told).await;
            let (suspects, others): (Vec<_>, Vec<_>) =
                failed.into_iter().partition(|(_, code)| is_about_message(*code));
            for (suspect, _) in suspects {
                refused.extend(self.write_alone(rows, suspect, told).await);
            }
            // What was only beside a suspect is sent again at once.
            if let Some((row, code)) = others.iter().find(|(_, code)| *code != Code::BESIDE) {
                told(Trouble::Failed(&sentence(self.topic_of(rows[*row]), *code)));
                backoff.wait().await;
            }
            open = others.into_iter().map(|(row, _)| row).collect();
        }
        refused
    }

    /// A dead letter as a message of the first topic.
    pub fn letter(&self, partition: &PartitionId, letter: &DeadLetter, rejected_at_us: i64) -> Vec<u8> {
        letters::message(partition, letter, rejected_at_us, self.limits[0])
    }

    /// Finds out whether it is this message that the brokers refuse.
    async fn write_alone(&self, rows: &[&[u8]], row: usize, told: &(dyn Fn(Trouble<'_>) + Sync)) -> Option<Refused> {
        let mut backoff = Backoff::new(self.retry);
        loop {
            let failed = self.producer.produce(rows, &[row], told).await;
            let (_, code) = failed.first()?;
            if is_about_message(*code) {
                return Some(self.refused(row, rows[row], *code));
            }
            told(Trouble::Failed(&sentence(self.topic_of(rows[row]), *code)));
            backoff.wait().await;
        }
    }

    fn refused(&self, row: usize, message: &[u8], code: Code) -> Refused {
        let topic = self.topic_of(message);
        if is_about_size(code) {
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
}

/// Why messages of a topic are not taken, and what to do.
fn sentence(topic: &str, code: Code) -> String {
    match code {
        Code::TOPIC_AUTHORIZATION_FAILED => {
            format!("not allowed to write to the topic `{topic}`: give this user the Write permission on it")
        }
        Code::CLUSTER_AUTHORIZATION_FAILED => {
            "not allowed to write as an idempotent producer: give this user the IdempotentWrite permission on the cluster"
                .to_owned()
        }
        Code::UNKNOWN_TOPIC_OR_PARTITION => {
            format!("the topic `{topic}` is not there: create it again, or correct `topic`")
        }
        Code::INVALID_TIMESTAMP => {
            format!("the topic `{topic}` does not take the time of now: compare this machine's clock with the brokers'")
        }
        code => format!("the brokers do not take messages of the topic `{topic}`: {code}"),
    }
}

/// Whether the brokers refuse the message, or one that was sent with it, for itself: no wait mends that.
fn is_about_message(code: Code) -> bool {
    is_about_size(code) || code == Code::INVALID_RECORD
}

fn is_about_size(code: Code) -> bool {
    matches!(code, Code::MESSAGE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE)
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}
