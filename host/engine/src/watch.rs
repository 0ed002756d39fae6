//! Says from outside how long a worker has been in one plugin. A guest cannot block and its fuel ends, so this rejects nobody;
//! it tells an operator what a slow lane is waiting for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Not in a plugin.
const IDLE: u64 = 0;

/// A handle on one worker, to be asked from any thread.
#[derive(Clone, Debug)]
pub struct Watch {
    began: Instant,
    /// Bits 48-63: the plugin's index plus one. Bits 0-47: milliseconds from `began` to the start. Or [`IDLE`].
    state: Arc<AtomicU64>,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The plugin's index in the generation.
    pub plugin: usize,
    /// Since when it has had the batch.
    pub since: Duration,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), state: Arc::new(AtomicU64::new(IDLE)) }
    }

    /// In which plugin the worker is, and for how long; `None` outside of plugins.
    pub fn running(&self) -> Option<Running> {
        let state = self.state.load(Ordering::Relaxed);
        let plugin = (state >> 48).checked_sub(1)? as usize;
        let started = Duration::from_millis(state & ((1 << 48) - 1));
        Some(Running { plugin, since: self.began.elapsed().saturating_sub(started) })
    }

    pub(crate) fn enter(&self, plugin: usize, now: Instant) {
        let started = now.saturating_duration_since(self.began).as_millis() as u64;
        self.state.store((plugin as u64 + 1) << 48 | started, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.state.store(IDLE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_is_seen_in_a_plugin_and_not_outside() {
        let watch = Watch::new();
        assert_eq!(watch.running(), None);
        watch.enter(3, Instant::now());
        assert_eq!(watch.clone().running().unwrap().plugin, 3);
        watch.leave();
        assert_eq!(watch.running(), None);
    }
}
