//! The `when` of a sink of dead letters: an expression over the letter as JSON, so that it names `code`, `stage`, `plugin`, `sink` or
//! `origin.topic` as the file's lines do.

use std::sync::Arc;

use wasmill_core::{EventTime, Projection, ProjectionBuilder, RawBatch};

use super::Addressed;
use crate::condition::{Condition, ConditionError};
use crate::dead_letters;

/// Most bytes of a letter as JSON: the limit of payloads is far below.
const LETTER_BYTES_MAX: usize = 256 << 20;

/// A condition with what reads its fields.
#[derive(Debug)]
pub(super) struct Filter {
    condition: Condition,
    projection: Arc<Projection>,
}

impl Filter {
    /// # Errors
    /// When the expression is none, or names a field that cannot be read.
    pub(super) fn new(source: &str) -> Result<Self, ConditionError> {
        let mut builder = ProjectionBuilder::new(EventTime::Record, LETTER_BYTES_MAX);
        let condition = Condition::bind(source, &mut builder)?;
        Ok(Self { condition, projection: builder.build() })
    }

    /// The letters that it is true for.
    pub(super) fn choose<'l>(&self, letters: &[Addressed<'l>]) -> Vec<Addressed<'l>> {
        let Some(Addressed(partition, ..)) = letters.first() else { return Vec::new() };
        let mut batch = RawBatch::new(Arc::new((*partition).clone()), 0);
        for (Addressed(partition, letter, time_us), number) in letters.iter().zip(0..) {
            let json = dead_letters::to_json(partition, letter, *time_us).to_string();
            batch.push(number, 0, None, Some(json.as_bytes()), []);
        }
        let (batch, _) = self.projection.extract(batch);
        self.condition.choose(&batch).into_iter().map(|index| letters[index as usize]).collect()
    }
}
