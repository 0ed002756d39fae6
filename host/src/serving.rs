//! What serves. A batch is begun and ended by the processor that served when it was begun; publishing another one is one store of a
//! pointer, and nobody waits for it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::process::Processor;

/// The processor that batches are begun with.
#[derive(Debug)]
pub struct Serving {
    current: ArcSwap<Processor>,
    /// How often another one was published.
    changes: watch::Sender<u64>,
}

impl Serving {
    /// Begins with `processor`.
    pub fn new(processor: Arc<Processor>) -> Self {
        Self { current: ArcSwap::new(processor), changes: watch::Sender::new(0) }
    }

    /// The one that serves now.
    pub fn now(&self) -> Arc<Processor> {
        self.current.load_full()
    }

    /// Has `processor` serve from now on.
    pub fn publish(&self, processor: Arc<Processor>) {
        self.current.store(processor);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// How often another one was published so far, told of each further time.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How often another one was published so far.
    pub fn count(&self) -> u64 {
        *self.changes.borrow()
    }
}
