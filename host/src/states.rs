//! State of plugins on its way between lanes and home: what a group of deliveries comes to, and what a lane begins with.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmill_core::{Digest, PartitionId};
use wasmill_engine::{Clock, Generation, LaneMemory, Plugin, StateRow, StateRows};

use crate::delivery::Delivery;
use crate::store::{Store, StoreError};

/// What home holds of one plugin's state in one partition.
#[derive(Clone, Debug)]
pub struct StoredState {
    /// The version of the plugin's schema.
    pub version: u32,
    /// Where its clock stood.
    pub clock: Clock,
    /// Its keys.
    pub rows: StateRows,
}

/// What a group changes in one plugin's state: each key once, in order.
#[derive(Debug)]
pub struct StateChange<'d> {
    /// Whose state it is.
    pub plugin: &'d str,
    /// The version of the plugin's schema.
    pub version: u32,
    /// The clock after the group.
    pub clock: Clock,
    /// What is put under keys.
    pub puts: Vec<StateRow<'d>>,
    /// Keys that go.
    pub gone: Vec<&'d [u8]>,
}

/// What the deliveries behind `from_offset` change, plugin by plugin.
pub fn changes(deliveries: &[Delivery], from_offset: i64) -> Vec<StateChange<'_>> {
    let new = deliveries.iter().filter(|delivery| delivery.events.raw.next_offset() > from_offset);
    type Keys<'d> = BTreeMap<&'d [u8], StateRow<'d>>;
    let mut plugins: BTreeMap<&str, (u32, Clock, Keys<'_>)> = BTreeMap::new();
    for delta in new.flat_map(|delivery| &delivery.state) {
        let (version, clock, rows) =
            plugins.entry(&delta.plugin).or_insert_with(|| (delta.version, delta.clock, BTreeMap::new()));
        (*version, *clock) = (delta.version, delta.clock);
        rows.extend(delta.rows.iter().map(|row| (row.key, row)));
    }
    let mut changes = Vec::with_capacity(plugins.len());
    for (plugin, (version, clock, rows)) in plugins {
        let mut change = StateChange { plugin, version, clock, puts: Vec::new(), gone: Vec::new() };
        for (key, row) in rows {
            match row.value {
                Some(_) => change.puts.push(row),
                None => change.gone.push(key),
            }
        }
        changes.push(change);
    }
    changes
}

/// Looks whether these plugins, but for those of the digests `same`, can read what home holds of their states.
///
/// # Errors
/// [`StoreError::Setup`] with what to do, where they cannot.
pub async fn prepare(home: &Store, generation: &Generation, same: &[Digest]) -> Result<(), StoreError> {
    for plugin in stateful(generation).filter(|plugin| !same.contains(&plugin.reference().digest)) {
        let Some(state) = plugin.state().filter(|state| !state.is_reset) else { continue };
        let versions = home.state_versions(&state.name).await?;
        if let Some(found) = versions.into_iter().find(|version| *version != state.version) {
            return Err(other_version(plugin, found));
        }
    }
    Ok(())
}

/// Looks whether these plugins can go on with the states of those that serve.
///
/// # Errors
/// As [`prepare`].
pub fn suits(serving: &Generation, next: &Generation) -> Result<(), StoreError> {
    for plugin in stateful(next) {
        let Some(state) = plugin.state().filter(|state| !state.is_reset) else { continue };
        let mut others = serving.states().filter(|other| other.name == state.name);
        if let Some(other) = others.find(|other| other.version != state.version) {
            return Err(other_version(plugin, other.version));
        }
    }
    Ok(())
}

/// What a lane begins with: the states that home holds of its partition. One of another version goes, where the operator says so.
///
/// # Errors
/// See [`StoreError`].
pub async fn restore(
    home: &Store,
    partition: &Arc<PartitionId>,
    generation: &Generation,
) -> Result<LaneMemory, StoreError> {
    for plugin in stateful(generation) {
        let Some(state) = plugin.state().filter(|state| state.is_reset) else { continue };
        let stored = home.read_state(partition, &state.name).await?;
        if stored.is_some_and(|stored| stored.version != state.version) {
            home.reset_state(partition, &state.name, state.version).await?;
        }
    }
    look(home, partition, generation).await
}

/// The same for somebody who only looks: what is of another version, and is to go, is left where it is.
///
/// # Errors
/// See [`StoreError`].
pub async fn look(
    home: &Store,
    partition: &Arc<PartitionId>,
    generation: &Generation,
) -> Result<LaneMemory, StoreError> {
    let mut memory = LaneMemory::new();
    for plugin in stateful(generation) {
        let Some(state) = plugin.state() else { continue };
        match home.read_state(partition, &state.name).await? {
            None => {}
            Some(stored) if stored.version == state.version => {
                memory.restore(&state.name, stored.clock, &stored.rows);
            }
            Some(_) if state.is_reset => {}
            Some(stored) => return Err(other_version(plugin, stored.version)),
        }
    }
    Ok(memory)
}

fn stateful(generation: &Generation) -> impl Iterator<Item = &Arc<Plugin>> {
    generation.plugins().iter().filter(|plugin| plugin.state().is_some())
}

/// Why `plugin` cannot go on with state of the version `found`, and what to do.
pub fn other_version(plugin: &Plugin, found: u32) -> StoreError {
    let version = plugin.state().map_or(0, |state| state.version);
    StoreError::Setup(format!(
        "the plugin {} ({}) keeps state of version {version}, and what is stored of it has version {found}; put the plugin back \
         that stored it, or write `state: reset` into \"{}\" to have it begin without",
        plugin.reference().name,
        plugin.file().display(),
        plugin.file().with_extension("yaml").display(),
    ))
}
