//! The columns of answers, filled on an engine thread.
//!
//! A thread remembers by text what it was told, so that an event costs one look into a table of its own; a text is asked about once
//! per batch at most. What is remembered holds as long as the answer does, so it changes no result.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::str;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use wasmill_core::{Batch, LookupColumns, State};

use super::{Answers, Known, ReverseDns, UNKNOWN_FOR};

/// Texts, and bytes of names, that a thread remembers; with more it forgets all before the next batch.
const TEXTS_MAX: usize = 1 << 16;
const NAMES_BYTES_MAX: usize = 8 << 20;
/// Bytes of a text that is its own key.
const SHORT_BYTES_MAX: usize = 15;
/// Bytes of a text that may be an address or a host's name.
const TEXT_BYTES_MAX: usize = 253;

/// The answers that a batch was given, by address, for the record: `None` where it got none.
pub type LookedUp = BTreeMap<String, Option<Arc<str>>>;

/// What one engine thread remembers. Small, since most events are of another address than the one before, and all of it is wanted
/// again and again.
#[derive(Debug)]
pub struct Memo {
    /// Where in `remembered` a text is, by its bytes and, in the last byte, their number: most addresses.
    short: HashMap<(u64, u64), u32, RandomState>,
    long: HashMap<Box<[u8]>, u32, RandomState>,
    remembered: Vec<Remembered>,
    /// By live event of the column that is filled: its text in `remembered`.
    found: Vec<u32>,
    /// The names, back to back.
    names: String,
    /// Counts fillings.
    filling: u32,
    /// Times are counted from here.
    since: Instant,
}

/// What is looked up for a batch.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Questions and answers among its columns.
    pub columns: &'a [LookupColumns],
    /// Who knows answers.
    pub service: &'a ReverseDns,
    /// Answers that were got for this batch; `None`: nobody has asked yet.
    pub answers: Option<&'a Answers>,
    /// Whether it is to be told what was used.
    pub records: bool,
}

/// What became of a batch's texts.
#[derive(Debug, Default)]
pub struct Filled {
    /// Addresses that nobody has answered for, perhaps more than once each.
    pub missing: Vec<IpAddr>,
    /// What was used, where it is wanted.
    pub looked_up: LookedUp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Remembered {
    /// The name in the text of the batch of `filling`; 0: none.
    slot: u64,
    /// The filling that `slot` is of.
    filling: u32,
    /// Milliseconds until when the rest holds.
    until_ms: u32,
    /// Where the name is among the names.
    start: u32,
    length: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Nobody answered yet.
    #[default]
    Unknown,
    /// Somebody did.
    Answer,
    /// There is nothing to ask for.
    Nothing,
}

const FOR_EVER: u32 = u32::MAX;
/// What is remembered of what cannot be asked for.
const NOTHING: u32 = u32::MAX;

impl Default for Memo {
    fn default() -> Self {
        Self {
            short: HashMap::default(),
            long: HashMap::default(),
            remembered: Vec::new(),
            found: Vec::new(),
            names: String::new(),
            filling: 0,
            since: Instant::now(),
        }
    }
}

impl Memo {
    /// Fills the columns from what is known, and from the answers that were got for this batch.
    pub fn fill(&mut self, batch: &mut Batch, asked: Asked<'_>) -> Filled {
        let now = self.begin();
        let (now_ms, number) = (millis(self.since, now), self.filling);
        let (mut filled, mut counts) = (Filled::default(), Counted::default());
        for columns in asked.columns {
            self.find(batch, columns.asked);
            let Self { remembered, names, found, since, .. } = self;
            let (counts, filled) = (&mut counts, &mut filled);
            let mut filling = Filling { asked, now, now_ms, since: *since, names, counts, filled };
            for (index, found) in found.iter().enumerate().filter(|(_, found)| **found != NOTHING) {
                let event = batch.live[index];
                let remembered = &mut remembered[*found as usize];
                if remembered.filling != number {
                    remembered.filling = number;
                    filling.renew(remembered, batch.cell(event, columns.asked).1, batch);
                }
                if remembered.slot != 0 {
                    batch.answer(event, columns.answers, remembered.slot);
                }
            }
        }
        // What is missing of a batch that will be filled again is counted then.
        if filled.missing.is_empty() || asked.answers.is_some() || !asked.service.waits() {
            asked.service.counts.hits.add(counts.hits);
            asked.service.counts.resolved.add(counts.resolved);
            asked.service.counts.left_out.add(counts.out);
        }
        filled
    }

