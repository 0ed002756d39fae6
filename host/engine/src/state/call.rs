//! The interface `state` while a plugin has a batch: what it asks for is copied out of its map, what it stores is kept aside.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use super::StateMap;
use super::clock::Clock;
use super::map::{Life, Put, size};
use crate::fault::Fault;
use crate::guest::Guest;
use crate::held::Limit;
use crate::limits::Limits;
use crate::meter::{Crossing, Functions, HostCall, Meter};
use crate::work::cost;

/// When the value of an absent key expires, as it crosses.
const ABSENT: i64 = i64::MIN;
const NEVER: i64 = i64::MAX;
/// As the slot of a key that is not in the map.
const NO_SLOT: u32 = u32::MAX;

/// A plugin's state while it has a batch.
#[derive(Debug)]
pub(crate) struct StateCall {
    map: Box<StateMap>,
    clocks: Vec<i64>,
    /// After the batch.
    clock: Clock,
    offsets: Vec<i64>,
    /// The numbered keys: back to back, where each ends, and where in the map it is.
    keys: Vec<u8>,
    ends: Vec<usize>,
    slots: Vec<u32>,
    stored: Vec<Stored>,
    key_bytes_max: usize,
    value_bytes_max: usize,
    map_bytes_max: usize,
}

/// What one call of `store` brought.
#[derive(Debug)]
struct Stored {
    keys: Vec<u32>,
    events: Vec<u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    expires: Vec<i64>,
    wakes: Vec<i64>,
    peaks: Vec<u32>,
}

#[derive(ComponentType, Lower, Debug, Default)]
#[component(record)]
struct Values {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    expires: Vec<i64>,
    wakes: Vec<i64>,
}

#[derive(ComponentType, Lower, Debug, Default)]
#[component(record)]
struct DueKeys {
    keys: Vec<u8>,
    ends: Vec<u32>,
    values: Values,
}

impl Values {
    /// For so many values of so many bytes together.
    fn with_room(values: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(values),
            expires: Vec::with_capacity(values),
            wakes: Vec::with_capacity(values),
        }
    }

    /// Bytes that cross.
    fn crossing(&self) -> usize {
        let Self { bytes, ends, expires, wakes } = self;
        bytes.len()
            + [size_of_val(ends.as_slice()), size_of_val(expires.as_slice()), size_of_val(wakes.as_slice())]
                .iter()
                .sum::<usize>()
    }

    fn push(&mut self, value: Option<(&[u8], Life)>) {
        let (value, life) = value.unwrap_or((&[], Life { expires: ABSENT, wake: NEVER }));
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
        self.expires.push(life.expires);
        self.wakes.push(life.wake);
    }
}

impl StateCall {
    /// For a batch of events, of each its time and its offset.
    pub(crate) fn new(map: Box<StateMap>, events: impl Iterator<Item = (i64, i64)>, limits: &Limits) -> Self {
        let mut clock = map.clock;
        let (clocks, offsets) = events.map(|(time, offset)| (clock.advance(time), offset)).unzip();
        Self {
            map,
            clocks,
            clock,
            offsets,
            keys: Vec::new(),
            ends: Vec::new(),
            slots: Vec::new(),
            stored: Vec::new(),
            key_bytes_max: limits.state_key_bytes,
            value_bytes_max: limits.state_value_bytes,
            map_bytes_max: limits.state_bytes,
        }
    }

    /// The map as it was before.
    pub(crate) fn discard(self) -> Box<StateMap> {
        self.map
    }

    /// Whether the map has room for what was stored without any key having to go.
    pub(crate) fn fits(&self) -> bool {
        // Mostly there is plenty: then no key has to be looked at.
        let at_most = |stored: &Stored| {
            let peaks: usize = stored.peaks.iter().map(|peak| *peak as usize).sum();
            stored.bytes.len() + peaks + stored.keys.len() * size(0)
        };
        let at_most = self.keys.len() + self.stored.iter().map(at_most).sum::<usize>();
        self.map.bytes() + at_most <= self.map_bytes_max || self.map.bytes_after(self.puts()) <= self.map_bytes_max
    }

