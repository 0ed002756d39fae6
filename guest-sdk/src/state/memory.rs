//! The host's part in native tests: a map in memory, without limits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{DueKeys, GONE, Life, Values, Writes};

/// A clock's step that the next event has to confirm, as the host's: one day.
const STEP_NS: i64 = 86_400_000_000_000;

/// The state of a plugin in a native test.
#[derive(Debug, Default)]
pub struct Host(Mutex<Memory>);

#[derive(Clone, Debug, Default)]
struct Memory {
    values: BTreeMap<Vec<u8>, (Vec<u8>, Life)>,
    clock: Option<i64>,
    /// The time of the last event, if it was too far ahead to be believed.
    doubted: Option<i64>,
    /// The clock at each event of the batch.
    clocks: Vec<i64>,
    /// The batch's keys by number.
    numbered: Vec<Vec<u8>>,
}

impl Host {
    /// Begins a batch.
    pub(crate) fn begin(&self, times: &[i64]) {
        let mut memory = self.memory();
        memory.numbered.clear();
        memory.clocks = times.iter().map(|time| memory.advance(*time)).collect();
    }

    pub(crate) fn clocks(&self) -> Vec<i64> {
        self.memory().clocks.clone()
    }

    pub(crate) fn fetch(&self, keys: &[u8], ends: &[u32]) -> Values {
        let mut memory = self.memory();
        let mut fetched = Values::default();
        let mut start = 0;
        for end in ends {
            let key = &keys[start..*end as usize];
            start = *end as usize;
            let absent = (Vec::new(), Life { expires: GONE, wake: super::NEVER });
            let (value, life) = memory.values.get(key).unwrap_or(&absent);
            fetched.push(value, *life);
            memory.numbered.push(key.to_vec());
        }
        fetched
    }

    pub(crate) fn due(&self, until: i64, limit: u32) -> DueKeys {
        let mut memory = self.memory();
        let due = memory.values.iter().filter(|(_, (_, life))| life.wake <= until && life.wake < life.expires);
        let mut due: Vec<_> = due.map(|(key, (value, life))| (key.clone(), value.clone(), *life)).collect();
        due.sort_by(|(one, _, life), (other, _, others)| (life.wake, one).cmp(&(others.wake, other)));
        due.truncate(limit as usize);
        let mut answer = DueKeys::default();
        for (key, value, life) in due {
            answer.keys.extend_from_slice(&key);
            answer.ends.push(answer.keys.len() as u32);
            answer.values.push(&value, life);
            memory.numbered.push(key);
        }
        answer
    }

    pub(crate) fn store(&self, writes: &Writes) {
        let mut memory = self.memory();
        for (nth, number) in writes.keys.iter().enumerate() {
            let key = memory.numbered[*number as usize].clone();
            memory.values.insert(key, (writes.values.value(nth).to_vec(), writes.values.life(nth)));
        }
    }

    /// Every value that still lives, by key.
    pub(crate) fn stored(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let memory = self.memory();
        let clock = memory.clock.unwrap_or(GONE);
        let living = memory.values.iter().filter(|(_, (_, life))| life.expires > clock);
        living.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// Becomes what another one is now.
    pub(crate) fn take_over(&self, other: &Host) {
        let memory = other.memory().clone();
        *self.memory() = memory;
    }

    // A panic of the plugin under test leaves the map whole.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// The clock with an event of this time.
    fn advance(&mut self, time: i64) -> i64 {
        let mut clock = self.clock.unwrap_or(time);
        if time.saturating_sub(clock) > STEP_NS {
            clock = self.doubted.map_or(clock, |doubted| clock.max(doubted.min(time)));
        }
        let is_ahead = time.saturating_sub(clock) > STEP_NS;
        self.doubted = is_ahead.then_some(time);
        if !is_ahead {
            clock = clock.max(time);
        }
        self.clock = Some(clock);
        clock
    }
}
