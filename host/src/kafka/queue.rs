//! One partition's own queue, read many messages at a call through librdkafka's C interface.
//!
//! The safe wrapper hands out messages one by one, at twice the cost. Here a call moves up to a few hundred of them out of
//! the partition's queue. Only a queue that was split off may be read like this: on the consumer's own queue the same
//! call would swallow rebalance events.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_message_t, rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy,
    rd_kafka_queue_forward, rd_kafka_queue_get_partition, rd_kafka_queue_length, rd_kafka_queue_t, rd_kafka_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::Notify;

use super::context::Context;
use super::message::Message;

/// Messages taken from the queue by one call.
const TAKEN_MAX: usize = 512;

/// The split queue of one partition, and what was taken out of it but not yet handed on.
pub(super) struct PartitionQueue {
    queue: NonNull<rd_kafka_queue_t>,
    taken: VecDeque<Message>,
    /// Notified by librdkafka's threads whenever the queue gets its first entry. The callback holds a plain pointer to
    /// it; `drop` takes the callback away before this reference goes.
    wake: Arc<Notify>,
    /// Messages and queue must not outlive their client: the last field, dropped after them.
    consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues may be used from any thread, one at a time; `&mut self` is required for every call on this
// one, and the callback touches nothing but the `Notify`, which is `Sync`.
unsafe impl Send for PartitionQueue {}
// SAFETY: `&self` gives no access to the queue.
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
        let mut split = Self { queue, taken: VecDeque::with_capacity(TAKEN_MAX), wake, consumer };
        while split.front().is_some() {
            split.taken.clear();
        }
        Some(split)
    }

    /// The next message, without waiting. After `None` the queue was empty, and its next message wakes the reader.
    pub(super) fn front(&mut self) -> Option<&Message> {
        if self.taken.is_empty() {
            self.take();
        }
        self.taken.front()
    }

    /// Takes the message that `front` showed. It must not outlive the [`consumer`](Self::consumer).
    pub(super) fn take_front(&mut self) -> Option<Message> {
        self.taken.pop_front()
    }

    fn take(&mut self) {
        let mut messages = [ptr::null_mut::<rd_kafka_message_t>(); TAKEN_MAX];
        // SAFETY: the queue is valid and the array has room for `TAKEN_MAX` pointers.
        let count = unsafe { rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.as_mut_ptr(), TAKEN_MAX) };
        // On an error it is negative, and there are none.
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the first `count` pointers are messages that now belong to us, each of them once.
        let messages = messages[..count].iter().filter_map(|message| unsafe { Message::own(*message) });
        self.taken.extend(messages);
    }

    /// How many messages there are, and how many of other kinds of entries.
    pub(super) fn len(&self) -> usize {
        // SAFETY: the queue is valid.
        self.taken.len() + unsafe { rd_kafka_queue_length(self.queue.as_ptr()) }
    }

    /// The client that the messages are of.
    pub(super) fn consumer(&self) -> &Arc<BaseConsumer<Context>> {
        &self.consumer
    }

    /// What librdkafka notifies when the queue is no longer empty.
    pub(super) fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the queue is valid and this is its only handle; no callback runs after the first call (see
        // `wake_reader`), so `wake` may go.
        unsafe {
            rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}
