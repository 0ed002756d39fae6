//! State: what the host remembers for plugins, one map of bytes per plugin and lane.
//!
//! A lane's [`LaneMemory`] goes with each batch through the engine; what a batch changed comes back as [`StateDelta`]s, to be
//! stored with its rows. A call works on a copy of what it asks for, and what it stores is taken over only when it has succeeded
//! as a whole ([`call`]). When a map is full, keys go by the offset of the event that wrote them, so that it is the same keys wherever
//! batches were cut. Deliberately absent: any other time than the clock of the events ([`clock`]).

pub(crate) mod call;
pub(crate) mod clock;
mod hash;
mod index;
mod map;
mod rows;
mod timers;

use std::collections::HashMap;
use std::sync::Arc;

use wasmill_core::Digest;

use crate::blame::Blame;
use crate::generation::Generation;

pub use clock::Clock;
pub(crate) use map::StateMap;
pub use rows::{StateRow, StateRows};

/// What a lane remembers from batch to batch.
#[derive(Debug, Default)]
pub struct LaneMemory {
    pub(crate) blame: Blame,
    pub(crate) states: States,
}

impl LaneMemory {
    /// Of a lane that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what plugins did, but for those of these digests: others begin with closed breakers.
    pub fn forgive_others(&mut self, same: &[Digest]) {
        self.blame.keep(same);
    }

    /// Forgets the states that `generation` does not keep on from the one before it: for a lane without a home, where nothing else
    /// has them.
    pub fn pass_on(&mut self, before: &Generation, generation: &Generation) {
        let kept: Vec<_> = generation.states().filter(|state| before.keeps(state)).map(|state| &state.name).collect();
        self.states.maps.retain(|name, _| kept.contains(&name));
    }

    /// Puts back what was stored of a plugin: its clock, and the rows that came with the deltas, the last of each key.
    pub fn restore(&mut self, plugin: &str, clock: Clock, rows: &StateRows) {
        self.states.maps.insert(plugin.into(), Box::new(StateMap::restored(clock, rows)));
    }
}

/// The maps of a lane by the name of the plugin.
#[derive(Debug, Default)]
pub(crate) struct States {
    maps: HashMap<Arc<str>, Box<StateMap>>,
    /// A batch that could not be run has left them half changed.
    pub(crate) are_lost: bool,
}

impl States {
    /// Takes a plugin's map out for a call; it is put back after it.
    pub(crate) fn take(&mut self, plugin: &Arc<str>) -> Box<StateMap> {
        self.maps.remove(plugin).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, plugin: &Arc<str>, map: Box<StateMap>) {
        self.maps.insert(Arc::clone(plugin), map);
    }

    /// What changed since this was asked last.
    pub(crate) fn delta(&mut self, plugin: &Arc<str>, version: u32) -> Option<StateDelta> {
        let map = self.maps.get_mut(plugin)?;
        let clock = map.clock;
        Some(StateDelta { plugin: Arc::clone(plugin), version, clock, rows: map.take_changed() })
    }
}

/// What a batch changed in the state of one plugin.
#[derive(Clone, Debug)]
pub struct StateDelta {
    /// Whose state it is.
    pub plugin: Arc<str>,
    /// The version of the plugin's schema.
    pub version: u32,
    /// The clock after the batch.
    pub clock: Clock,
    /// The keys that were written or went, each once.
    pub rows: StateRows,
}
