//! What librdkafka calls back: rebalances and errors become events; commit results are counted.
//!
//! Nothing is assigned here. A list is copied and handed on, and the supervisor assigns from outside once the ledger has
//! said where to begin. Only while the source is closed are partitions given back at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc;

use super::commits::Commits;
use super::link::{Ended, Link};
use super::{KafkaEvent, Notice, NoticeKind, TopicPartition};

/// The same kind of notice is not repeated within this time.
const NOTICE_EVERY: Duration = Duration::from_secs(30);

/// What the client library's threads and the source share.
pub(super) struct Context {
    events: mpsc::Sender<KafkaEvent>,
    /// Offsets on their way to the group.
    pub(super) commits: Commits,
    closing: AtomicBool,
    partitions: Mutex<Partitions>,
    noticed: Mutex<HashMap<NoticeKind, Instant>>,
}

/// Who has what.
#[derive(Default)]
pub(super) struct Partitions {
    /// What the group gave to this member.
    pub(super) owned: HashSet<TopicPartition>,
    /// What the client library was told to read: begun, and not yet released.
    pub(super) begun: HashMap<TopicPartition, Arc<Link>>,
}

impl Context {
    pub(super) fn new(events: mpsc::Sender<KafkaEvent>) -> Self {
        Self {
            events,
            commits: Commits::default(),
            closing: AtomicBool::new(false),
            partitions: Mutex::default(),
            noticed: Mutex::default(),
        }
    }

    /// Locks the partitions. Held across `incremental_assign`, so that what is begun and what librdkafka reads agree.
    pub(super) fn partitions(&self) -> MutexGuard<'_, Partitions> {
        self.partitions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells the poll thread to leave the group and to end.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Hands an event on; waits while the supervisor is behind. Only for the poll thread.
    pub(super) fn send(&self, event: KafkaEvent) {
        // An error means that the source is gone; the poll thread sees `closing`.
        let _ = self.events.blocking_send(event);
    }

    /// Hands a notice on, unless its kind was there a moment ago or the supervisor is behind.
    pub(super) fn notice(&self, kind: NoticeKind, text: String) {
        let now = Instant::now();
        let mut noticed = self.noticed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if noticed.get(&kind).is_none_or(|last| now.duration_since(*last) >= NOTICE_EVERY) {
            noticed.insert(kind, now);
            // Full: the supervisor has a thousand events to look at already.
            let _ = self.events.try_send(KafkaEvent::Notice(Notice { kind, text }));
        }
    }

    /// Whether brokers refuse to let us in: that they cannot be reached only follows from it.
    pub(super) fn is_refused(&self) -> bool {
        let noticed = self.noticed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        noticed.contains_key(&NoticeKind::Authentication)
    }

    /// Forgets the troubles of brokers and topics that were noticed, so that the next one is told at once; whether there
    /// were any.
    pub(super) fn settle(&self) -> bool {
        let mut noticed = self.noticed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = noticed.len();
        noticed.retain(|kind, _| matches!(kind, NoticeKind::TopicReplaced | NoticeKind::Other));
        noticed.len() < before
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: Vec<TopicPartition>) {
        self.partitions().owned.extend(partitions.iter().cloned());
        if partitions.is_empty() || self.closing() {
            // The library holds every partition back until it is answered, also when there is nothing new.
            if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
                tracing::warn!(%error, "an empty assignment was not accepted");
            }
            return;
        }
        self.send(KafkaEvent::Assigned(partitions));
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: Vec<TopicPartition>) {
        let lost = consumer.assignment_lost();
        let mut held = self.partitions();
        for partition in &partitions {
            held.owned.remove(partition);
            if let Some(link) = held.begun.get(partition) {
                link.end(if lost { Ended::Lost } else { Ended::Revoked });
            }
        }
        drop(held);
        if lost {
            self.commits.forget(&partitions);
        }
        if self.closing() {
            release(consumer, &partitions);
            return;
        }
        self.send(KafkaEvent::Revoked { partitions, lost });
    }
}

/// Gives back those of `partitions` that were begun. The library waits for this answer to a revocation even when there
/// are none.
pub(super) fn release(consumer: &BaseConsumer<Context>, partitions: &[TopicPartition]) {
    let context = consumer.context();
    context.commits.flush_now(consumer);
    let mut list = TopicPartitionList::new();
    let mut held = context.partitions();
    for partition in partitions {
        if let Some(link) = held.begun.remove(partition) {
            link.end(Ended::Revoked);
            list.add_partition(&partition.topic, partition.partition);
        }
    }
    if let Err(error) = consumer.incremental_unassign(&list) {
        tracing::warn!(%error, "partitions were not given back in order");
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, cause: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = list
            .elements()
            .iter()
            .map(|element| TopicPartition { topic: element.topic().to_owned(), partition: element.partition() })
            .collect();
        match cause {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            _ => self.revoked(consumer, partitions),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.commits.answered(result);
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters also arrives as an error; this is for those who search for a fault.
        tracing::debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        if let Some((kind, text)) = explain(error.rdkafka_error_code(), reason)
            && !(kind == NoticeKind::Away && self.is_refused())
        {
            self.notice(kind, text);
        }
    }
}

/// Whether a connection ended because one side does not take the other's certificate or way of TLS. By TLS 1.3 a broker that does not
/// take ours says so only after its own part of the handshake: to us as an alert in answer to the first request.
pub(super) fn is_no_tls(reason: &str) -> bool {
    reason.contains("SSL handshake failed") || reason.contains(TLS_ALERT)
}

/// How OpenSSL says that the other side ended TLS.
const TLS_ALERT: &str = "SSL alert number";

/// A sentence for an error that the client library reports beside the events. `None`: it is told in another way.
pub(super) fn explain(code: Option<RDKafkaErrorCode>, reason: &str) -> Option<(NoticeKind, String)> {
    use RDKafkaErrorCode as Code;
    let (kind, text) = match code? {
        Code::PartitionEOF | Code::Fatal | Code::AutoOffsetReset => return None,
        // How many of how many are down changes from moment to moment.
        Code::AllBrokersDown => {
            (NoticeKind::Away, "the Kafka brokers cannot be reached; trying again until they answer".to_owned())
        }
        Code::BrokerTransportFailure if reason.contains(TLS_ALERT) => return explain(Some(Code::SSL), reason),
        Code::BrokerTransportFailure | Code::OperationTimedOut | Code::Resolve => (
            NoticeKind::Away,
            format!("the Kafka brokers cannot be reached ({reason}); trying again until they answer"),
        ),
        Code::Authentication | Code::SaslAuthenticationFailed => (
            NoticeKind::Authentication,
            format!("the Kafka brokers refuse to let us in ({reason}); check the `sasl.*` options"),
        ),
        Code::SSL => (
            NoticeKind::Authentication,
            format!("no TLS connection to the Kafka brokers ({reason}); check `security.protocol` and `ssl.*`"),
        ),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => (
            NoticeKind::TopicAbsent,
            format!("a topic is not there ({reason}); create it, or correct `topics`; it is looked for again"),
        ),
        Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            (NoticeKind::NotAllowed, format!("a permission is missing ({reason}); grant this user Read"))
        }
        Code::InconsistentGroupProtocol => (
            NoticeKind::Other,
            format!("the group's other members hand partitions over in another way ({reason}); use a group of its own"),
        ),
        _ => (NoticeKind::Other, format!("the Kafka client reports: {reason}")),
    };
    Some((kind, text))
}