    /// Finds the texts of a column, those of all events first: then the processor waits for the memory of several at once.
    fn find(&mut self, batch: &Batch, column: usize) {
        self.found.clear();
        for event in &batch.live {
            let (state, slot) = batch.cell(*event, column);
            let place = match state.state() {
                State::Present => self.place(batch.text_of(slot)),
                State::Absent | State::Null | State::OtherType => NOTHING,
            };
            self.found.push(place);
        }
    }

    /// Where a text is remembered; [`NOTHING`] for one that is too long to be asked for.
    #[inline]
    fn place(&mut self, text: &[u8]) -> u32 {
        let next = self.remembered.len() as u32;
        let place = if text.len() <= SHORT_BYTES_MAX {
            *self.short.entry(short_key(text)).or_insert(next)
        } else if text.len() <= TEXT_BYTES_MAX {
            match self.long.get(text) {
                Some(place) => *place,
                None => *self.long.entry(text.into()).or_insert(next),
            }
        } else {
            return NOTHING;
        };
        if place == next {
            self.remembered.push(Remembered::default());
        }
        place
    }

    /// The time of the next filling. Forgets everything where it has become too much, or numbers run out.
    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        let too_much = self.remembered.len() > TEXTS_MAX || self.names.len() > NAMES_BYTES_MAX;
        if too_much || self.filling == u32::MAX || millis(self.since, now) > u32::MAX / 2 {
            *self = Self::default();
        }
        self.filling += 1;
        now
    }
}

#[inline]
fn short_key(text: &[u8]) -> (u64, u64) {
    let (first, rest) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // What is read twice is shifted out.
        (Some(first), Some(last)) if text.len() > 8 => (*first, u64::from_le_bytes(*last) >> (8 * (16 - text.len()))),
        _ => {
            let mut first = [0; 8];
            first[..text.len()].copy_from_slice(text);
            (first, 0)
        }
    };
    (u64::from_le_bytes(first), rest | (text.len() as u64) << 56)
}

fn millis(since: Instant, at: Instant) -> u32 {
    u32::try_from(at.saturating_duration_since(since).as_millis()).unwrap_or(FOR_EVER - 1)
}

/// One filling of a batch's columns.
struct Filling<'a> {
    asked: Asked<'a>,
    now: Instant,
    now_ms: u32,
    since: Instant,
    names: &'a mut String,
    counts: &'a mut Counted,
    filled: &'a mut Filled,
}

#[derive(Default)]
struct Counted {
    hits: u64,
    resolved: u64,
    out: u64,
}

impl Filling<'_> {
    /// Brings what is remembered of the text at `slot` up to date, for this batch.
    fn renew(&mut self, remembered: &mut Remembered, slot: u64, batch: &mut Batch) {
        if remembered.until_ms <= self.now_ms {
            self.ask(remembered, text_at(batch, slot));
        } else {
            match remembered.kind {
                Kind::Answer => self.counts.hits += 1,
                Kind::Unknown => self.counts.out += 1,
                Kind::Nothing => {}
            }
        }
        let name = &self.names[remembered.start as usize..][..usize::from(remembered.length)];
        if self.asked.records && remembered.kind != Kind::Nothing {
            let name = (!name.is_empty()).then(|| name.into());
            self.filled.looked_up.insert(address_in(text_at(batch, slot)), name);
        }
        remembered.slot = if name.is_empty() { 0 } else { batch.answer_text(name).unwrap_or(0) };
    }

    fn ask(&mut self, remembered: &mut Remembered, text: &str) {
        let service = self.asked.service;
        let (name, until, kind) = match service.known(text) {
            Known::Nothing => (None, None, Kind::Nothing),
            Known::Answer(answer) => {
                self.counts.hits += 1;
                (answer.name, answer.until, Kind::Answer)
            }
            Known::Unknown(address) => match self.asked.answers.and_then(|answers| answers.get(&address)) {
                Some(answer) => {
                    self.counts.resolved += 1;
                    (answer.name.clone(), answer.until, Kind::Answer)
                }
                None => {
                    self.counts.out += 1;
                    self.filled.missing.push(address);
                    let unknown_for = if service.waits() { Duration::ZERO } else { UNKNOWN_FOR };
                    (None, Some(self.now + unknown_for), Kind::Unknown)
                }
            },
        };
        remembered.kind = kind;
        remembered.until_ms = until.map_or(FOR_EVER, |until| millis(self.since, until));
        self.remember(remembered, name.as_deref().unwrap_or_default());
    }

    /// A name that is the same as before keeps its place.
    fn remember(&mut self, remembered: &mut Remembered, name: &str) {
        let before = &self.names[remembered.start as usize..][..usize::from(remembered.length)];
        if name != before {
            // Both fit: names have at most 253 bytes, and the sum is bounded before each batch.
            remembered.start = self.names.len() as u32;
            remembered.length = name.len() as u8;
            self.names.push_str(name);
        }
    }
}

