//! The producer, and handing a message to it. Headers go over as bytes: names that are no UTF-8 are carried on as they came.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_void};
use std::ptr::{self, NonNull};

use rdkafka::ClientConfig;
use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_header_add, rd_kafka_headers_destroy, rd_kafka_headers_new, rd_kafka_headers_t,
    rd_kafka_producev, rd_kafka_topic_destroy, rd_kafka_topic_new, rd_kafka_topic_t, rd_kafka_vtype_t as Part,
};
use rdkafka::error::{IsError, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer, PurgeConfig, ThreadedProducer};

use super::frame::Frame;
use super::groups::Context;
use crate::kafka::{KafkaError, options};

/// A producer with its topics.
pub(super) struct Client {
    // They must not outlive the producer: the first field, dropped before it.
    topics: Vec<Topic>,
    producer: ThreadedProducer<Context>,
}

/// librdkafka's handle of a topic.
struct Topic(NonNull<rd_kafka_topic_t>);

// SAFETY: librdkafka's handles may be used, and destroyed, by any thread.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and its producer is still there.
        unsafe { rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// Headers that no message has taken over.
struct Headers(*mut rd_kafka_headers_t);

impl Headers {
    fn new(count: usize) -> Self {
        // SAFETY: makes an empty list.
        Self(unsafe { rd_kafka_headers_new(count) })
    }

    fn add(&mut self, name: &[u8], value: Option<&[u8]>) {
        let (start, length) = parts(value);
        // SAFETY: the list is ours; name and value are copied.
        unsafe {
            rd_kafka_header_add(
                self.0,
                name.as_ptr().cast::<c_char>(),
                name.len().cast_signed(),
                start.cast_const(),
                length.cast_signed(),
            );
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list is ours.
            unsafe { rd_kafka_headers_destroy(self.0) }
        }
    }
}

impl Client {
    /// # Errors
    /// A setting is refused.
    pub(super) fn new(settings: &ClientConfig, topics: &[String]) -> Result<Self, KafkaError> {
        let producer: ThreadedProducer<Context> =
            settings.create_with_context(Context::default()).map_err(|error| options::refused(&error))?;
        let client = producer.client().native_ptr();
        let topic = |name: &String| {
            let text = CString::new(name.as_str()).map_err(|_| KafkaError::NoTopic(name.clone()))?;
            // SAFETY: the client is alive; the name is copied; null settings are the client's own.
            let topic = unsafe { rd_kafka_topic_new(client, text.as_ptr(), ptr::null_mut()) };
            NonNull::new(topic).map(Topic).ok_or_else(|| KafkaError::NoTopic(name.clone()))
        };
        let topics = topics.iter().map(topic).collect::<Result<_, _>>()?;
        Ok(Self { topics, producer })
    }

    /// What its callbacks know.
    pub(super) fn context(&self) -> &Context {
        self.producer.client().context()
    }

    /// Takes a message over, to be sent in its order; never waits. The outcome comes with `ticket`.
    ///
    /// # Errors
    /// The message was not taken.
    pub(super) fn produce(&self, message: &Frame<'_>, ticket: usize) -> Result<(), Code> {
        let mut headers = Headers::new(message.headers());
        let value = message.walk(|(name, value)| headers.add(name, value));
        let (key, key_bytes) = parts(message.key);
        let (value, value_bytes) = parts(value);
        // SAFETY: client and topic are alive; key and value are copied; the arguments are those that each part asks for. The headers
        // are the message's own once it is taken.
        let error = unsafe {
            rd_kafka_producev(
                self.producer.client().native_ptr(),
                Part::RD_KAFKA_VTYPE_RKT,
                self.topics[message.topic].0.as_ptr(),
                Part::RD_KAFKA_VTYPE_MSGFLAGS,
                RD_KAFKA_MSG_F_COPY,
                Part::RD_KAFKA_VTYPE_VALUE,
                value,
                value_bytes,
                Part::RD_KAFKA_VTYPE_KEY,
                key,
                key_bytes,
                Part::RD_KAFKA_VTYPE_OPAQUE,
                ticket as *mut c_void,
                Part::RD_KAFKA_VTYPE_HEADERS,
                headers.0,
                Part::RD_KAFKA_VTYPE_END,
            )
        };
        if error.is_error() {
            return Err(error.into());
        }
        headers.0 = ptr::null_mut();
        Ok(())
    }

    /// Whether it will never send anything more.
    pub(super) fn is_broken(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }

    /// Becomes [broken](Self::is_broken), as by an error that only a new producer mends.
    #[cfg(test)]
    pub(super) fn fail_for_good(&self) {
        let client = self.producer.client().native_ptr();
        // SAFETY: the client is alive; the reason is copied.
        unsafe {
            rdkafka::bindings::rd_kafka_test_fatal_error(
                client,
                rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                c"a test".as_ptr(),
            );
        }
    }

    /// Has everything fail that is not acknowledged.
    pub(super) fn give_up(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

/// Start and length; null for null, and never for what is empty.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len()))
}
