//! What a source yields: events of one partition in order.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use crate::PartitionId;
use crate::documents::Documents;

/// A byte range of a text or an arena below 4 GiB.
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

/// One event as received; its bytes are asked of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition; for a file the byte at which its line starts.
    pub offset: i64,
    /// Its own time, nanoseconds since 1970 (UTC): the record's timestamp, else its arrival.
    pub timestamp_ns: i64,
    /// The payload's whole length in bytes where the source kept only its beginning because it was over the source's
    /// limit (a line of a file); else `None`.
    pub cut_from: Option<u64>,
}

/// A header: its name, and its value; `None` is null.
pub type HeaderRef<'a> = (&'a [u8], Option<&'a [u8]>);

/// The bytes of a batch's events in a source's own buffers, which stay as they are until the batch is gone. Events are named
/// by their index in the batch.
pub trait Lender: Debug + Send + Sync {
    /// The payload; `None` is a tombstone.
    fn payload(&self, index: usize) -> Option<&[u8]>;
    /// The key, if any.
    fn key(&self, index: usize) -> Option<&[u8]>;
    /// The headers, in order.
    fn headers(&self, index: usize) -> Vec<HeaderRef<'_>>;
}

/// Events of one partition in offset order, with the bytes of their payloads, keys and headers: copied into one arena,
/// or lent by the source.
#[derive(Clone, Debug)]
pub struct RawBatch {
    partition: Arc<PartitionId>,
    records: Vec<Record>,
    content: Content,
    /// What is scanned, where that is not the payloads themselves.
    documents: Option<Documents>,
    first_offset: i64,
    next_offset: i64,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
enum Content {
    Copied(Copied),
    Lent { lender: Arc<dyn Lender>, bytes: usize },
}

/// Bytes in an arena, and which of them are whose.
#[derive(Clone, Debug, Default)]
struct Copied {
    arena: Vec<u8>,
    events: Vec<CopiedEvent>,
    headers: Vec<(Span, Option<Span>)>,
}

/// The ranges of one event.
#[derive(Clone, Debug)]
struct CopiedEvent {
    payload: Option<Span>,
    key: Option<Span>,
    /// Of [`Copied::headers`].
    headers: Range<usize>,
}

impl Copied {
    fn push<'a>(
        &mut self,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = HeaderRef<'a>>,
    ) {
        let key = key.map(|bytes| self.copy(bytes));
        let payload = payload.map(|bytes| self.copy(bytes));
        let first_header = self.headers.len();
        for (name, value) in headers {
            let name = self.copy(name);
            let value = value.map(|bytes| self.copy(bytes));
            self.headers.push((name, value));
        }
        self.events.push(CopiedEvent { payload, key, headers: first_header..self.headers.len() });
    }

    fn copy(&mut self, bytes: &[u8]) -> Span {
        let start = u32::try_from(self.arena.len()).expect("batches are cut far below 4 GiB");
        self.arena.extend_from_slice(bytes);
        u32::try_from(self.arena.len()).expect("batches are cut far below 4 GiB");
        Span { start, len: bytes.len() as u32 }
    }

    #[inline]
    fn slice(&self, span: Span) -> &[u8] {
        span.get(&self.arena).expect("spans are made by `copy`")
    }

    fn headers(&self, index: usize) -> Vec<HeaderRef<'_>> {
        let headers = &self.headers[self.events[index].headers.clone()];
        headers.iter().map(|(name, value)| (self.slice(*name), value.map(|span| self.slice(span)))).collect()
    }
}

impl RawBatch {
    /// An empty batch that begins at `first_offset`: the offset from which the partition is read on. Events are copied in by
    /// [`push`](Self::push).
    pub fn new(partition: Arc<PartitionId>, first_offset: i64) -> Self {
        let content = Content::Copied(Copied::default());
        Self { partition, records: Vec::new(), content, documents: None, first_offset, next_offset: first_offset }
    }

    /// A batch that begins at `first_offset` and holds `records`, whose payloads and keys, `bytes` together, stay with
    /// `lender`.
    ///
    /// # Panics
    /// When offsets do not rise.
    pub fn lent(
        partition: Arc<PartitionId>,
        first_offset: i64,
        records: Vec<Record>,
        lender: Arc<dyn Lender>,
        bytes: usize,
    ) -> Self {
        let next_offset = records.iter().fold(first_offset, |next, record| {
            assert!(record.offset >= next, "offsets rise within a batch: {} < {next}", record.offset);
            record.offset + 1
        });
        let content = Content::Lent { lender, bytes };
        Self { partition, records, content, documents: None, first_offset, next_offset }
    }

    /// Copies one event in. Offsets must rise (several alerts of one event share its offset); the batch then ends after
    /// `offset`.
    ///
    /// # Panics
    /// When `offset` lies before the last one, the arena would pass 4 GiB, or the batch is a lent one.
    pub fn push<'a>(
        &mut self,
        offset: i64,
        timestamp_ns: i64,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = HeaderRef<'a>>,
    ) {
        let repeated = self.records.last().is_some_and(|record| record.offset == offset);
        assert!(repeated || offset >= self.next_offset, "offsets rise within a batch: {offset} < {}", self.next_offset);
        let Content::Copied(copied) = &mut self.content else { panic!("a lent batch has all its events") };
        copied.push(key, payload, headers);
        self.records.push(Record { offset, timestamp_ns, cut_from: None });
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

    /// Bytes of all keys and payloads, and of the headers where they were copied.
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Copied(copied) => copied.arena.len(),
            Content::Lent { bytes, .. } => *bytes,
        }
    }

    /// The payload of event `index`; `None` for a tombstone (a Kafka record whose value is null).
    #[inline]
    pub fn payload(&self, index: usize) -> Option<&[u8]> {
        match &self.content {
            Content::Copied(copied) => copied.events[index].payload.map(|span| copied.slice(span)),
            Content::Lent { lender, .. } => lender.payload(index),
        }
    }

    /// Has every payload of at most `bytes_max` bytes scanned as a text.
    pub(crate) fn read_as_text(&mut self, bytes_max: usize) {
        self.documents = Some(Documents::of_text(self, bytes_max));
    }

    /// What is scanned of event `index`: its payload, or the object that was made of it. `None` for a tombstone, and for what
    /// is no text where there should be one.
    #[inline]
    pub(crate) fn document(&self, index: usize) -> Option<&[u8]> {
        match &self.documents {
            None => self.payload(index),
            Some(documents) => documents.get(index),
        }
    }

    /// The key of event `index`, if any.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        match &self.content {
            Content::Copied(copied) => copied.events[index].key.map(|span| copied.slice(span)),
            Content::Lent { lender, .. } => lender.key(index),
        }
    }

    /// The headers of event `index`, in order.
    pub fn headers(&self, index: usize) -> Vec<HeaderRef<'_>> {
        match &self.content {
            Content::Copied(copied) => copied.headers(index),
            Content::Lent { lender, .. } => lender.headers(index),
        }
    }
}
