//! The breakers of plugins as an operator sees them: each turn is logged and counted, and while one is open in a lane the plugin's
//! health says so. The engine decides ([`wasmill_engine::BreakerTurn`]), lane by lane.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmill_core::{Digest, PartitionId, PluginRef};
use wasmill_engine::{BreakerState, BreakerTurn, OnOpen};

use crate::health::Health;

/// All breakers of a run.
#[derive(Debug)]
pub struct PluginBreakers {
    health: Arc<Health>,
    // By `Plugin::id`. Guards the map for the length of an update.
    plugins: Mutex<BTreeMap<Digest, Breakers>>,
}

/// The breakers of one plugin.
#[derive(Debug)]
struct Breakers {
    plugin: Arc<PluginRef>,
    /// By lane: why it is open there.
    open: BTreeMap<String, String>,
    opened: u64,
}

/// What is counted of one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerCounts {
    /// The plugin.
    pub plugin: Arc<PluginRef>,
    /// Lanes in which its breaker is open, or tries a batch.
    pub open: usize,
    /// How often it opened.
    pub opened: u64,
}

impl PluginBreakers {
    /// None is open.
    pub fn new(health: Arc<Health>) -> Self {
        Self { health, plugins: Mutex::default() }
    }

    /// A breaker turned in the lane of `partition`.
    pub fn turned(&self, partition: &PartitionId, turn: &BreakerTurn) {
        let (name, digest) = (turn.plugin.name.as_str(), format_args!("{:#}", turn.plugin.digest));
        let mut plugins = self.lock();
        let breakers = plugins.entry(turn.id).or_insert_with(|| Breakers {
            plugin: Arc::clone(&turn.plugin),
            open: BTreeMap::new(),
            opened: 0,
        });
        match &turn.state {
            BreakerState::Closed => {
                tracing::info!(plugin = name, %digest, %partition, offset = turn.offset, "the plugin's breaker closes");
                breakers.open.remove(&partition.to_string());
            }
            BreakerState::HalfOpen => {
                tracing::info!(plugin = name, %digest, %partition, offset = turn.offset, "the plugin's breaker is half-open: one batch is tried");
            }
            BreakerState::Open { reason, events, on_open } => {
                let becomes = match on_open {
                    OnOpen::Pause => "the lane pauses until there is another plugin".to_owned(),
                    OnOpen::Skip => format!("events pass it by, {events} of them, before it is tried again"),
                    OnOpen::DeadLetter => {
                        format!("events are dead letters, {events} of them, before it is tried again")
                    }
                };
                breakers.opened += 1;
                let why = format!(
                    "the breaker of {name} ({digest}) is open since the offset {}, and {becomes}: it {reason}",
                    turn.offset
                );
                breakers.open.insert(partition.to_string(), why);
            }
        }
        self.tell(&plugins, name);
    }

    /// What is known of a lane: it begins anew, or is no more, and with it its breakers; but for those of the plugins `same`.
    pub fn forget(&self, partition: &PartitionId, same: &[Digest]) {
        self.forget_where(|lane| lane == partition.to_string(), same);
    }

    /// What is known of all lanes: they go over to other plugins, of which only `same` are as they were.
    pub fn forget_others(&self, same: &[Digest]) {
        self.forget_where(|_| true, same);
    }

    /// By plugin, those that ever opened. Where one file serves with several configurations they are counted together.
    pub fn counts(&self) -> Vec<BreakerCounts> {
        let mut counts = BTreeMap::new();
        for Breakers { plugin, open, opened } in self.lock().values() {
            let count = counts.entry(plugin.digest).or_insert_with(|| BreakerCounts {
                plugin: Arc::clone(plugin),
                open: 0,
                opened: 0,
            });
            count.open += open.len();
            count.opened += opened;
        }
        counts.into_values().collect()
    }

    fn forget_where(&self, is_of: impl Fn(&str) -> bool, same: &[Digest]) {
        let mut plugins = self.lock();
        let mut closed = Vec::new();
        for (_, breakers) in plugins.iter_mut().filter(|(id, _)| !same.contains(id)) {
            let before = breakers.open.len();
            breakers.open.retain(|lane, _| !is_of(lane));
            if breakers.open.len() < before {
                tracing::debug!(plugin = breakers.plugin.name, "breakers are closed with their lanes or plugins");
                closed.push(Arc::clone(&breakers.plugin));
            }
        }
        closed.iter().for_each(|plugin| self.tell(&plugins, &plugin.name));
    }

