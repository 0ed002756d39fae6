//! Looking on: what each plugin did to a batch, told while the batch goes through. Who looks on changes nothing; where nobody does, a
//! batch pays one branch per plugin for it.

use wasmill_core::{Batch, Stage};

use crate::outcome::Outcome;

/// Whom each step of a batch is told to.
pub type Look<'l> = &'l mut dyn FnMut(&Step<'_>);

/// What is known right after one plugin, as one of its kinds, has had a batch.
#[derive(Debug)]
pub struct Step<'s> {
    /// The plugin's index in its generation.
    pub plugin: usize,
    /// As what it was called.
    pub stage: Stage,
    /// The batch as the plugin left it.
    pub batch: &'s Batch,
    /// What came of all steps so far, not sorted yet.
    pub outcome: &'s Outcome,
    /// Events that it failed on, rising; they are among the rejections.
    pub failed: &'s [u32],
    /// Fuel that the step burned.
    pub fuel: u64,
    /// Events that came to it.
    pub events: u64,
}
