//! The columns of answers, filled on an engine thread.
//!
//! A thread remembers by text what it was told, so that an event costs one look into a table of its own; a text is asked about once
//! per batch at most. What is remembered holds as long as the answer does, so it changes no result.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::str;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::{Batch, LookupColumns, State};

use super::{Answers, Known, ReverseDns, UNKNOWN_FOR};

/// Texts of each length class that a thread remembers; then it forgets all.
const REMEMBERED_MAX: usize = 1 << 16;
/// Bytes of a text that is its own key.
const SHORT_BYTES_MAX: usize = 15;
/// Bytes of a text that may be an address or a host's name.
const TEXT_BYTES_MAX: usize = 253;

/// The answers that a batch was given, by address, for the record: `None` where it got none.
pub type LookedUp = BTreeMap<String, Option<Arc<str>>>;

/// What one engine thread remembers.
#[derive(Debug, Default)]
pub struct Memo {
    /// By the text's bytes and, in the last byte, their number: most addresses.
    short: HashMap<u128, Remembered>,
    long: HashMap<Box<[u8]>, Remembered>,
    /// Counts fillings.
    filling: u64,
}

/// What became of a batch's texts.
#[derive(Debug, Default)]
pub struct Filled {
    /// Addresses that nobody has answered for, perhaps more than once each.
    pub missing: Vec<IpAddr>,
    /// What was used, where it is wanted.
    pub looked_up: LookedUp,
}

#[derive(Debug, Default)]
struct Remembered {
    name: Option<Arc<str>>,
    /// Until when that holds; `None`: for ever.
    until: Option<Instant>,
    /// Whether somebody answered; else nobody did yet, or it is nothing to ask for.
    is_answer: bool,
    /// The filling that `slot` is of.
    filling: u64,
    /// The name in that batch's text.
    slot: Option<u64>,
}

impl Memo {
    /// Fills the columns from what is known, and from `answers` that were got for this batch. `records` has told what was used.
    pub fn fill(
        &mut self,
        batch: &mut Batch,
        columns: &[LookupColumns],
        service: &ReverseDns,
        answers: Option<&Answers>,
        records: bool,
    ) -> Filled {
        let now = Instant::now();
        self.filling += 1;
        let mut filling = Filling {
            number: self.filling,
            now,
            service,
            answers,
            records,
            hits: 0,
            resolved: 0,
            out: 0,
            filled: Filled::default(),
        };
        for columns in columns {
            for index in 0..batch.live.len() {
                let event = batch.live[index];
                let (state, slot) = batch.cell(event, columns.asked);
                if state.state() != State::Present {
                    continue;
                }
                let Some(remembered) = self.of(batch.text_of(slot)) else { continue };
                if remembered.filling != filling.number {
                    filling.renew(remembered, slot, batch);
                }
                if let Some(slot) = remembered.slot {
                    batch.answer(event, columns.answers, slot);
                }
            }
        }
        filling.done()
    }

    /// What is remembered of a text; `None` for one that is too long to ask for.
    #[inline]
    fn of(&mut self, text: &[u8]) -> Option<&mut Remembered> {
        if text.len() <= SHORT_BYTES_MAX {
            let mut key = [0; 16];
            key[..text.len()].copy_from_slice(text);
            key[SHORT_BYTES_MAX] = text.len() as u8;
            bound(&mut self.short);
            return Some(self.short.entry(u128::from_ne_bytes(key)).or_default());
        }
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        if !self.long.contains_key(text) {
            bound(&mut self.long);
            self.long.insert(text.into(), Remembered::default());
        }
        self.long.get_mut(text)
    }
}

#[inline]
fn bound<K>(map: &mut HashMap<K, Remembered>) {
    if map.len() >= REMEMBERED_MAX {
        map.clear();
    }
}

/// One filling of a batch's columns.
struct Filling<'a> {
    number: u64,
    now: Instant,
    service: &'a ReverseDns,
    answers: Option<&'a Answers>,
    records: bool,
    hits: u64,
    resolved: u64,
    out: u64,
    filled: Filled,
}

impl Filling<'_> {
    /// Brings what is remembered of the text at `slot` up to date, for this batch.
    fn renew(&mut self, remembered: &mut Remembered, slot: u64, batch: &mut Batch) {
        let is_new = remembered.filling == 0;
        let text = str::from_utf8(batch.text_of(slot)).unwrap_or_default();
        if is_new || remembered.until.is_some_and(|until| until <= self.now) {
            self.ask(remembered, text);
        } else if remembered.is_answer {
            self.hits += 1;
        } else if remembered.until.is_some() {
            self.out += 1;
        }
        if self.records && (remembered.is_answer || remembered.until.is_some()) {
            self.record(text, remembered.name.as_ref());
        }
        remembered.filling = self.number;
        remembered.slot = remembered.name.as_deref().and_then(|name| batch.answer_text(name));
    }

    fn ask(&mut self, remembered: &mut Remembered, text: &str) {
        let (name, until, is_answer) = match self.service.known(text) {
            Known::Nothing => (None, None, false),
            Known::Answer(answer) => {
                self.hits += 1;
                (answer.name, answer.until, true)
            }
            Known::Unknown(address) => match self.answers.and_then(|answers| answers.get(&address)) {
                Some(answer) => {
                    self.resolved += 1;
                    (answer.name.clone(), answer.until, true)
                }
                None => {
                    self.out += 1;
                    self.filled.missing.push(address);
                    let unknown_for = if self.service.waits() { Duration::ZERO } else { UNKNOWN_FOR };
                    (None, Some(self.now + unknown_for), false)
                }
            },
        };
        *remembered = Remembered { name, until, is_answer, ..Remembered::default() };
    }

    fn record(&mut self, text: &str, name: Option<&Arc<str>>) {
        let address =
            text.parse().map_or_else(|_| text.to_owned(), |address: IpAddr| address.to_canonical().to_string());
        self.filled.looked_up.insert(address, name.cloned());
    }

    /// What is missing of a batch that will be filled again is counted then.
    fn done(self) -> Filled {
        if self.answers.is_none() && self.service.waits() && !self.filled.missing.is_empty() {
            return self.filled;
        }
        let counts = &self.service.counts;
        counts.hits.add(self.hits);
        counts.resolved.add(self.resolved);
        counts.left_out.add(self.out);
        self.filled
    }
}
