//! Where the states of the plugin are committed to: a home in memory, which can take its last batch back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wasmill_engine::{Clock, Generation, LaneMemory, Plugin, StateDelta, StateRow, StateRows};

use crate::states::other_version;

/// A time that never comes.
const NEVER: i64 = i64::MAX;

/// The states by the names of their plugins.
#[derive(Debug, Default)]
pub(super) struct Home {
    states: HashMap<Arc<str>, Stored>,
    /// What the last batch replaced.
    before: Vec<Before>,
}

#[derive(Clone, Debug, Default)]
struct Stored {
    version: u32,
    clock: Clock,
    rows: BTreeMap<Vec<u8>, Row>,
}

/// What stands under a key.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) value: Vec<u8>,
    pub(super) expires: i64,
    pub(super) wake: i64,
    pub(super) offset: i64,
}

/// A state before a batch, with the rows that the batch wrote.
#[derive(Debug)]
struct Before {
    plugin: Arc<str>,
    version: u32,
    clock: Clock,
    rows: Vec<(Vec<u8>, Option<Row>)>,
}

impl Row {
    /// A row that stays until something replaces it.
    pub(super) fn lasting(value: Vec<u8>) -> Self {
        Self { value, expires: NEVER, wake: NEVER, offset: 0 }
    }
}

impl Home {
    /// Commits what a batch changed.
    pub(super) fn commit(&mut self, deltas: &[StateDelta]) {
        self.before.clear();
        for delta in deltas {
            let stored = self.states.entry(Arc::clone(&delta.plugin)).or_default();
            let mut before = Before {
                plugin: Arc::clone(&delta.plugin),
                version: std::mem::replace(&mut stored.version, delta.version),
                clock: std::mem::replace(&mut stored.clock, delta.clock),
                rows: Vec::with_capacity(delta.rows.len()),
            };
            for StateRow { key, value, expires, wake, offset } in delta.rows.iter() {
                let row = value.map(|value| Row { value: value.to_vec(), expires, wake, offset });
                before.rows.push((key.to_vec(), stored.put(key, row)));
            }
            self.before.push(before);
        }
    }

    /// Takes the last batch back.
    pub(super) fn take_back(&mut self) {
        for Before { plugin, version, clock, rows } in self.before.drain(..) {
            let stored = self.states.entry(plugin).or_default();
            (stored.version, stored.clock) = (version, clock);
            for (key, row) in rows.into_iter().rev() {
                stored.put(&key, row);
            }
        }
    }

    /// Whether `plugin` can go on with what is stored of it.
    pub(super) fn suits(&self, plugin: &Plugin) -> Result<(), String> {
        let of = plugin.state().and_then(|state| Some((state, self.states.get(&state.name)?)));
        match of {
            Some((state, stored)) if stored.version != state.version => {
                Err(other_version(plugin, stored.version).to_string())
            }
            _ => Ok(()),
        }
    }

    /// What a lane begins with.
    pub(super) fn memory(&self, generation: &Generation) -> LaneMemory {
        let mut memory = LaneMemory::new();
        for state in generation.states() {
            let Some(stored) = self.states.get(&state.name) else { continue };
            let mut rows = StateRows::default();
            for (key, Row { value, expires, wake, offset }) in &stored.rows {
                rows.push(&StateRow { key, value: Some(value), expires: *expires, wake: *wake, offset: *offset });
            }
            memory.restore(&state.name, stored.clock, &rows);
        }
        memory
    }

    /// Puts rows into the state of a plugin, and sets its clock if there is one.
    pub(super) fn seed(&mut self, plugin: &Arc<str>, version: u32, rows: Vec<(Vec<u8>, Row)>, now: Option<i64>) {
        let stored = self.states.entry(Arc::clone(plugin)).or_default();
        stored.version = version;
        stored.rows.extend(rows);
        if now.is_some() {
            stored.clock = Clock { now, doubted: None };
        }
    }

    /// The clock of a plugin, and its rows in the order of their keys.
    pub(super) fn state(&self, plugin: &str) -> (Option<i64>, impl Iterator<Item = (&Vec<u8>, &Row)>) {
        let stored = self.states.get(plugin);
        (stored.and_then(|stored| stored.clock.now), stored.into_iter().flat_map(|stored| &stored.rows))
    }
}

impl Stored {
    /// Puts a row, or takes the key away; gives what was there.
    fn put(&mut self, key: &[u8], row: Option<Row>) -> Option<Row> {
        match row {
            Some(row) => self.rows.insert(key.to_vec(), row),
            None => self.rows.remove(key),
        }
    }
}
