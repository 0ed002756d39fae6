//! Batches, and who waits for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::batch::RecordBatch;
use super::code::Code;
use super::window::Refusal;

/// A batch, and who waits for it.
pub(super) struct Pending {
    pub(super) batch: Arc<RecordBatch>,
    rows: Vec<u32>,
    group: Arc<Group>,
    _room: OwnedSemaphorePermit,
}

/// What one call waits for.
pub(super) struct Group {
    /// Batches without an outcome, and one for the call itself until it waits.
    left: AtomicUsize,
    failed: Mutex<Vec<(usize, Code)>>,
    done: Notify,
}

impl Pending {
    pub(super) fn new(batch: RecordBatch, rows: Vec<u32>, group: &Arc<Group>, room: OwnedSemaphorePermit) -> Self {
        group.left.fetch_add(1, Ordering::Relaxed);
        Self { batch: Arc::new(batch), rows, group: Arc::clone(group), _room: room }
    }

    pub(super) fn messages(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn stored(self) {
        self.group.settle();
    }

    pub(super) fn failed(self, refusal: &Refusal) {
        for (row, place) in self.rows.iter().zip(0..) {
            let is_beside = !refusal.records.is_empty() && !refusal.records.contains(&place);
            self.group.fail(*row as usize, if is_beside { Code::BESIDE } else { refusal.code });
        }
        self.group.settle();
    }
}

impl Default for Group {
    fn default() -> Self {
        Self { left: AtomicUsize::new(1), failed: Mutex::default(), done: Notify::new() }
    }
}

impl Group {
    /// A message that is not sent.
    pub(super) fn fail(&self, row: usize, code: Code) {
        lock(&self.failed).push((row, code));
    }

    fn settle(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Ready when every batch has its outcome; once, for the call itself.
    pub(super) async fn done(&self) {
        self.settle();
        self.done.notified().await;
    }

    /// The messages that failed, in their order.
    pub(super) fn into_failed(self: Arc<Self>) -> Vec<(usize, Code)> {
        let mut failed = std::mem::take(&mut *lock(&self.failed));
        failed.sort_unstable_by_key(|(row, _)| *row);
        failed
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
