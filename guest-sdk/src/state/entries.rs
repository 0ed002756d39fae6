//! What stands under the keys of a batch: a list for each part of it, as they come from the host and go back to it.

use super::{DueKeys, Life, NEVER, Values, Writes};
use crate::words;

/// As the event that wrote an entry: none.
const NO_EVENT: u32 = u32::MAX;

/// Entries by the index of their key.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The values: back to back in the order of the entries, as long as none had to be moved to the end, where it can grow.
    bytes: Vec<u8>,
    places: Vec<Place>,
    has_moved: bool,
    expires: Vec<i64>,
    wakes: Vec<i64>,
    /// The host's numbers for the keys.
    numbers: Vec<u32>,
    /// The events that wrote them last, or [`NO_EVENT`].
    events: Vec<u32>,
    /// The most bytes that each was given when it was put.
    peaks: Vec<u32>,
    /// Keys that the host has numbered in this call.
    numbered: u32,
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    length: u32,
}

impl Place {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.length) as usize
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes what the host has of the keys behind the known ones.
    pub(super) fn extend(&mut self, fetched: Values) {
        let Values { bytes, ends, expires, wakes } = fetched;
        let first = self.bytes.len() as u32;
        let places = ends.iter().scan(0, |start, end| {
            let place = Place { start: first + *start, length: *end - *start };
            *start = *end;
            Some(place)
        });
        self.places.reserve(ends.len());
        self.places.extend(places);
        self.numbers.extend(self.numbered..self.numbered + ends.len() as u32);
        self.numbered += ends.len() as u32;
        self.events.resize(self.places.len(), NO_EVENT);
        self.peaks.resize(self.places.len(), 0);
        append(&mut self.bytes, bytes);
        append(&mut self.expires, expires);
        append(&mut self.wakes, wakes);
        assert!(self.expires.len() == self.len() && self.wakes.len() == self.len(), "the host answers for each key");
    }

    /// Takes what the host has of a key that it has given by itself, with its number; unless the key `is_known`.
    pub(super) fn push_due(&mut self, due: &DueKeys, nth: usize, is_known: bool) {
        if !is_known {
            let value = due.values.value(nth);
            self.places.push(Place { start: self.bytes.len() as u32, length: value.len() as u32 });
            self.bytes.extend_from_slice(value);
            self.expires.push(due.values.expires[nth]);
            self.wakes.push(due.values.wakes[nth]);
            self.numbers.push(self.numbered);
            self.events.push(NO_EVENT);
            self.peaks.push(0);
        }
        self.numbered += 1;
    }

    /// The value at a time of the clock.
    #[inline]
    pub(super) fn get(&self, index: usize, clock: i64) -> Option<&[u8]> {
        let place = self.place(index);
        (self.expires[index] > clock).then(|| &self.bytes[place.range()])
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: usize, clock: i64) -> Option<&mut [u8]> {
        let place = self.place(index);
        (self.expires[index] > clock).then(|| &mut self.bytes[place.range()])
    }

    pub(super) fn life(&self, index: usize) -> Life {
        self.place(index);
        Life { expires: self.expires[index], wake: self.wakes[index] }
    }

    /// Puts a value.
    #[inline]
    pub(super) fn put(&mut self, index: usize, value: &[u8]) {
        let place = self.place(index);
        let length = u32::try_from(value.len()).expect("a value is far smaller than 4 GiB");
        self.has_moved |= length != place.length;
        if length > place.length {
            self.places[index].start = u32::try_from(self.bytes.len()).expect("values are far smaller than 4 GiB");
            words::append(&mut self.bytes, value);
        } else {
            words::copy(&mut self.bytes[place.start as usize..][..value.len()], value);
        }
        self.places[index].length = length;
        self.peaks[index] = self.peaks[index].max(length);
    }

    /// Notes that the value was written by an event, and how long it lives.
    #[inline]
    pub(super) fn note(&mut self, index: usize, event: usize, life: Life) {
        (self.expires[index], self.wakes[index], self.events[index]) = (life.expires, life.wake, event as u32);
    }

    /// Notes that the key was given as due when an event was handled.
    pub(super) fn note_given(&mut self, index: usize, event: usize) {
        (self.wakes[index], self.events[index]) = (NEVER, event as u32);
    }

    /// What was written.
    pub(super) fn into_writes(mut self) -> Writes {
        if self.events.contains(&NO_EVENT) {
            self.keep_written();
        }
        let Entries { bytes, places, has_moved, expires, wakes, numbers, events, peaks, .. } = self;
        let (values, ends) = if has_moved {
            gathered(&bytes, &places)
        } else {
            (bytes, places.iter().map(|place| place.start + place.length).collect())
        };
        Writes { keys: numbers, events, values: Values { bytes: values, ends, expires, wakes }, peaks }
    }

    #[cold]
    fn keep_written(&mut self) {
        let mut kept = 0;
        for index in 0..self.len() {
            if self.events[index] != NO_EVENT {
                self.places[kept] = self.places[index];
                self.expires[kept] = self.expires[index];
                self.wakes[kept] = self.wakes[index];
                self.numbers[kept] = self.numbers[index];
                self.events[kept] = self.events[index];
                self.peaks[kept] = self.peaks[index];
                kept += 1;
            }
        }
        self.places.truncate(kept);
        self.expires.truncate(kept);
        self.wakes.truncate(kept);
        self.numbers.truncate(kept);
        self.events.truncate(kept);
        self.peaks.truncate(kept);
        self.has_moved = true;
    }

    #[inline]
    fn place(&self, index: usize) -> Place {
        match self.places.get(index) {
            Some(place) => *place,
            None => panic!("the key was named after the last `fetch`: call it again"),
        }
    }
}

/// Appends a list, which is nearly always the first one.
#[inline(never)]
fn append<T>(to: &mut Vec<T>, mut list: Vec<T>) {
    if to.is_empty() {
        *to = list;
    } else {
        to.append(&mut list);
    }
}

/// Values back to back, and where each ends.
fn gathered(bytes: &[u8], places: &[Place]) -> (Vec<u8>, Vec<u32>) {
    let length = places.iter().map(|place| place.length as usize).sum();
    let (mut gathered, mut ends) = (Vec::with_capacity(length), Vec::with_capacity(places.len()));
    for place in places {
        words::append(&mut gathered, &bytes[place.range()]);
        ends.push(gathered.len() as u32);
    }
    (gathered, ends)
}