fn text_at(batch: &Batch, slot: u64) -> &str {
    str::from_utf8(batch.text_of(slot)).unwrap_or_default()
}

/// The address in the one spelling that answers are kept by.
fn address_in(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), |address: IpAddr| address.to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use wasmill_core::{EventTime, Lookup, PartitionId, ProjectionBuilder, RawBatch};

    use super::*;

    fn service() -> ReverseDns {
        let names = [("192.0.2.1", Some("one.example")), ("2001:db8::1", Some("six.example")), ("192.0.2.2", None)];
        ReverseDns::of_table(
            names.into_iter().map(|(address, name)| (address.parse().unwrap(), name.map(Arc::from))).collect(),
        )
    }

    /// What each of the addresses is answered.
    fn answers(memo: &mut Memo, service: &ReverseDns, addresses: &[&str]) -> (Vec<Option<String>>, LookedUp) {
        let part = || "p".to_owned();
        let partition = PartitionId { source: part(), cluster: part(), topic: part(), topic_id: part(), partition: 0 };
        let mut raw = RawBatch::new(Arc::new(partition), 0);
        for (n, address) in addresses.iter().enumerate() {
            raw.push(n as i64, 0, None, Some(format!("{{\"ip\":\"{address}\"}}").as_bytes()), []);
        }
        let mut projection = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        let column = projection.lookup(&"ip".parse().unwrap(), Lookup::ReverseDns);
        let projection = projection.build();
        let (mut batch, _) = projection.extract(raw);
        let columns = &projection.lookups();
        let filled = memo.fill(&mut batch, Asked { columns, service, answers: None, records: true });
        let answer = |event| match batch.cell(event, column) {
            (state, slot) if state.state() == State::Present => Some(text_at(&batch, slot).to_owned()),
            _ => None,
        };
        ((0..addresses.len() as u32).map(answer).collect(), filled.looked_up)
    }

    #[test]
    fn each_address_has_its_own_answer_in_every_batch() {
        let (service, mut memo) = (service(), Memo::default());
        let expected = |addresses: &[&str]| -> Vec<Option<String>> {
            let name = |address: &&str| match *address {
                "192.0.2.1" | "::ffff:192.0.2.1" => Some("one.example".to_owned()),
                "2001:db8::1" | "2001:db8:0:0:0:0:0:1" => Some("six.example".to_owned()),
                _ => None,
            };
            addresses.iter().map(name).collect()
        };
        let long = "x".repeat(300);
        let batches: [&[&str]; 4] = [
            &["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"],
            &["2001:db8::1", "192.0.2.1", "", "not an address", &long],
            &["::ffff:192.0.2.1", "2001:db8:0:0:0:0:0:1", "192.0.2.11", "192.0.2.1"],
            &["192.0.2.2"],
        ];
        for addresses in batches.into_iter().chain(batches) {
            assert_eq!(answers(&mut memo, &service, addresses).0, expected(addresses), "{addresses:?}");
        }
    }

    #[test]
    fn what_is_told_of_use_is_each_address_once_in_one_spelling() {
        let told = answers(&mut Memo::default(), &service(), &["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2", "x"]).1;
        let expected = [("192.0.2.1".to_owned(), Some("one.example".into())), ("192.0.2.2".to_owned(), None)];
        assert_eq!(told, LookedUp::from(expected));
    }

    #[test]
    fn short_texts_have_keys_of_their_own() {
        let texts = [
            "",
            "1",
            "11",
            "1111111",
            "11111111",
            "111111111",
            "11111111\0",
            "111111111111111",
            "192.0.2.1",
            "192.0.2.11",
        ];
        for (n, text) in texts.iter().enumerate() {
            for other in &texts[..n] {
                assert_ne!(short_key(text.as_bytes()), short_key(other.as_bytes()), "{text:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_thread_that_remembers_too_much_forgets_and_goes_on() {
        let (service, mut memo) = (service(), Memo::default());
        memo.names = "x".repeat(NAMES_BYTES_MAX + 1);
        memo.filling = u32::MAX - 1;
        for _ in 0..3 {
            assert_eq!(answers(&mut memo, &service, &["192.0.2.1"]).0, [Some("one.example".to_owned())]);
        }
        assert!(memo.names.len() < 100 && memo.filling < 10);
    }
}
