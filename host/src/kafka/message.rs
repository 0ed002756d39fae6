//! Messages as librdkafka hands them out, kept where they are: a batch lends their bytes from the buffers in which they
//! were fetched and unpacked, and frees them when it is gone.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::bindings::{
    rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_destroy, rd_kafka_message_headers,
    rd_kafka_message_leader_epoch, rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_timestamp_type_t,
};
use rdkafka::consumer::BaseConsumer;
use wasmill_core::{HeaderRef, Lender};

use super::context::Context;

/// A message, or an error. Whoever holds one holds its client too, and longer.
pub(super) struct Message(NonNull<rd_kafka_message_t>);

// SAFETY: librdkafka's messages may be used, and destroyed, by any thread.
unsafe impl Send for Message {}
// SAFETY: what `&self` reaches only reads what nobody changes; `parse_headers` asks its caller for more.
unsafe impl Sync for Message {}

impl Message {
    /// Takes over a message; `None` for null.
    ///
    /// # Safety
    /// It is null, or a message of librdkafka that nobody else destroys, before which its client does not go.
    pub(super) unsafe fn own(message: *mut rd_kafka_message_t) -> Option<Self> {
        NonNull::new(message).map(Self)
    }

    fn raw(&self) -> &rd_kafka_message_t {
        // SAFETY: the message is ours and lives as long as `self`; nobody changes the struct. Its `err` is not read through
        // this reference (see `error`).
        unsafe { self.0.as_ref() }
    }

    /// The error's number by `rd_kafka_resp_err_t`; 0 for an event.
    pub(super) fn error(&self) -> i32 {
        // SAFETY: `err` is a C enum of this size. It is read as a number, since a broker may send one that the Rust enum
        // does not list.
        unsafe { ptr::addr_of!((*self.0.as_ptr()).err).cast::<i32>().read() }
    }

    /// The offset; of an error: the one it is about.
    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The value, or an error's text; `None` is null.
    pub(super) fn payload(&self) -> Option<&[u8]> {
        // SAFETY: librdkafka keeps `payload` and `len` together, valid as long as the message.
        unsafe { bytes(self.raw().payload, self.raw().len) }
    }

    /// The key; `None` is null.
    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: as for `payload`.
        unsafe { bytes(self.raw().key, self.raw().key_len) }
    }

    /// The record's time in milliseconds since 1970, if it has one.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid; librdkafka writes one of its three kinds.
        let time = unsafe { rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        (kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }

    /// The leader's epoch, which never falls within one topic; -1 where the broker tells none.
    pub(super) fn leader_epoch(&self) -> i32 {
        // SAFETY: the message is valid.
        unsafe { rd_kafka_message_leader_epoch(self.0.as_ptr()) }
    }

    /// The headers, in order. Parsing them costs some 70 ns, even where there are none.
    ///
    /// # Safety
    /// No other thread is in this function for the same message: the first call makes the parsed form, which then stays as
    /// it is.
    unsafe fn parse_headers(&self) -> Vec<HeaderRef<'_>> {
        let mut found = Vec::new();
        let mut headers: *mut rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the message is valid, and by the caller's promise its parsed form is made only here. The headers, when
        // there are any, belong to it. Errors (none there, malformed) leave null.
        let error = unsafe { rd_kafka_message_headers(self.0.as_ptr(), &mut headers) } as i32;
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

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: by the promise to `own`, nobody else destroys it, and its client is still there.
        unsafe { rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// The messages of one batch.
pub(super) struct Messages {
    held: Vec<Held>,
    /// Held while headers are parsed: the only thing that changes a message.
    parsing: Mutex<()>,
    /// Messages must not outlive their client: the last field, dropped after them.
    _consumer: Arc<BaseConsumer<Context>>,
}

struct Held {
    /// The message's payload, beside the others': whoever walks a batch's payloads need not touch the messages.
    payload: Option<NonNull<[u8]>>,
    message: Message,
}

// SAFETY: `payload` is part of `message`, which is `Send`.
unsafe impl Send for Held {}
// SAFETY: `payload` is only read, as `message` is, which is `Sync`.
unsafe impl Sync for Held {}

impl Messages {
    /// Room for messages of one client.
    pub(super) fn of(consumer: Arc<BaseConsumer<Context>>) -> Self {
        Self { held: Vec::new(), parsing: Mutex::new(()), _consumer: consumer }
    }

    /// Makes room ahead for so many more.
    pub(super) fn reserve(&mut self, messages: usize) {
        self.held.reserve(messages);
    }

    /// Keeps one more, of the same client.
    pub(super) fn push(&mut self, message: Message) {
        let payload = message.payload().map(NonNull::from);
        self.held.push(Held { payload, message });
    }
}

impl Lender for Messages {
    #[inline]
    fn payload(&self, index: usize) -> Option<&[u8]> {
        // SAFETY: it points to the message's payload, which stays as it is as long as the message, and so as long as `self`.
        self.held[index].payload.map(|payload| unsafe { payload.as_ref() })
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.held[index].message.key()
    }

    fn headers(&self, index: usize) -> Vec<HeaderRef<'_>> {
        // Nothing that could be left half done is guarded by it.
        let _parsing = self.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the lock keeps every other thread away.
        unsafe { self.held[index].message.parse_headers() }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("len", &self.held.len()).finish_non_exhaustive()
    }
}

/// # Safety
/// `start` is null or the start of `length` bytes that live, unchanged, for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller's promise.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}
