//! What a source yields: events of one partition in order, bytes in one arena.

use std::sync::Arc;

use crate::PartitionId;

/// A byte range of a batch's arena. Arenas stay below 4 GiB: batches are cut by bytes long before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// As a slot: start << 32 | length.
    #[inline]
    pub const fn slot(self) -> u64 {
        (self.start as u64) << 32 | self.len as u64
    }

    /// The range that a slot names.
    #[inline]
    pub const fn of_slot(slot: u64) -> Self {
        Self { start: (slot >> 32) as u32, len: slot as u32 }
    }

    /// The bytes it names in `arena`; `None` when it reaches outside.
    #[inline]
    pub fn get(self, arena: &[u8]) -> Option<&[u8]> {
        arena.get(self.start as usize..self.start as usize + self.len as usize)
    }
}

/// One event as received. Spans are ranges of the batch's arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition; for a file the byte at which its line starts.
    pub offset: i64,
    /// Its own time, nanoseconds since 1970 (UTC): the record's timestamp, else its arrival.
    pub timestamp_ns: i64,
    /// The payload; `None` is a tombstone (a Kafka record whose value is null).
    pub payload: Option<Span>,
    /// The payload's whole length in bytes where the source kept only its beginning because it was over the source's
    /// limit (a line of a file); else `None`.
    pub cut_from: Option<u64>,
    /// The key, if any.
    pub key: Option<Span>,
    /// First header and number of headers in [`RawBatch::headers`].
    pub headers: (u32, u32),
}

/// A header: name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name's bytes.
    pub name: Span,
    /// The value's bytes; `None` is null.
    pub value: Option<Span>,
}

/// Events of one partition in offset order, their bytes copied once into one arena.
#[derive(Clone, Debug)]
pub struct RawBatch {
    partition: Arc<PartitionId>,
    arena: Vec<u8>,
    records: Vec<Record>,
    headers: Vec<Header>,
    first_offset: i64,
    next_offset: i64,
}

impl RawBatch {
    /// An empty batch that begins at `first_offset`: the offset from which the partition is read on.
    pub fn new(partition: Arc<PartitionId>, first_offset: i64) -> Self {
        Self {
            partition,
            arena: Vec::new(),
            records: Vec::new(),
            headers: Vec::new(),
            first_offset,
            next_offset: first_offset,
        }
    }

    /// Makes room ahead for `records` events and `bytes` bytes.
    pub fn reserve(&mut self, records: usize, bytes: usize) {
        self.records.reserve(records);
        self.arena.reserve(bytes);
    }

    /// Copies one event in. Offsets must rise (several alerts of one event share its offset); the batch then ends after
    /// `offset`.
    ///
    /// # Panics
    /// When `offset` lies before the last one, or the arena would pass 4 GiB.
    pub fn push<'a>(
        &mut self,
        offset: i64,
        timestamp_ns: i64,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        let repeated = self.records.last().is_some_and(|record| record.offset == offset);
        assert!(repeated || offset >= self.next_offset, "offsets rise within a batch: {offset} < {}", self.next_offset);
        let key = key.map(|bytes| self.copy(bytes));
        let payload = payload.map(|bytes| self.copy(bytes));
        let first_header = self.headers.len() as u32;
        for (name, value) in headers {
            let name = self.copy(name);
            let value = value.map(|bytes| self.copy(bytes));
            self.headers.push(Header { name, value });
        }
        let headers = (first_header, self.headers.len() as u32 - first_header);
        self.records.push(Record { offset, timestamp_ns, payload, cut_from: None, key, headers });
        self.next_offset = offset + 1;
    }

    /// Says of the last event that its payload is only the beginning of `length` bytes.
    ///
    /// # Panics
    /// When the batch is empty.
    pub fn mark_cut(&mut self, length: u64) {
        self.records.last_mut().expect("an event was pushed").cut_from = Some(length);
    }

    /// Moves the end on to `next_offset`, past what holds no event (control records, a line's newline).
    ///
    /// # Panics
    /// When that would move the end back.
    pub fn advance_to(&mut self, next_offset: i64) {
        assert!(next_offset >= self.next_offset, "a batch's end only moves on");
        self.next_offset = next_offset;
    }

    fn copy(&mut self, bytes: &[u8]) -> Span {
        let start = u32::try_from(self.arena.len()).expect("batches are cut far below 4 GiB");
        self.arena.extend_from_slice(bytes);
        u32::try_from(self.arena.len()).expect("batches are cut far below 4 GiB");
        Span { start, len: bytes.len() as u32 }
    }

    /// The partition that all events are of.
    pub fn partition(&self) -> &Arc<PartitionId> {
        &self.partition
    }

    /// The events.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Where the batch begins: its offsets are [first, next).
    pub fn first_offset(&self) -> i64 {
        self.first_offset
    }

    /// The offset to read on from once the batch is committed.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no event. Such a batch may still move the position on.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all keys, payloads and headers.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The bytes of a span of this batch.
    #[inline]
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..span.start as usize + span.len as usize]
    }

    /// The payload of event `index`; `None` for a tombstone.
    #[inline]
    pub fn payload(&self, index: usize) -> Option<&[u8]> {
        self.records[index].payload.map(|span| self.slice(span))
    }

    /// The key of event `index`.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.records[index].key.map(|span| self.slice(span))
    }

    /// The headers of event `index`, in order.
    pub fn headers(&self, index: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let (first, count) = self.records[index].headers;
        self.headers[first as usize..(first + count) as usize]
            .iter()
            .map(|header| (self.slice(header.name), header.value.map(|span| self.slice(span))))
    }
}
