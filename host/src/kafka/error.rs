//! What can go wrong with a Kafka source, as sentences that say what to do.

use std::fmt;

use super::TopicPartition;

/// The source cannot start, or cannot go on.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KafkaError {
    /// A setting that librdkafka does not have.
    #[error("librdkafka has no setting `{0}`: take it out of `options`, or correct its name")]
    UnknownOption(String),
    /// A value that librdkafka refuses. The value may be a secret and is not shown.
    #[error("librdkafka refuses the value of `{0}`: see that setting's range in librdkafka's CONFIGURATION.md")]
    RefusedOption(String),
    /// A setting on which the delivery guarantee rests.
    #[error("the setting `{key}` cannot be given as an option: {instead}")]
    ReservedOption {
        /// The setting.
        key: String,
        /// What to use instead.
        instead: &'static str,
    },
    /// Settings that do not go together, or a file they name that cannot be read.
    #[error("the Kafka client cannot be made: {0}; correct `options`")]
    Options(String),
    /// The broker refused the credentials.
    #[error(
        "the Kafka brokers refused to let us in: {0}; check `sasl.mechanism`, `sasl.username` and `sasl.password` in \
         `options`"
    )]
    Authentication(String),
    /// The TLS handshake failed.
    #[error(
        "no TLS connection to the Kafka brokers: {0}; if this port speaks no TLS, set `security.protocol` to `plaintext` \
         (or `sasl_plaintext`), else check `ssl.ca.location`, and `ssl.certificate.location` if the brokers want to see a \
         certificate"
    )]
    Tls(String),
    /// The broker does not let this user read.
    #[error("not allowed to read {what}: give this user the Read permission on it")]
    NotAllowed {
        /// ``topic `x` `` or ``group `x` ``.
        what: String,
    },
    /// The broker does not let this user write.
    #[error("not allowed to write to {what}: give this user the Write permission on it")]
    NotAllowedToWrite {
        /// ``topic `x` ``.
        what: String,
    },
    /// A topic that is to be written to is not there.
    #[error(
        "the topic `{0}` does not exist: create it (`kafka-topics.sh --bootstrap-server BROKERS --create --topic {0}`), or \
         correct `topic`"
    )]
    NoTopicToWrite(String),
    /// The client library says that this member must not go on.
    #[error("the Kafka client stopped for good: {0}")]
    Fatal(String),
    /// A request that failed for a reason that trying again does not mend.
    #[error("{doing} failed: {reason}")]
    Request {
        /// What was tried.
        doing: String,
        /// What the client library says.
        reason: String,
    },
    /// The topic is not there.
    #[error("the topic `{0}` does not exist: create it, or correct `topics`")]
    NoTopic(String),
    /// The partition's queue could not be split off.
    #[error("{0} is not a partition that this client knows")]
    NoPartition(TopicPartition),
    /// The source was closed.
    #[error("the Kafka source was closed")]
    Closed,
}

/// Why a partition yields no further batches. Nothing after the event that failed is handed out.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// The offset is not there (any more): retention passed it, or records were deleted.
    #[error(
        "{partition}: offset {asked} is not there; the broker holds {first} to {last} (exclusive): accept the gap with \
         `wasmill offsets accept-gap`, or set another offset"
    )]
    OutOfRange {
        /// Where.
        partition: TopicPartition,
        /// The offset to be read next.
        asked: i64,
        /// The first offset that is there.
        first: i64,
        /// One past the last offset that is there.
        last: i64,
    },
    /// A record batch that cannot be decompressed or whose checksum is wrong.
    #[error(
        "{partition}: the record batch at offset {offset} cannot be read: {reason}; restore it on the broker, or move \
         past it with `wasmill offsets set`"
    )]
    Undecodable {
        /// Where.
        partition: TopicPartition,
        /// The batch's first offset.
        offset: i64,
        /// What the client library says.
        reason: String,
    },
    /// The topic was deleted.
    #[error("{0}: the topic was deleted while it was read: create it again, or take it out of `topics`")]
    TopicDeleted(TopicPartition),
    /// The topic was deleted and made anew: another topic of the same name. It is assigned anew.
    #[error("{0}: the topic was deleted and made anew; the new one is read as another topic")]
    TopicReplaced(TopicPartition),
    /// The partition was taken away by a rebalance.
    #[error("{0} was given to another member of the group")]
    Revoked(TopicPartition),
    /// The broker does not let this user read.
    #[error("{0}: not allowed to read: give this user the Read permission on the topic")]
    NotAllowed(TopicPartition),
    /// An error that trying again does not mend.
    #[error("{partition}: reading at offset {offset} failed: {reason}")]
    Broker {
        /// Where.
        partition: TopicPartition,
        /// The offset to be read next.
        offset: i64,
        /// What the client library says.
        reason: String,
    },
}

/// Something that is worth a log line and that health should show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// A sentence that says what happened and what to do.
    pub text: String,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// Brokers cannot be reached; they are tried again for ever.
    Away,
    /// The brokers answer again.
    Back,
    /// A topic is not there; it is looked for again and again.
    TopicAbsent,
    /// A topic is another one than before.
    TopicReplaced,
    /// Credentials are refused.
    Authentication,
    /// A permission is missing.
    NotAllowed,
    /// Anything else that the client library reports.
    Other,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
