//! Groups of messages on their way, and what librdkafka calls back about them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tokio::sync::Notify;

use crate::kafka::NoticeKind;
use crate::kafka::context::explain;

/// A ticket holds the group's number above the row's.
const ROW_BITS: u32 = 32;
const _: () = assert!(usize::BITS == 64, "tickets need 64 bits");

/// What a producer's threads and its writers share.
#[derive(Default)]
pub(super) struct Context {
    // Guards the map for the length of a look-up, an insertion or a removal.
    open: Mutex<Open>,
    acknowledged: AtomicU64,
    /// Why brokers do not answer, as of the last error.
    trouble: Mutex<Option<(NoticeKind, String)>>,
}

#[derive(Default)]
struct Open {
    last: u32,
    groups: HashMap<u32, Arc<Group>>,
}

/// One group.
struct Group {
    /// Messages without an outcome.
    left: AtomicUsize,
    failed: Mutex<Vec<(usize, Code)>>,
    done: Notify,
}

/// A group that somebody waits for. Dropping it forgets the group, whatever becomes of its messages.
pub(super) struct OpenGroup<'c> {
    context: &'c Context,
    number: u32,
    group: Arc<Group>,
}

impl Context {
    /// A group of so many messages.
    pub(super) fn open(&self, messages: usize) -> OpenGroup<'_> {
        let group = Arc::new(Group { left: AtomicUsize::new(messages), failed: Mutex::default(), done: Notify::new() });
        let mut open = lock(&self.open);
        open.last = open.last.wrapping_add(1);
        let number = open.last;
        open.groups.insert(number, Arc::clone(&group));
        OpenGroup { context: self, number, group }
    }

    /// Messages that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Why nothing is acknowledged.
    pub(super) fn trouble(&self) -> String {
        let told = lock(&self.trouble).as_ref().map(|(_, text)| text.clone());
        told.unwrap_or_else(|| {
            "no Kafka broker acknowledges; see whether the leaders of the topic's partitions are up, and `min.insync.replicas` \
             replicas with them"
                .to_owned()
        })
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        let (number, row) = ((ticket >> ROW_BITS) as u32, ticket & u32::MAX as usize);
        let group = lock(&self.open).groups.get(&number).map(Arc::clone);
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                if let Some(group) = group {
                    group.settle();
                }
            }
            Err((error, _)) => {
                if let Some(group) = group {
                    group.failed(row, error.rdkafka_error_code().unwrap_or(Code::Unknown));
                }
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters also arrives as an error; this is for those who search for a fault.
        tracing::debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        let code = error.rdkafka_error_code();
        let told = explain(code, reason);
        let Some((kind @ (NoticeKind::Away | NoticeKind::Authentication), text)) = told else { return };
        let mut trouble = lock(&self.trouble);
        // That brokers cannot be reached only follows from their refusal to let us in, and that none can from what each one said.
        let follows = match &*trouble {
            Some((NoticeKind::Authentication, _)) => kind != NoticeKind::Authentication,
            Some(_) => code == Some(Code::AllBrokersDown),
            None => false,
        };
        if !follows {
            *trouble = Some((kind, text));
        }
    }
}

impl Group {
    /// One more message has its outcome.
    fn settle(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    fn failed(&self, row: usize, code: Code) {
        lock(&self.failed).push((row, code));
        self.settle();
    }
}

impl OpenGroup<'_> {
    /// What a message of the group carries, so that its outcome is counted here.
    pub(super) fn ticket(&self, row: usize) -> usize {
        (self.number as usize) << ROW_BITS | row
    }

    /// A message that was not even taken.
    pub(super) fn failed(&self, row: usize, code: Code) {
        self.group.failed(row, code);
    }

    /// Whether every message has its outcome.
    pub(super) fn is_done(&self) -> bool {
        self.group.left.load(Ordering::Acquire) == 0
    }

    /// Ready when every message has its outcome; for one waiter.
    pub(super) async fn done(&self) {
        self.group.done.notified().await;
    }

    /// The messages that failed, in their order.
    pub(super) fn into_failed(self) -> Vec<(usize, Code)> {
        let mut failed = std::mem::take(&mut *lock(&self.group.failed));
        failed.sort_unstable_by_key(|(row, _)| *row);
        if failed.is_empty() {
            *lock(&self.context.trouble) = None;
        }
        failed
    }
}

impl Drop for OpenGroup<'_> {
    fn drop(&mut self) {
        lock(&self.context.open).groups.remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_all_brokers_are_down_hides_neither_what_one_said_nor_a_refusal() {
        let context = Context::default();
        let says = |code, reason| {
            context.error(ClientError::Global(code), reason);
            context.trouble()
        };
        let all = says(Code::AllBrokersDown, "1/2 brokers are down");
        assert!(all.contains("cannot be reached") && !all.contains("1/2"), "{all}");
        assert!(says(Code::BrokerTransportFailure, "b:1: refused").contains("b:1: refused"));
        assert!(says(Code::AllBrokersDown, "2/2 brokers are down").contains("b:1: refused"));
        assert!(says(Code::BrokerTransportFailure, "b:1: timed out").contains("b:1: timed out"));
        let refused = says(Code::Authentication, "wrong password");
        assert!(refused.contains("wrong password"), "{refused}");
        assert_eq!(says(Code::BrokerTransportFailure, "b:1: refused"), refused);
        assert_eq!(says(Code::AllBrokersDown, "2/2 brokers are down"), refused);
    }
}
