//! Kafka's error codes, as far as a producer meets them.

use std::fmt;

/// An error code of the Kafka protocol, by its number there; [`Code::BESIDE`] is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::kafka::sink) struct Code(pub(super) i16);

impl Code {
    /// No error.
    pub(super) const NONE: Self = Self(0);
    /// The topic or the partition is not there.
    pub(in crate::kafka::sink) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// Larger than the topic takes.
    pub(in crate::kafka::sink) const MESSAGE_TOO_LARGE: Self = Self(10);
    /// The batch is larger than a segment of the log.
    pub(in crate::kafka::sink) const RECORD_LIST_TOO_LARGE: Self = Self(18);
    /// Too few replicas are there, after the batch was appended.
    pub(super) const NOT_ENOUGH_REPLICAS_AFTER_APPEND: Self = Self(20);
    /// The replicas did not follow in time.
    pub(super) const REQUEST_TIMED_OUT: Self = Self(7);
    /// This user may not write to the topic.
    pub(in crate::kafka::sink) const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// This user may not be an idempotent producer.
    pub(in crate::kafka::sink) const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    /// The time is outside of what the topic takes.
    pub(in crate::kafka::sink) const INVALID_TIMESTAMP: Self = Self(32);
    /// Another batch was to come first.
    pub(super) const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// The batch is there already.
    pub(super) const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// The broker does not take the record.
    pub(in crate::kafka::sink) const INVALID_RECORD: Self = Self(87);
    /// It was sent with a record that the broker does not take.
    pub(in crate::kafka::sink) const BESIDE: Self = Self(-100);

    /// Whether sending the same batch again may help, with nothing else changed.
    pub(super) fn is_passing(self) -> bool {
        // Corrupt, unknown partition, no or another leader, timed out, broker or replica or network away, too few replicas before and
        // after, storage error, leader's epochs, throttled.
        matches!(self.0, 2 | 3 | 5..=9 | 13 | 19 | 20 | 56 | 74 | 75 | 89)
    }

    /// Whether whoever gives out ids is only just starting.
    pub(super) fn is_coordinators(self) -> bool {
        // Loading, not available, not the coordinator.
        matches!(self.0, 14..=16)
    }

    /// Whether a broker that says so may have stored the batch.
    pub(super) fn leaves_open(self) -> bool {
        matches!(self, Self::REQUEST_TIMED_OUT | Self::NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    }

    /// Whether the brokers know this producer no longer, or another one in its place: a new one has to begin.
    pub(super) fn forgets_producer(self) -> bool {
        // Invalid epoch, invalid mapping of its id, unknown id, fenced.
        matches!(self.0, 47 | 49 | 59 | 90)
    }

    /// Its name in the protocol.
    fn name(self) -> &'static str {
        match self.0 {
            0 => "NONE",
            -1 => "UNKNOWN_SERVER_ERROR",
            2 => "CORRUPT_MESSAGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            5 => "LEADER_NOT_AVAILABLE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            7 => "REQUEST_TIMED_OUT",
            8 => "BROKER_NOT_AVAILABLE",
            9 => "REPLICA_NOT_AVAILABLE",
            10 => "MESSAGE_TOO_LARGE",
            13 => "NETWORK_EXCEPTION",
            17 => "INVALID_TOPIC_EXCEPTION",
            18 => "RECORD_LIST_TOO_LARGE",
            19 => "NOT_ENOUGH_REPLICAS",
            20 => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            21 => "INVALID_REQUIRED_ACKS",
            29 => "TOPIC_AUTHORIZATION_FAILED",
            31 => "CLUSTER_AUTHORIZATION_FAILED",
            32 => "INVALID_TIMESTAMP",
            33 => "UNSUPPORTED_SASL_MECHANISM",
            35 => "UNSUPPORTED_VERSION",
            42 => "INVALID_REQUEST",
            43 => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            44 => "POLICY_VIOLATION",
            45 => "OUT_OF_ORDER_SEQUENCE_NUMBER",
            46 => "DUPLICATE_SEQUENCE_NUMBER",
            47 => "INVALID_PRODUCER_EPOCH",
            49 => "INVALID_PRODUCER_ID_MAPPING",
            56 => "KAFKA_STORAGE_ERROR",
            58 => "SASL_AUTHENTICATION_FAILED",
            59 => "UNKNOWN_PRODUCER_ID",
            74 => "FENCED_LEADER_EPOCH",
            75 => "UNKNOWN_LEADER_EPOCH",
            76 => "UNSUPPORTED_COMPRESSION_TYPE",
            87 => "INVALID_RECORD",
            89 => "THROTTLING_QUOTA_EXCEEDED",
            90 => "PRODUCER_FENCED",
            -100 => "sent with a record that is not taken",
            _ => "error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            -100 => f.write_str(self.name()),
            number => write!(f, "{} ({number})", self.name()),
        }
    }
}
