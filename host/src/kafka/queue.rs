//! One partition's own queue, read many messages at a call through librdkafka's C interface.
//!
//! The safe wrapper hands out messages one by one, each keeping a whole fetch buffer alive, at twice the cost. Here a
//! call moves up to a few hundred message pointers out of the partition's queue; the caller copies each message's
//! bytes and drops it at once. Only a queue that was split off may be read like this: on the consumer's own queue the
//! same call would swallow rebalance events.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_destroy,
    rd_kafka_message_headers, rd_kafka_message_leader_epoch, rd_kafka_message_t, rd_kafka_message_timestamp,
    rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy, rd_kafka_queue_forward, rd_kafka_queue_get_partition,
    rd_kafka_queue_t, rd_kafka_t, rd_kafka_timestamp_type_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::Notify;

use super::context::Context;

/// Message pointers taken from the queue by one call.
const TAKEN_MAX: usize = 512;

/// The split queue of one partition, and what was taken from it but not yet dropped.
pub(super) struct PartitionQueue {
    queue: NonNull<rd_kafka_queue_t>,
    /// Each pointer is a message that this struct owns and that is destroyed exactly once: by `drop_front` or `drop`.
    taken: VecDeque<NonNull<rd_kafka_message_t>>,
    /// Notified by librdkafka's threads whenever the queue gets its first entry. The callback holds a plain pointer to
    /// it; `drop` takes the callback away before this reference goes.
    wake: Arc<Notify>,
    /// Messages and queue must not outlive their client: the last field, dropped after `drop` has run.
    _consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues and messages may be used from any thread, one at a time; `&mut self` is required for
// every call that changes them, and the callback touches nothing but the `Notify`, which is `Sync`.
unsafe impl Send for PartitionQueue {}
// SAFETY: `&self` only reads messages that nobody changes while it is borrowed.
unsafe impl Sync for PartitionQueue {}

unsafe extern "C" fn wake_reader(_: *mut rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `split` passed a pointer to the `Notify` inside an `Arc` that lives until `drop` has disabled this
    // callback. librdkafka calls it with the queue's lock held and disabling takes that lock, so no call is under way
    // after it. `notify_one` does not unwind.
    unsafe { (*wake.cast::<Notify>()).notify_one() }
}

impl PartitionQueue {
    /// Splits the queue of a partition off the consumer's, and drops what an earlier assignment left in it. To be called
    /// before the partition is assigned; `wake` is notified when there is something to read.
    pub(super) fn split(
        consumer: Arc<BaseConsumer<Context>>,
        topic: &str,
        partition: i32,
        wake: Arc<Notify>,
    ) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive (`consumer`), the name is a C string; the result is null or a new reference to
        // the queue, which `drop` gives back.
        let queue = unsafe { rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition) };
        let queue = NonNull::new(queue)?;
        // SAFETY: the queue is valid; a null destination ends forwarding to the consumer's queue. The pointer to `wake`
        // stays valid until `drop` has disabled the callback (see `wake_reader`).
        unsafe {
            rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            rd_kafka_queue_cb_event_enable(
                queue.as_ptr(),
                Some(wake_reader),
                Arc::as_ptr(&wake).cast_mut().cast::<c_void>(),
            );
        }
        let mut split = Self { queue, taken: VecDeque::with_capacity(TAKEN_MAX), wake, _consumer: consumer };
        while split.front().is_some() {
            split.drop_front();
        }
        Some(split)
    }

    /// The next message, without waiting. After `None` the queue was empty, and its next message wakes the reader.
    pub(super) fn front(&mut self) -> Option<Message<'_>> {
        if self.taken.is_empty() {
            self.take();
        }
        self.taken.front().map(|message| Message { message: *message, queue: PhantomData })
    }

    /// Drops the message that `front` showed.
    pub(super) fn drop_front(&mut self) {
        if let Some(message) = self.taken.pop_front() {
            // SAFETY: the message was owned by `taken`, which no longer has it.
            unsafe { rd_kafka_message_destroy(message.as_ptr()) }
        }
    }

    fn take(&mut self) {
        let mut messages = [ptr::null_mut::<rd_kafka_message_t>(); TAKEN_MAX];
        // SAFETY: the queue is valid and the array has room for `TAKEN_MAX` pointers. The first `count` of them are
        // messages that now belong to us; on an error `count` is negative and there are none.
        let count = unsafe { rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.as_mut_ptr(), TAKEN_MAX) };
        let count = usize::try_from(count).unwrap_or(0);
        self.taken.extend(messages[..count].iter().filter_map(|message| NonNull::new(*message)));
    }

    /// What librdkafka notifies when the queue is no longer empty.
    pub(super) fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        while !self.taken.is_empty() {
            self.drop_front();
        }
        // SAFETY: the queue is valid and this is its only handle; no callback runs after the first call (see
        // `wake_reader`), so `wake` may go.
        unsafe {
            rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// A message, or an error, at the front of a queue.
pub(super) struct Message<'q> {
    message: NonNull<rd_kafka_message_t>,
    queue: PhantomData<&'q PartitionQueue>,
}

