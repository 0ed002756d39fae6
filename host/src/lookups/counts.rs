//! What look-ups came to, counted for the admin pages.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::client::Found;

/// Counts since the start. Addresses are counted once for each batch that asks anew, queries once each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LookupReport {
    /// Addresses whose answer was in the cache.
    pub hits: u64,
    /// Addresses that a batch waited for and that were answered in time.
    pub resolved: u64,
    /// Addresses that went without an answer.
    pub left_out: u64,
    /// Addresses that the configuration does not have asked for.
    pub skipped: u64,
    /// Queries that gave a name.
    pub names: u64,
    /// Queries that gave none.
    pub negatives: u64,
    /// Queries that gave only names that are not taken.
    pub unfit: u64,
    /// Queries that the servers could not answer.
    pub failed: u64,
    /// Queries that nobody answered.
    pub timeouts: u64,
    /// Whether batches wait for answers: not while DNS is silent.
    pub waits: bool,
}

/// One count.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts behind a [`LookupReport`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: Count,
    pub(super) resolved: Count,
    pub(super) left_out: Count,
    pub(super) skipped: Count,
    names: Count,
    negatives: Count,
    unfit: Count,
    failed: Count,
    timeouts: Count,
}

impl Counts {
    pub(super) fn query(&self, found: &Found) {
        let count = match found {
            Found::Name { .. } => &self.names,
            Found::NoName => &self.negatives,
            Found::Unfit => &self.unfit,
            Found::Failed => &self.failed,
            Found::Timeout => &self.timeouts,
        };
        count.add(1);
    }

    pub(super) fn report(&self, waits: bool) -> LookupReport {
        LookupReport {
            hits: self.hits.get(),
            resolved: self.resolved.get(),
            left_out: self.left_out.get(),
            skipped: self.skipped.get(),
            names: self.names.get(),
            negatives: self.negatives.get(),
            unfit: self.unfit.get(),
            failed: self.failed.get(),
            timeouts: self.timeouts.get(),
            waits,
        }
    }
}
