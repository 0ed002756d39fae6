//! Requests for which the safe wrapper of librdkafka has no call: topic ids, cached watermarks, the position.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_AclOperation_t, rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
    rd_kafka_AdminOptions_set_broker, rd_kafka_AdminOptions_set_include_authorized_operations,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names,
    rd_kafka_TopicDescription_authorized_operations, rd_kafka_TopicDescription_error, rd_kafka_TopicDescription_name,
    rd_kafka_TopicDescription_t, rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str, rd_kafka_admin_op_t,
    rd_kafka_error_name, rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error_string,
    rd_kafka_event_t, rd_kafka_get_watermark_offsets, rd_kafka_position, rd_kafka_queue_destroy, rd_kafka_queue_new,
    rd_kafka_queue_poll,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

/// The base64 form of the id that stands for "no id".
const ZERO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// What the brokers say of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicState {
    /// Its name.
    pub(super) name: String,
    /// Its id; empty where the brokers have none (before Kafka 2.8).
    pub(super) id: Result<String, TopicProblem>,
    /// Whether this user may write to it; `None` where that was not asked, or the brokers do not tell.
    pub(super) may_write: Option<bool>,
}

/// Why a topic has no id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TopicProblem {
    /// It is not there.
    Absent,
    /// This user may not see it.
    NotAllowed,
    /// Anything else, by librdkafka's name.
    Other(String),
}

/// Asks the brokers for `names`, and `with_rights` also for what this user may do. Blocks for at most about `timeout`.
///
/// # Errors
/// The client library's sentence when no broker answered.
pub(super) fn describe_topics<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    names: &[String],
    with_rights: bool,
    timeout: Duration,
) -> Result<Vec<TopicState>, String> {
    let client = consumer.client().native_ptr();
    let broker = any_broker(consumer, names, timeout)?;
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut message = [0 as c_char; 256];
    // SAFETY: the client is alive, since the consumer is borrowed. Collection, options and queue are made here and destroyed
    // here; the request copies what it needs. The event is null or ours until it is destroyed, and everything read
    // from it is copied before that.
    unsafe {
        let collection = rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = rd_kafka_AdminOptions_new(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, message.as_mut_ptr(), message.len());
        rd_kafka_AdminOptions_set_broker(options, broker, message.as_mut_ptr(), message.len());
        // Fails only for requests of another kind.
        rd_kafka_AdminOptions_set_include_authorized_operations(options, i32::from(with_rights));
        let queue = rd_kafka_queue_new(client);
        rd_kafka_DescribeTopics(client, collection, options, queue);
        let event = rd_kafka_queue_poll(queue, timeout_ms.saturating_add(1_000));
        let states = if event.is_null() { Err("no answer in time".to_owned()) } else { described(event) };
        rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_TopicCollection_destroy(collection);
        states
    }
}

/// A broker that answers: any of them knows every topic. The library would wait for the controller, which may be away
/// and which the demo's broker does not have.
fn any_broker<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    names: &[String],
    timeout: Duration,
) -> Result<i32, String> {
    let metadata =
        consumer.fetch_metadata(names.first().map(String::as_str), timeout).map_err(|error| error.to_string())?;
    match metadata.orig_broker_id() {
        -1 => metadata.brokers().first().map(|broker| broker.id()).ok_or_else(|| "no broker is known".to_owned()),
        id => Ok(id),
    }
}

/// # Safety
/// `event` is a live event.
unsafe fn described(event: *mut rd_kafka_event_t) -> Result<Vec<TopicState>, String> {
    // SAFETY: `result` is null or lives as long as the event, as do its descriptions, of which there are `count`.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err("an answer of another kind".to_owned());
        }
        let mut count = 0;
        let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return Err(text(rd_kafka_event_error_string(event)));
        }
        Ok((0..count)
            .map(|index| {
                let topic = *topics.add(index);
                let error = rd_kafka_TopicDescription_error(topic);
                let problem = if error.is_null() { String::new() } else { text(rd_kafka_error_name(error)) };
                let id = match problem.as_str() {
                    "" | "NO_ERROR" => {
                        Ok(topic_id(text(rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topic)))))
                    }
                    "UNKNOWN_TOPIC_OR_PART" | "UNKNOWN_TOPIC_ID" => Err(TopicProblem::Absent),
                    "TOPIC_AUTHORIZATION_FAILED" => Err(TopicProblem::NotAllowed),
                    _ => Err(TopicProblem::Other(problem)),
                };
                let name = text(rd_kafka_TopicDescription_name(topic));
                TopicState { name, id, may_write: may_write(topic) }
            })
            .collect())
    }
}

/// # Safety
/// `topic` is a live description.
unsafe fn may_write(topic: *const rd_kafka_TopicDescription_t) -> Option<bool> {
    // SAFETY: the operations, of which there are `count`, live as long as the description. They are read as numbers, since a
    // broker may name one that the Rust enum does not list.
    unsafe {
        let mut count = 0;
        let operations = rd_kafka_TopicDescription_authorized_operations(topic, &mut count).cast::<i32>();
        if operations.is_null() || count == 0 {
            return None;
        }
        Some(
            (0..count)
                .any(|index| *operations.add(index) == rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE as i32),
        )
    }
}

fn topic_id(base64: String) -> String {
    if base64 == ZERO_ID { String::new() } else { base64 }
}

/// # Safety
/// `string` is null or a C string that lives during the call.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: by the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// The high watermark of a partition as of the last fetch; `None` before the first. Asks nobody.
pub(super) fn high_watermark<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    let client = consumer.client().native_ptr();
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, since the consumer is borrowed; the call writes the two numbers at most.
    let error = unsafe { rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition, &mut low, &mut high) };
    (error as i32 == 0 && high >= 0).then_some(high)
}

/// The offset after the last event, or marker of a transaction, that was taken from the partition's queue; `None` before
/// the first. Asks nobody.
pub(super) fn position<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str, partition: i32) -> Option<i64> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic, partition);
    // SAFETY: client and list are alive, since they are borrowed; the call writes to the list only.
    let error = unsafe { rd_kafka_position(consumer.client().native_ptr(), list.ptr()) };
    match list.find_partition(topic, partition)?.offset() {
        Offset::Offset(offset) if error as i32 == 0 => Some(offset),
        _ => None,
    }
}