    /// The health of all plugins of a name.
    fn tell(&self, plugins: &BTreeMap<Digest, Breakers>, name: &str) {
        let part = format!("plugin {name}");
        let of_name = plugins.values().filter(|breakers| breakers.plugin.name == name);
        let open: Vec<(&String, &String)> = of_name.flat_map(|breakers| &breakers.open).collect();
        match open[..] {
            [] => self.health.remove(&part),
            [(lane, why)] => self.health.yellow(&part, format!("in lane {lane}, {why}")),
            [(lane, why), ..] => {
                self.health.yellow(&part, format!("{} breakers, of which in lane {lane}, {why}", open.len()));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Breakers>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::PartHealth;

    fn partition(number: i32) -> PartitionId {
        PartitionId {
            source: "kafka".to_owned(),
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
            topic_id: "i".to_owned(),
            partition: number,
        }
    }

    fn turn(name: &str, state: BreakerState) -> BreakerTurn {
        let digest = Digest::of(name.as_bytes());
        let plugin = PluginRef { name: name.to_owned(), version: "1".to_owned(), digest };
        BreakerTurn { id: digest, plugin: Arc::new(plugin), state, offset: 7 }
    }

    fn open() -> BreakerState {
        BreakerState::Open { reason: "trapped".into(), events: 2_000, on_open: OnOpen::Skip }
    }

    #[test]
    fn health_names_plugin_lane_and_reason_while_a_breaker_is_open_anywhere() {
        let health = Arc::new(Health::default());
        let breakers = PluginBreakers::new(Arc::clone(&health));
        breakers.turned(&partition(0), &turn("a", open()));
        breakers.turned(&partition(1), &turn("a", open()));
        let PartHealth::Yellow { reason } = &health.parts()["plugin a"] else { panic!("{:?}", health.parts()) };
        for word in ["2 breakers", "t[0]", "since the offset 7", "2000 of them", "it trapped"] {
            assert!(reason.contains(word), "{reason}");
        }
        breakers.turned(&partition(0), &turn("a", BreakerState::HalfOpen));
        breakers.turned(&partition(0), &turn("a", BreakerState::Closed));
        assert!(matches!(&health.parts()["plugin a"], PartHealth::Yellow { reason } if reason.contains("t[1]")));
        breakers.turned(&partition(1), &turn("a", BreakerState::Closed));
        assert!(health.parts().is_empty());
        assert_eq!((breakers.counts()[0].open, breakers.counts()[0].opened), (0, 2));
    }

    #[test]
    fn one_file_that_serves_with_two_configurations_has_two_breakers() {
        let health = Arc::new(Health::default());
        let breakers = PluginBreakers::new(Arc::clone(&health));
        let other = |state| BreakerTurn { id: Digest::of(b"a with another configuration"), ..turn("a", state) };
        breakers.turned(&partition(0), &turn("a", open()));
        breakers.turned(&partition(0), &other(open()));
        let [count] = &breakers.counts()[..] else { panic!("{:?}", breakers.counts()) };
        assert_eq!((count.open, count.opened), (2, 2));
        breakers.turned(&partition(0), &other(BreakerState::Closed));
        assert_eq!(health.parts().len(), 1);
        breakers.turned(&partition(0), &turn("a", BreakerState::Closed));
        assert!(health.parts().is_empty());
    }

    #[test]
    fn lanes_that_end_and_plugins_that_change_take_their_breakers_along() {
        let health = Arc::new(Health::default());
        let breakers = PluginBreakers::new(Arc::clone(&health));
        for name in ["a", "b"] {
            breakers.turned(&partition(0), &turn(name, open()));
        }
        breakers.forget(&partition(1), &[]);
        assert_eq!(health.parts().len(), 2);
        breakers.forget_others(&[Digest::of(b"a")]);
        assert_eq!(health.parts().keys().collect::<Vec<_>>(), ["plugin a"]);
        breakers.forget(&partition(0), &[]);
        assert!(health.parts().is_empty());
    }
}