    /// The map with what was stored, and how many keys had to go.
    pub(crate) fn take_over(mut self) -> (Box<StateMap>, usize) {
        let mut map = std::mem::take(&mut self.map);
        let evicted = map.apply(self.puts(), self.clock, self.map_bytes_max);
        (map, evicted)
    }

    fn puts(&self) -> impl Iterator<Item = Put<'_>> {
        self.stored.iter().flat_map(move |stored| (0..stored.keys.len()).map(move |nth| self.put(stored, nth)))
    }

    fn put<'a>(&'a self, stored: &'a Stored, nth: usize) -> Put<'a> {
        let number = stored.keys[nth] as usize;
        let start = nth.checked_sub(1).map_or(0, |before| stored.ends[before] as usize);
        let slot = self.slots[number];
        Put {
            key: self.key(number),
            slot: (slot != NO_SLOT).then_some(slot),
            value: &stored.bytes[start..stored.ends[nth] as usize],
            peak: (stored.ends[nth] as usize - start).max(stored.peaks[nth] as usize),
            life: Life { expires: stored.expires[nth], wake: stored.wakes[nth] },
            offset: self.offsets[stored.events[nth] as usize],
        }
    }

    fn key(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[number]]
    }

    fn fetch(&mut self, keys: &[u8], ends: &[u32]) -> Result<Values, Fault> {
        check_ends(ends, keys.len(), "keys")?;
        let (mut start, before) = (0, self.keys.len());
        let mut found = Vec::with_capacity(ends.len());
        let mut bytes = 0;
        self.keys.extend_from_slice(keys);
        for end in ends {
            let key = &keys[start..*end as usize];
            start = *end as usize;
            if key.len() > self.key_bytes_max {
                let (bytes, limit) = (key.len(), self.key_bytes_max);
                let text =
                    format!("asks for state under a key of {bytes} bytes, and limits.state_key_bytes is {limit}");
                return Err(Fault::too_large(Limit::StateKeyBytes, text));
            }
            let slot = self.map.find(key);
            self.ends.push(before + start);
            self.slots.push(slot.unwrap_or(NO_SLOT));
            let value = slot.and_then(|slot| self.map.get(slot));
            bytes += value.map_or(0, |(value, _)| value.len());
            found.push(value);
        }
        let mut values = Values::with_room(ends.len(), bytes);
        found.into_iter().for_each(|value| values.push(value));
        Ok(values)
    }

    fn due(&mut self, until: i64, limit: u32) -> DueKeys {
        let mut due = DueKeys::default();
        for slot in self.map.due(until, limit as usize) {
            let key = self.map.key(slot);
            due.keys.extend_from_slice(key);
            due.ends.push(due.keys.len() as u32);
            due.values.push(self.map.get(slot));
            self.keys.extend_from_slice(key);
            self.ends.push(self.keys.len());
            self.slots.push(slot);
        }
        due
    }

    fn store(&mut self, stored: Stored) -> Result<(), Fault> {
        let entries = stored.keys.len();
        let Stored { keys, events, bytes, ends, expires, wakes, peaks } = &stored;
        if [events.len(), ends.len(), expires.len(), wakes.len(), peaks.len()] != [entries; 5] {
            return Err(Fault::bad_answer("stores state in lists of different lengths"));
        }
        check_ends(ends, bytes.len(), "values")?;
        if keys.iter().any(|number| *number as usize >= self.ends.len()) {
            return Err(Fault::bad_answer("stores state under a key that it did not fetch"));
        }
        if events.iter().any(|event| *event as usize >= self.offsets.len()) {
            return Err(Fault::bad_answer("stores state for an event that the batch does not have"));
        }
        let mut start = 0;
        for end in ends {
            if (*end - start) as usize > self.value_bytes_max {
                let (bytes, limit) = (*end - start, self.value_bytes_max);
                let text =
                    format!("stores {bytes} bytes of state under one key, and limits.state_value_bytes is {limit}");
                return Err(Fault::too_large(Limit::StateValueBytes, text));
            }
            start = *end;
        }
        self.stored.push(stored);
        Ok(())
    }
}

