//! What a running pipeline shows of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use wasmill_core::PartitionId;

use crate::health::Health;
use crate::history::ServedPlugin;
use crate::life::Life;
use crate::lines::Progress;
use crate::lookups::Names;
use crate::plugin_breakers::PluginBreakers;
use crate::report::Tally;
use crate::serving::Serving;
use crate::tap::Taps;

/// Everything that the admin pages, the status line and the live line read.
#[derive(Debug)]
pub struct Status {
    /// The configuration without secrets.
    pub config: Value,
    /// Counts.
    pub tally: Arc<Tally>,
    /// Health of each part.
    pub health: Arc<Health>,
    /// The breakers of plugins.
    pub breakers: Arc<PluginBreakers>,
    /// Reverse DNS, where a plugin asks for it.
    pub names: Arc<Names>,
    /// The plugins that serve.
    pub serving: Arc<Serving>,
    /// The lives of alerts, by sink.
    pub lives: Vec<Arc<Life>>,
    /// Who looks at events.
    pub taps: Arc<Taps>,
    // Guards the map for the length of an update.
    lanes: Mutex<BTreeMap<String, LaneStatus>>,
    progress: OnceLock<Arc<Progress>>,
}

/// One lane.
#[derive(Clone, Debug, Serialize)]
pub struct LaneStatus {
    /// Its topic (or file).
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The offset up to which everything is committed.
    pub committed: i64,
    /// Events between what was read and the end of the partition, where the source knows it.
    pub lag: Option<u64>,
}

impl Status {
    /// No lane yet.
    pub fn new(
        config: Value,
        tally: Arc<Tally>,
        health: Arc<Health>,
        names: Arc<Names>,
        serving: Arc<Serving>,
        lives: Vec<Arc<Life>>,
        taps: Arc<Taps>,
    ) -> Self {
        let breakers = Arc::new(PluginBreakers::new(Arc::clone(&health)));
        Self {
            config,
            tally,
            health,
            breakers,
            names,
            serving,
            lives,
            taps,
            lanes: Mutex::default(),
            progress: OnceLock::new(),
        }
    }

    /// Sets what is committed of a lane; makes it known.
    pub fn committed(&self, partition: &PartitionId, next_offset: i64) {
        let mut lanes = self.lock();
        match lanes.get_mut(&partition.to_string()) {
            Some(lane) => lane.committed = next_offset,
            None => {
                let lane = LaneStatus {
                    topic: partition.topic.clone(),
                    partition: partition.partition,
                    committed: next_offset,
                    lag: None,
                };
                lanes.insert(partition.to_string(), lane);
            }
        }
    }

    /// Sets how far a lane is behind the end of its partition.
    pub fn lag_of(&self, partition: &PartitionId, lag: u64) {
        if let Some(lane) = self.lock().get_mut(&partition.to_string()) {
            lane.lag = Some(lag);
        }
    }

    /// Forgets a lane.
    pub fn remove_lane(&self, partition: &PartitionId) {
        self.breakers.forget(partition, &[]);
        self.lock().remove(&partition.to_string());
    }

    /// Says how far a source of lines has come.
    pub fn set_progress(&self, progress: Arc<Progress>) {
        // A run has one source, so the cell is set once.
        let _ = self.progress.set(progress);
    }

    /// Bytes read and bytes in all, of a source whose end is known.
    pub fn progress(&self) -> Option<(u64, u64)> {
        self.progress.get().and_then(|progress| progress.bytes())
    }

    /// What is open, by sink.
    pub fn open_alerts(&self) -> BTreeMap<&str, Value> {
        self.lives.iter().map(|life| (life.sink(), life.shown())).collect()
    }

    /// What serves: its digest, and its plugins in their order.
    pub fn generation(&self) -> Value {
        let processor = self.serving.now();
        let plugins = processor.generation.plugins().iter();
        let plugins: Vec<ServedPlugin> = plugins.map(|plugin| ServedPlugin::of(plugin)).collect();
        json!({ "digest": processor.generation.id().to_string(), "plugins": plugins })
    }

    /// All lanes.
    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.lock().values().cloned().collect()
    }

    /// Events behind, over all lanes whose end is known.
    pub fn lag(&self) -> u64 {
        self.lock().values().filter_map(|lane| lane.lag).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LaneStatus>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
