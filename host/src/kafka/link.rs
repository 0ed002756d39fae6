//! What a partition's reader and the source share: where the reader is, and whether it must end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use tokio::sync::Notify;
use wasmill_core::PartitionId;

use super::{ReadError, TopicPartition};

/// One reader's link.
pub(super) struct Link {
    pub(super) partition: Arc<PartitionId>,
    next_offset: AtomicI64,
    ended: AtomicU8,
    wake: Arc<Notify>,
}

/// Why a reader must end. The first reason stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ended {
    /// Given back: what is in flight may still be committed until it is released.
    Revoked = 1,
    /// Taken away: another member may have it already.
    Lost = 2,
    /// The topic is another one now.
    Replaced = 3,
    /// The topic is gone.
    Deleted = 4,
}

impl Link {
    pub(super) fn new(partition: Arc<PartitionId>, next_offset: i64, wake: Arc<Notify>) -> Self {
        Self { partition, next_offset: AtomicI64::new(next_offset), ended: AtomicU8::new(0), wake }
    }

    /// Ends the reader, and wakes it if it waits.
    pub(super) fn end(&self, why: Ended) {
        let _ = self.ended.compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Acquire);
        self.wake.notify_one();
    }

    /// Whether the offsets of this partition may still be committed to the group.
    pub(super) fn may_commit(&self) -> bool {
        matches!(self.ended.load(Ordering::Acquire), 0 | 1)
    }

    /// # Errors
    /// Why the reader must end.
    pub(super) fn check(&self) -> Result<(), ReadError> {
        const REVOKED: u8 = Ended::Revoked as u8;
        const LOST: u8 = Ended::Lost as u8;
        const REPLACED: u8 = Ended::Replaced as u8;
        match self.ended.load(Ordering::Acquire) {
            0 => Ok(()),
            REVOKED | LOST => Err(ReadError::Revoked(self.name())),
            REPLACED => Err(ReadError::TopicReplaced(self.name())),
            _ => Err(ReadError::TopicDeleted(self.name())),
        }
    }

    pub(super) fn name(&self) -> TopicPartition {
        TopicPartition::of(&self.partition)
    }

    /// The reader's next offset: everything before it was handed out.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset.load(Ordering::Relaxed)
    }

    pub(super) fn set_next_offset(&self, next_offset: i64) {
        self.next_offset.store(next_offset, Ordering::Relaxed);
    }
}