/// Whether ends rise, up to the end of what they cut.
fn check_ends(ends: &[u32], bytes: usize, what: &str) -> Result<(), Fault> {
    let whole = ends.last().map_or(0, |end| *end as usize) == bytes;
    if whole && ends.is_sorted() {
        return Ok(());
    }
    Err(Fault::bad_answer(format!("gives {what} of state whose ends do not fit them")))
}

/// Defines the interface for all plugins; who has no state in its manifest has none here either.
///
/// # Errors
/// None that a plugin can cause: a name defined twice.
pub(crate) fn link(linker: &mut Linker<Guest>, interface: &str, meter: Option<&Arc<Meter>>) -> wasmtime::Result<()> {
    let mut functions = Functions { instance: linker.instance(interface)?, meter };
    functions.define(HostCall::Clocks, |store, (): ()| {
        let clocks = state(store)?.clocks.clone();
        charge(store, 0, clocks.len() * 8)?;
        Ok((clocks,))
    })?;
    functions.define(HostCall::Fetch, |store, (keys, ends): (Vec<u8>, Vec<u32>)| {
        charge(store, ends.len(), keys.len())?;
        let values = state(store)?.fetch(&keys, &ends)?;
        charge(store, 0, values.bytes.len())?;
        Ok((values,))
    })?;
    functions.define(HostCall::Due, |store, (until, limit): (i64, u32)| {
        let due = state(store)?.due(until, limit);
        charge(store, due.ends.len(), due.keys.len() + due.values.bytes.len())?;
        Ok((due,))
    })?;
    functions.define(HostCall::Store, |store, (keys, events, bytes, ends, expires, wakes, peaks): Lists| {
        charge(store, keys.len(), bytes.len())?;
        state(store)?.store(Stored { keys, events, bytes, ends, expires, wakes, peaks })?;
        Ok(())
    })
}

impl Crossing for () {
    fn bytes(&self) -> usize {
        0
    }
}

impl Crossing for (Vec<i64>,) {
    fn bytes(&self) -> usize {
        size_of_val(self.0.as_slice())
    }
}

impl Crossing for (Vec<u8>, Vec<u32>) {
    fn bytes(&self) -> usize {
        self.0.len() + size_of_val(self.1.as_slice())
    }
}

impl Crossing for (i64, u32) {
    fn bytes(&self) -> usize {
        size_of::<i64>() + size_of::<u32>()
    }
}

impl Crossing for (Values,) {
    fn bytes(&self) -> usize {
        self.0.crossing()
    }
}

impl Crossing for (DueKeys,) {
    fn bytes(&self) -> usize {
        let DueKeys { keys, ends, values } = &self.0;
        keys.len() + size_of_val(ends.as_slice()) + values.crossing()
    }
}

impl Crossing for Lists {
    fn bytes(&self) -> usize {
        let (keys, events, bytes, ends, expires, wakes, peaks) = self;
        let numbers = [keys, events, ends, peaks].map(|list| size_of_val(list.as_slice()));
        let times = [expires, wakes].map(|list| size_of_val(list.as_slice()));
        bytes.len() + numbers.iter().sum::<usize>() + times.iter().sum::<usize>()
    }
}

type Lists = (Vec<u32>, Vec<u32>, Vec<u8>, Vec<u32>, Vec<i64>, Vec<i64>, Vec<u32>);

fn state<'a>(store: &'a mut StoreContextMut<'_, Guest>) -> Result<&'a mut StateCall, Fault> {
    let state = store.data_mut().state.as_deref_mut();
    state.ok_or_else(|| Fault::bad_answer("asks for state, which its manifest does not say or its batch is over"))
}

/// Has the guest pay for the host's work, so that its fuel bounds that as well.
fn charge(store: &mut StoreContextMut<'_, Guest>, keys: usize, bytes: usize) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(cost(keys, bytes)).ok_or(wasmtime::Trap::OutOfFuel)?;
    store.set_fuel(left)
}
