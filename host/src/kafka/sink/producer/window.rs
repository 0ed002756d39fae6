//! One partition's batches on their way, in order: what waits, what is sent, and the sequence numbers by which a broker tells a batch
//! that comes again (KIP-98). No clock and no I/O.
//!
//! Batches are numbered when they are first sent, and once the first is stored several may be under way. When one of them fails,
//! nothing more is sent until the outcome of all is known. Then those that were not stored are sent again, by the same numbers: a broker
//! that has one answers that it has. It remembers only the last few, so what may be stored is sent alone until that is known.
//!
//! After a batch was given up the ones behind it are numbered anew. If a broker may have stored what was given up, or has lost count,
//! they are numbered for another producer id, from zero: a number that was used for other records could be taken for a repeat, and
//! what was sent by it be lost.

use std::collections::VecDeque;

use super::code::Code;

/// Batches of a partition that may be under way: a broker remembers as many.
const SENT_MAX: usize = 5;

/// Who numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProducerId {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored.
    Stored,
    /// It is not stored; try again.
    Passing,
    /// Nobody knows; try again.
    Open,
    /// A batch before it is missing.
    OutOfOrder,
    /// The brokers do not know the producer any more.
    Forgotten,
    /// It is not taken.
    Refused(Refusal),
}

/// Why a batch is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// The records to blame, by their place, where the broker says so.
    pub(super) records: Vec<u32>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, records: Vec::new() }
    }
}

/// How a batch is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    /// Names this sending.
    pub(super) ticket: u64,
    pub(super) producer: ProducerId,
    pub(super) sequence: i32,
}

struct Queued<B> {
    batch: B,
    records: i32,
    /// Once it was sent.
    sequence: Option<i32>,
    /// Whether it may be stored.
    is_open: bool,
}

struct Sent<B> {
    ticket: u64,
    queued: Queued<B>,
    outcome: Option<Outcome>,
}

/// See the module.
pub(super) struct Window<B> {
    waiting: VecDeque<Queued<B>>,
    sent: VecDeque<Sent<B>>,
    producer: Option<ProducerId>,
    next: i32,
    /// Whether a batch of this producer is stored.
    is_known: bool,
    last_ticket: u64,
    has_failed: bool,
}

impl<B> Default for Window<B> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            producer: None,
            next: 0,
            is_known: false,
            last_ticket: 0,
            has_failed: false,
        }
    }
}

impl<B> Window<B> {
    /// Takes a batch of so many records.
    pub(super) fn push(&mut self, batch: B, records: i32) {
        self.waiting.push_back(Queued { batch, records, sequence: None, is_open: false });
    }

    /// Whether [`send`](Self::send) has something, once there is a producer id.
    fn is_ready(&self) -> bool {
        // A broker that knows nothing of a producer takes any number for its first, and it forgets a batch when others were stored behind it.
        let is_open = |queued: Option<&Queued<B>>| queued.is_some_and(|queued| queued.is_open);
        let goes_alone =
            !self.is_known || is_open(self.waiting.front()) || is_open(self.sent.front().map(|sent| &sent.queued));
        let sent_max = if goes_alone { 1 } else { SENT_MAX };
        !self.has_failed && !self.waiting.is_empty() && self.sent.len() < sent_max
    }

    /// Whether batches wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether an id is needed before anything more can be sent.
    pub(super) fn needs_producer(&self) -> bool {
        self.producer.is_none() && self.sent.is_empty() && !self.waiting.is_empty()
    }

    /// Numbers from zero for `producer`, which numbered nothing of this partition yet.
    pub(super) fn set_producer(&mut self, producer: ProducerId) {
        (self.producer, self.next, self.is_known) = (Some(producer), 0, false);
    }

    /// The next batch to be sent.
    pub(super) fn send(&mut self) -> Option<(&B, Numbered)> {
        let producer = self.producer?;
        if !self.is_ready() {
            return None;
        }
        let mut queued = self.waiting.pop_front()?;
        let sequence = *queued.sequence.get_or_insert(self.next);
        if sequence == self.next {
            self.next = after(sequence, queued.records);
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.sent.push_back(Sent { ticket, queued, outcome: None });
        let batch = &self.sent.back()?.queued.batch;
        Some((batch, Numbered { ticket, producer, sequence }))
    }

    /// What became of a sending. Gives each batch that is over to `over`, with why it was not stored.
    pub(super) fn settle(&mut self, ticket: u64, outcome: Outcome, mut over: impl FnMut(B, Option<Refusal>)) {
        let Some(index) = self.sent.iter().position(|sent| sent.ticket == ticket) else { return };
        if outcome == Outcome::Stored {
            self.is_known = true;
            if let Some(sent) = self.sent.remove(index) {
                over(sent.queued.batch, None);
            }
        } else {
            self.has_failed = true;
            self.sent[index].outcome = Some(outcome);
        }
        if self.has_failed && self.sent.iter().all(|sent| sent.outcome.is_some()) {
            self.begin_again(over);
        }
    }

    /// Everything under way has its outcome, and what is left of it was not stored, or may not have been.
    fn begin_again(&mut self, mut over: impl FnMut(B, Option<Refusal>)) {
        let first = self.sent.front().and_then(|sent| sent.queued.sequence);
        let (mut lost_count, mut refused, mut open) = (false, false, false);
        let mut back = VecDeque::new();
        for Sent { mut queued, outcome, .. } in self.sent.drain(..) {
            match outcome.unwrap_or(Outcome::Open) {
                Outcome::Refused(refusal) => {
                    refused = true;
                    open |= queued.is_open;
                    over(queued.batch, Some(refusal));
                    continue;
                }
                Outcome::Open => queued.is_open = true,
                Outcome::OutOfOrder => lost_count |= back.is_empty() && !refused,
                Outcome::Forgotten => lost_count = true,
                Outcome::Stored | Outcome::Passing => {}
            }
            open |= queued.is_open;
            back.push_back(queued);
        }
        if lost_count || refused && open {
            self.producer = None;
        } else if refused && let Some(first) = first {
            self.next = first;
        }
        if self.producer.is_none() || refused {
            back.iter_mut().chain(&mut self.waiting).for_each(|queued| queued.sequence = None);
        }
        back.append(&mut self.waiting);
        self.waiting = back;
        self.has_failed = false;
    }

    /// Gives back what waits and was never sent.
    pub(super) fn give_up_waiting(&mut self, mut over: impl FnMut(B)) {
        let (sent, unsent): (VecDeque<_>, VecDeque<_>) =
            self.waiting.drain(..).partition(|queued| queued.sequence.is_some() || queued.is_open);
        self.waiting = sent;
        unsent.into_iter().for_each(|queued| over(queued.batch));
    }

    /// Gives back everything that waits; what follows is numbered anew.
    pub(super) fn give_up(&mut self, mut over: impl FnMut(B)) {
        self.producer = None;
        self.waiting.drain(..).for_each(|queued| over(queued.batch));
    }
}

/// The sequence number after `records` records: it wraps to zero.
fn after(sequence: i32, records: i32) -> i32 {
    sequence.wrapping_add(records) & i32::MAX
}

#[cfg(test)]
mod tests;