impl<'q> Message<'q> {
    fn raw(&self) -> &'q rd_kafka_message_t {
        // SAFETY: the queue owns the message and is borrowed for `'q`; nobody changes the struct. Its `err` is not read
        // through this reference (see `error`).
        unsafe { self.message.as_ref() }
    }

    /// The error's number by `rd_kafka_resp_err_t`; 0 for an event.
    pub(super) fn error(&self) -> i32 {
        // SAFETY: `err` is a C enum of this size. It is read as a number, since a broker may send one that the Rust enum
        // does not list.
        unsafe { ptr::addr_of!((*self.message.as_ptr()).err).cast::<i32>().read() }
    }

    /// The offset; of an error: the one it is about.
    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The value, or an error's text; `None` is null.
    pub(super) fn payload(&self) -> Option<&'q [u8]> {
        // SAFETY: librdkafka keeps `payload` and `len` together, valid as long as the message.
        unsafe { bytes(self.raw().payload, self.raw().len) }
    }

    /// The key; `None` is null.
    pub(super) fn key(&self) -> Option<&'q [u8]> {
        // SAFETY: as for `payload`.
        unsafe { bytes(self.raw().key, self.raw().key_len) }
    }

    /// The record's time in milliseconds since 1970, if it has one.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid; librdkafka writes one of its three kinds.
        let time = unsafe { rd_kafka_message_timestamp(self.message.as_ptr(), &mut kind) };
        (kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }

    /// The leader's epoch, which never falls within one topic; -1 where the broker tells none.
    pub(super) fn leader_epoch(&self) -> i32 {
        // SAFETY: the message is valid.
        unsafe { rd_kafka_message_leader_epoch(self.message.as_ptr()) }
    }

    /// The headers, in order. An event without any costs no allocation.
    pub(super) fn headers(&self) -> Vec<(&'q [u8], Option<&'q [u8]>)> {
        let mut found = Vec::new();
        let mut headers: *mut rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the message is valid; the headers, when there are any, belong to it. Its parsed form is made on the
        // first call, under no other reference than this one. Errors (none there, malformed) leave null.
        let error = unsafe { rd_kafka_message_headers(self.message.as_ptr(), &mut headers) } as i32;
        if error != 0 || headers.is_null() {
            return found;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0);
            // SAFETY: the list is valid; beyond its end the call fails and writes nothing.
            let error = unsafe { rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size) } as i32;
            if error != 0 {
                break;
            }
            // SAFETY: the name is a C string and the value has `size` bytes, both of the message's own memory.
            found.push(unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value, size)) });
        }
        found
    }
}

/// # Safety
/// `start` is null or the start of `length` bytes that live, unchanged, for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}
